-- What belongs to a log whose entries are kept by a server of events: which log it is, how far the rows in this file have come, and
-- the batches that are on their way to the server.

CREATE TABLE log (
  only_row INTEGER PRIMARY KEY DEFAULT 1 CONSTRAINT log_is_one_row CHECK (only_row = 1),
  id BLOB NOT NULL DEFAULT (randomblob(16)) CONSTRAINT log_id_is_16_bytes CHECK (length(id) = 16),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

INSERT INTO log DEFAULT VALUES;

CREATE TRIGGER log_is_not_changed BEFORE UPDATE ON log
BEGIN SELECT RAISE(ABORT, 'the identity of a log is never changed'); END;
CREATE TRIGGER log_is_not_removed BEFORE DELETE ON log
BEGIN SELECT RAISE(ABORT, 'the identity of a log is never removed'); END;

-- The last position whose rows are in this file, and the id under which the server has its entry: another log has another.
CREATE TABLE applied (
  only_row INTEGER PRIMARY KEY DEFAULT 1 CONSTRAINT applied_is_one_row CHECK (only_row = 1),
  position INTEGER NOT NULL DEFAULT 0,
  event_id BLOB CONSTRAINT event_id_is_16_bytes CHECK (length(event_id) = 16),
  CONSTRAINT applied_has_an_event CHECK ((position = 0) = (event_id IS NULL))
) STRICT;

INSERT INTO applied DEFAULT VALUES;

CREATE TRIGGER applied_only_advances BEFORE UPDATE ON applied WHEN NEW.position <= OLD.position
BEGIN SELECT RAISE(ABORT, 'what is applied stays applied'); END;
CREATE TRIGGER applied_is_not_removed BEFORE DELETE ON applied
BEGIN SELECT RAISE(ABORT, 'how far the rows have come is never removed'); END;

-- A batch is written here before it is sent, and is removed when something stands at its position on the server: itself, and its
-- rows are written in the same transaction, or something else. `rows` is what its commits change beside the entries.
CREATE TABLE staged (
  number INTEGER PRIMARY KEY,
  first_position INTEGER NOT NULL CONSTRAINT position_counts_from_1 CHECK (first_position >= 1),
  rows TEXT NOT NULL
) STRICT;

CREATE TABLE staged_entries (
  batch INTEGER NOT NULL REFERENCES staged (number),
  position INTEGER NOT NULL,
  entry BLOB NOT NULL,
  PRIMARY KEY (batch, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX claims_by_stream ON claims (stream, namespace);
