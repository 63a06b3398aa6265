-- A log is being moved here: the row is there from before the first entry until everything was compared, and nobody serves
-- meanwhile. A log that is moved stays the same log, so that an empty one which it is moved to takes its identity.

CREATE TABLE transfer (
  only_row INTEGER PRIMARY KEY DEFAULT 1 CONSTRAINT transfer_is_one_row CHECK (only_row = 1)
) STRICT;

DROP TRIGGER log_is_not_changed;
CREATE TRIGGER log_is_not_changed BEFORE UPDATE ON log
WHEN NOT EXISTS (SELECT 1 FROM transfer) OR EXISTS (SELECT 1 FROM events)
BEGIN SELECT RAISE(ABORT, 'the identity of a log is never changed'); END;
