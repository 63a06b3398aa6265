-- A commit that failed at its fsync stands in the write-ahead log beyond the end that everybody knows, and a recovery would
-- find it there. The writer's next transaction takes its place; this row is what that transaction changes.

CREATE TABLE writer_epoch (
  only_row INTEGER PRIMARY KEY DEFAULT 1 CONSTRAINT writer_epoch_is_one_row CHECK (only_row = 1),
  epoch INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO writer_epoch DEFAULT VALUES;

CREATE TRIGGER writer_epoch_only_advances BEFORE UPDATE ON writer_epoch WHEN NEW.epoch <= OLD.epoch
BEGIN SELECT RAISE(ABORT, 'the epoch of the writer only advances'); END;
CREATE TRIGGER writer_epoch_is_not_removed BEFORE DELETE ON writer_epoch
BEGIN SELECT RAISE(ABORT, 'the epoch of the writer is never removed'); END;
