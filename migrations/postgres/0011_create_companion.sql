-- What several nodes share of a log whose entries a server of events keeps: the batches that are on their way there, and of
-- those that arrived what they change beside the entries. Each node applies that to files of its own, in the order of positions.

CREATE TABLE companion_head (
  only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT companion_head_is_one_row CHECK (only_row),
  position bigint NOT NULL DEFAULT 0,
  event_id uuid,
  CONSTRAINT companion_head_has_an_event CHECK ((position = 0) = (event_id IS NULL))
);

INSERT INTO companion_head DEFAULT VALUES;

CREATE TABLE companion_batches (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  first_position bigint NOT NULL CONSTRAINT position_counts_from_1 CHECK (first_position >= 1),
  last_position bigint NOT NULL CONSTRAINT batch_has_an_entry CHECK (last_position >= first_position),
  entries bytea[],
  rows text NOT NULL
);

COMMENT ON COLUMN companion_batches.entries IS 'until the server of events has them';

CREATE INDEX companion_batches_by_position ON companion_batches (first_position);
CREATE INDEX companion_batches_on_their_way ON companion_batches (number) WHERE entries IS NOT NULL;
CREATE UNIQUE INDEX one_batch_arrived_at_a_position ON companion_batches (first_position) WHERE entries IS NULL;

-- What may have to be destroyed stands in rows of its own; `command_position` is where its commit begins.
CREATE TABLE companion_credentials (
  batch bigint NOT NULL REFERENCES companion_batches ON DELETE CASCADE,
  command_position bigint NOT NULL,
  id text COLLATE "C" NOT NULL,
  sealed bytea NOT NULL,
  PRIMARY KEY (batch, command_position, id)
);

CREATE INDEX companion_credentials_by_id ON companion_credentials (id);

CREATE TABLE companion_tokens (
  batch bigint NOT NULL REFERENCES companion_batches ON DELETE CASCADE,
  command_position bigint NOT NULL,
  token bytea NOT NULL,
  person uuid
);

CREATE INDEX companion_tokens_by_batch ON companion_tokens (batch);
CREATE INDEX companion_tokens_by_person ON companion_tokens (person) WHERE person IS NOT NULL;

-- Makes a batch durable that is about to be sent; NULL if something stands at its position already.
CREATE FUNCTION stage_batch(
  first bigint, entries bytea[], rows text,
  credential_positions bigint[], credential_ids text[], sealed bytea[],
  token_positions bigint[], tokens bytea[], persons uuid[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
DECLARE made bigint;
BEGIN
  -- Whoever settles the position waits for this, so that nothing is staged behind its back.
  PERFORM FROM companion_head WHERE position = first - 1 FOR SHARE;
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

-- The batch has arrived: what else was staged at its position never will, and what it destroys is gone from older ones. False
-- if somebody else has said so before.
CREATE FUNCTION settle_batch(
  winner bigint, last_event uuid,
  destroyed_positions bigint[], destroyed_ids text[], forgotten_positions bigint[], forgotten_persons uuid[]
) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
DECLARE batch companion_batches;
BEGIN
  SELECT * INTO batch FROM companion_batches WHERE number = winner;
  UPDATE companion_head SET position = batch.last_position, event_id = last_event
  WHERE position = batch.first_position - 1;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE companion_batches SET entries = NULL WHERE number = winner;
  DELETE FROM companion_batches WHERE entries IS NOT NULL AND first_position <= batch.last_position;
  DELETE FROM companion_credentials USING unnest(destroyed_positions, destroyed_ids) AS destroyed (position, id)
  WHERE companion_credentials.id = destroyed.id AND command_position < destroyed.position;
  DELETE FROM companion_tokens USING unnest(forgotten_positions, forgotten_persons) AS forgotten (position, person)
  WHERE companion_tokens.person = forgotten.person AND command_position <= forgotten.position;
  RETURN true;
END $$;
