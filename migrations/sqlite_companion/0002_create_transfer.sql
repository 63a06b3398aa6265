-- A log is being moved to the server and here, as in an embedded log that is moved to: the row is there from before the first
-- entry until everything was compared, and nobody serves meanwhile.

CREATE TABLE transfer (
  only_row INTEGER PRIMARY KEY DEFAULT 1 CONSTRAINT transfer_is_one_row CHECK (only_row = 1)
) STRICT;

DROP TRIGGER log_is_not_changed;
CREATE TRIGGER log_is_not_changed BEFORE UPDATE ON log
WHEN NOT EXISTS (SELECT 1 FROM transfer) OR (SELECT position FROM applied) > 0
BEGIN SELECT RAISE(ABORT, 'the identity of a log is never changed'); END;
