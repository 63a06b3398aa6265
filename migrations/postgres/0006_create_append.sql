-- The one way to write to the log. The application's role may call these functions and insert into none of the tables.

-- Appends everything of a batch of commits that were decided at `expected_position`, or nothing, and answers whether it did:
-- another node may have been faster. Called by itself it is a transaction of one round trip.
CREATE FUNCTION append_to_log(
  expected_position bigint, expected_fence bigint, new_last_at bigint,
  new_streams bigint[], new_categories text[], new_ids text[],
  event_streams bigint[], event_revisions bigint[], entries bytea[],
  new_commands uuid[], command_firsts bigint[], command_lasts bigint[],
  releasing_streams bigint[], releasing_namespaces text[],
  changed_namespaces text[], changed_keys text[], changed_holders bigint[],
  destroyed_credentials text[], new_credentials text[], sealed_credentials bytea[],
  disclosure_positions bigint[], digests text[], disclosure_persons uuid[], event_keys bigint[], sealed_disclosures bytea[],
  forgotten_persons uuid[],
  tokens bytea[], token_persons uuid[], token_firsts bigint[], token_lasts bigint[]
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
BEGIN
  UPDATE log_head SET position = expected_position + cardinality(entries), last_at = new_last_at
  WHERE position = expected_position AND fence = expected_fence;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  IF cardinality(new_streams) > 0 THEN
    INSERT INTO streams (number, category, id) SELECT * FROM unnest(new_streams, new_categories, new_ids);
  END IF;
  INSERT INTO log_events (position, stream, revision, entry)
  SELECT expected_position + item, stream, revision, entry
  FROM unnest(event_streams, event_revisions, entries) WITH ORDINALITY AS added (stream, revision, entry, item);
  INSERT INTO commands (command_id, first_position, last_position)
  SELECT * FROM unnest(new_commands, command_firsts, command_lasts);
  IF cardinality(releasing_streams) > 0 THEN
    DELETE FROM claims USING unnest(releasing_streams, releasing_namespaces) AS released (stream, namespace)
    WHERE claims.stream = released.stream AND claims.namespace = released.namespace;
  END IF;
  IF cardinality(changed_keys) > 0 THEN
    -- A key without a holder is free.
    DELETE FROM claims USING unnest(changed_namespaces, changed_keys, changed_holders) AS changed (namespace, key, holder)
    WHERE claims.namespace = changed.namespace AND claims.key = changed.key AND changed.holder IS NULL;
    INSERT INTO claims (namespace, key, stream)
    SELECT * FROM unnest(changed_namespaces, changed_keys, changed_holders) AS changed (namespace, key, holder)
    WHERE changed.holder IS NOT NULL
    ON CONFLICT (namespace, key) DO UPDATE SET stream = excluded.stream;
  END IF;
  IF cardinality(destroyed_credentials) > 0 THEN
    DELETE FROM credentials WHERE id = ANY (destroyed_credentials);
  END IF;
  IF cardinality(new_credentials) > 0 THEN
    INSERT INTO credentials (id, sealed) SELECT * FROM unnest(new_credentials, sealed_credentials);
  END IF;
  IF cardinality(digests) > 0 THEN
    INSERT INTO disclosures (command_position, digest, person, event_key, sealed)
    SELECT * FROM unnest(disclosure_positions, digests, disclosure_persons, event_keys, sealed_disclosures);
  END IF;
  IF cardinality(forgotten_persons) > 0 THEN
    -- From one token to the next: there are few, each with many rows.
    WITH RECURSIVE known (token) AS (
      (SELECT token FROM lookup_tokens ORDER BY token LIMIT 1)
      UNION ALL
      SELECT (SELECT later.token FROM lookup_tokens AS later WHERE later.token > known.token ORDER BY later.token LIMIT 1)
      FROM known WHERE known.token IS NOT NULL
    )
    DELETE FROM lookup_tokens
    USING known, unnest(forgotten_persons) AS forgotten (person)
    WHERE lookup_tokens.token = known.token AND lookup_tokens.person = forgotten.person;
  END IF;
  IF cardinality(tokens) > 0 THEN
    INSERT INTO lookup_tokens (token, person, first_position, last_position)
    SELECT * FROM unnest(tokens, token_persons, token_firsts, token_lasts)
    ON CONFLICT DO NOTHING;
  END IF;
  -- A wake-up only; it says nothing.
  PERFORM pg_notify('muniment_log', '');
  RETURN true;
END $$;

-- Keeps every other writer out until the end of the transaction, for a node that others were faster than.
CREATE FUNCTION lock_log() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
BEGIN
  PERFORM 1 FROM log_head FOR UPDATE;
END $$;

-- Waits until nobody is appending, and keeps out whatever was sent before: after it, what is not in the log of a lost
-- connection will never be there.
CREATE FUNCTION fence_log() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
BEGIN
  UPDATE log_head SET fence = fence + 1;
END $$;

-- Whether something could be written: a row that means nothing is.
CREATE TABLE write_probe (
  only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT write_probe_is_one_row CHECK (only_row),
  probes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

INSERT INTO write_probe DEFAULT VALUES;

CREATE FUNCTION probe_writing() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
BEGIN
  UPDATE write_probe SET probes = probes + 1;
END $$;
