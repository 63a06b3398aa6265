-- Keys live apart from the log, so that deleting one reaches further than any copy of the log: erasing a person, or
-- redacting one reason, is deleting a key here. All keys are wrapped by keys that this file does not hold.

CREATE TABLE key_file (
  only_row INTEGER PRIMARY KEY DEFAULT 1 CONSTRAINT key_file_is_one_row CHECK (only_row = 1),
  log_id BLOB CONSTRAINT log_id_is_16_bytes CHECK (length(log_id) = 16),
  last_event_key INTEGER NOT NULL DEFAULT 0 CONSTRAINT last_event_key_is_no_debt CHECK (last_event_key >= 0)
) STRICT;

INSERT INTO key_file DEFAULT VALUES;

-- A slot is used once, even after its key is gone.
CREATE TRIGGER event_keys_only_advance BEFORE UPDATE OF last_event_key ON key_file
WHEN NEW.last_event_key < OLD.last_event_key
BEGIN SELECT RAISE(ABORT, 'slots of event keys are never used again'); END;

CREATE TABLE data_keys (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  purpose TEXT NOT NULL,
  wrapped BLOB NOT NULL
) STRICT;

CREATE TABLE person_keys (
  number INTEGER PRIMARY KEY,
  person BLOB NOT NULL UNIQUE CONSTRAINT person_is_16_bytes CHECK (length(person) = 16),
  token BLOB UNIQUE,
  wrapped BLOB NOT NULL
) STRICT;

CREATE TABLE event_keys (
  slot INTEGER PRIMARY KEY CONSTRAINT slot_counts_from_1 CHECK (slot >= 1),
  wrapped BLOB NOT NULL
) STRICT;
