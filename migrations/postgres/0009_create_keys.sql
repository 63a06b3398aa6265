-- Keys live apart from the log: erasing a person, or redacting one reason, is deleting a key here. All keys are wrapped by
-- keys that this database does not hold. Leave these tables out of every dump that is kept for long.

CREATE TABLE key_slots (
  only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT key_slots_is_one_row CHECK (only_row),
  last_event_key bigint NOT NULL DEFAULT 0 CONSTRAINT last_event_key_is_no_debt CHECK (last_event_key >= 0)
);

INSERT INTO key_slots DEFAULT VALUES;

CREATE FUNCTION event_keys_only_advance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'slots of event keys are never used again' USING ERRCODE = 'insufficient_privilege';
END $$;

-- A slot is used once, even after its key is gone.
CREATE TRIGGER event_keys_only_advance BEFORE UPDATE ON key_slots FOR EACH ROW
WHEN (NEW.last_event_key < OLD.last_event_key) EXECUTE FUNCTION event_keys_only_advance();
CREATE TRIGGER key_slots_are_not_removed BEFORE DELETE OR TRUNCATE ON key_slots
EXECUTE FUNCTION refuse('slots of event keys are never used again');

CREATE TABLE data_keys (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL CONSTRAINT data_key_is_stored_once UNIQUE,
  purpose text NOT NULL,
  wrapped bytea NOT NULL
);

CREATE TABLE person_keys (
  person uuid PRIMARY KEY,
  token bytea UNIQUE,
  wrapped bytea NOT NULL
);

CREATE TABLE event_keys (
  slot bigint PRIMARY KEY CONSTRAINT slot_counts_from_1 CHECK (slot >= 1),
  wrapped bytea NOT NULL
);

-- Deletes keys, and writes what is left of their tables anew: a deleted row would lie in its page until something
-- else needs the place. The old files are removed with the commit. What the write-ahead log, replicas, back-ups and the free blocks
-- of the file system hold is beyond a database.
CREATE FUNCTION erase_keys(erased_persons uuid[], erased_slots bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
BEGIN
  DELETE FROM person_keys WHERE person = ANY (erased_persons);
  IF FOUND THEN
    ALTER TABLE person_keys ALTER COLUMN wrapped TYPE bytea USING wrapped || ''::bytea;
  END IF;
  DELETE FROM event_keys WHERE slot = ANY (erased_slots);
  IF FOUND THEN
    ALTER TABLE event_keys ALTER COLUMN wrapped TYPE bytea USING wrapped || ''::bytea;
  END IF;
END $$;
