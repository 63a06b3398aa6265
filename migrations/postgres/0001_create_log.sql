-- The log itself, as in `sqlite/0001_create_log.sql`: an event is its canonical bytes and the place where they stand.
-- The number of a stream is the position of its first event. Everything is in the schema `muniment`, which the search path names.

CREATE TABLE log (
  only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT log_is_one_row CHECK (only_row),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO log DEFAULT VALUES;

-- Whoever appends locks this row until the commit is visible, so that positions are dense and in commit order. The fence is
-- part of what an append expects: moved on, it keeps out what an older connection may still have sent.
CREATE TABLE log_head (
  only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT log_head_is_one_row CHECK (only_row),
  position bigint NOT NULL DEFAULT 0,
  fence bigint NOT NULL DEFAULT 0,
  last_at bigint
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

INSERT INTO log_head DEFAULT VALUES;

CREATE TABLE streams (
  number bigint PRIMARY KEY,
  category text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  CONSTRAINT stream_has_one_number UNIQUE (category, id)
);

CREATE TABLE log_events (
  position bigint PRIMARY KEY CONSTRAINT position_counts_from_1 CHECK (position >= 1),
  stream bigint NOT NULL,
  revision bigint NOT NULL CONSTRAINT revision_counts_from_1 CHECK (revision >= 1),
  entry bytea NOT NULL CONSTRAINT entry_fits_a_ledger_tile CHECK (octet_length(entry) <= 65535),
  CONSTRAINT revision_is_taken_once UNIQUE (stream, revision)
);

-- Refuses a statement whoever sends it: the owner, too, makes mistakes.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER log_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON log
EXECUTE FUNCTION refuse('the identity of a log is never changed or removed');
CREATE TRIGGER streams_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON streams
EXECUTE FUNCTION refuse('streams are never changed or removed');
CREATE TRIGGER events_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON log_events
EXECUTE FUNCTION refuse('events are never changed or removed');
CREATE TRIGGER log_head_is_not_removed BEFORE DELETE OR TRUNCATE ON log_head
EXECUTE FUNCTION refuse('the head of the log is never removed');

CREATE FUNCTION log_head_only_advances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the head of the log only advances' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER log_head_only_advances BEFORE UPDATE ON log_head FOR EACH ROW
WHEN (NEW.position < OLD.position OR NEW.fence < OLD.fence) EXECUTE FUNCTION log_head_only_advances();

-- Positions follow the log, revisions follow their streams, and the head is where the events end. One check a statement,
-- which is one for all commits that share a transaction.
CREATE FUNCTION events_are_dense() RETURNS trigger LANGUAGE plpgsql SET search_path = muniment, pg_temp AS $$
DECLARE
  added_rows bigint;
  low bigint;
  high bigint;
BEGIN
  SELECT count(*), min(position), max(position) INTO added_rows, low, high FROM added;
  IF high - low + 1 <> added_rows
     OR high <> (SELECT position FROM log_head)
     OR low > 1 AND NOT EXISTS (SELECT 1 FROM log_events WHERE position = low - 1) THEN
    RAISE EXCEPTION 'positions % to % are not the next ones', low, high USING ERRCODE = 'check_violation';
  END IF;
  -- A scalar subquery is looked up for each row; EXISTS would be answered from a hash of the whole index.
  IF EXISTS (
    SELECT 1 FROM added
    WHERE CASE WHEN added.revision = 1 THEN added.stream <> added.position ELSE (
      SELECT earlier.position FROM log_events AS earlier
      WHERE earlier.stream = added.stream AND earlier.revision = added.revision - 1
    ) IS NULL END
  ) THEN
    RAISE EXCEPTION 'a revision is not the next one of its stream' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER events_are_dense AFTER INSERT ON log_events REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION events_are_dense();
