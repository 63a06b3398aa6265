-- A node that gave up on staging keeps out whatever it had sent before: after the fence, what is not staged by it never will be.
ALTER TABLE companion_head ADD COLUMN fence bigint NOT NULL DEFAULT 0;

DROP FUNCTION stage_batch(bigint, bytea[], text, bigint[], text[], bytea[], bigint[], bytea[], uuid[]);

-- Makes a batch durable that is about to be sent; NULL if something stands at its position already, or there is a new fence.
CREATE FUNCTION stage_batch(
  expected_fence bigint, first bigint, entries bytea[], rows text,
  credential_positions bigint[], credential_ids text[], sealed bytea[],
  token_positions bigint[], tokens bytea[], persons uuid[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
DECLARE made bigint;
BEGIN
  -- Whoever settles the position waits for this, so that nothing is staged behind its back.
  PERFORM FROM companion_head WHERE position = first - 1 AND fence = expected_fence FOR SHARE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  INSERT INTO companion_batches (first_position, last_position, entries, rows)
  VALUES (first, first + cardinality(entries) - 1, stage_batch.entries, stage_batch.rows)
  RETURNING number INTO made;
  INSERT INTO companion_credentials
  SELECT made, * FROM unnest(credential_positions, credential_ids, stage_batch.sealed);
  INSERT INTO companion_tokens SELECT made, * FROM unnest(token_positions, tokens, persons);
  RETURN made;
END $$;

-- Waits for whoever is staging, and answers the new fence.
CREATE FUNCTION fence_companion() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
  UPDATE companion_head SET fence = fence + 1 RETURNING fence
$$;
