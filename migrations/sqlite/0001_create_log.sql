-- The log itself. An event is its canonical bytes and the place where they stand; nobody may change or remove either.
-- Streams have numbers because a number in the index costs a few bytes, a name sixty.

CREATE TABLE log (
  only_row INTEGER PRIMARY KEY DEFAULT 1 CONSTRAINT log_is_one_row CHECK (only_row = 1),
  id BLOB NOT NULL DEFAULT (randomblob(16)) CONSTRAINT log_id_is_16_bytes CHECK (length(id) = 16),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

INSERT INTO log DEFAULT VALUES;

CREATE TABLE streams (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CONSTRAINT stream_name_has_a_category CHECK (instr(name, '-') > 1)
) STRICT;

CREATE TABLE events (
  position INTEGER PRIMARY KEY CONSTRAINT position_counts_from_1 CHECK (position >= 1),
  stream INTEGER NOT NULL,
  revision INTEGER NOT NULL CONSTRAINT revision_counts_from_1 CHECK (revision >= 1),
  entry BLOB NOT NULL CONSTRAINT entry_fits_a_ledger_tile CHECK (length(entry) <= 65535),
  UNIQUE (stream, revision)
) STRICT;

CREATE TRIGGER log_is_not_changed BEFORE UPDATE ON log
BEGIN SELECT RAISE(ABORT, 'the identity of a log is never changed'); END;
CREATE TRIGGER log_is_not_removed BEFORE DELETE ON log
BEGIN SELECT RAISE(ABORT, 'the identity of a log is never removed'); END;

CREATE TRIGGER streams_are_not_changed BEFORE UPDATE ON streams
BEGIN SELECT RAISE(ABORT, 'streams are never changed'); END;
CREATE TRIGGER streams_are_not_removed BEFORE DELETE ON streams
BEGIN SELECT RAISE(ABORT, 'streams are never removed'); END;

-- That a new event takes the next position and revision is the writer's to guarantee: a trigger would double its work.
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are never removed'); END;
