-- A key is deleted first and its bytes are wiped from the file after it. Between the two the service may be killed, or another
-- process may read the file: this says that the wiping is still to be done.

ALTER TABLE key_file ADD COLUMN to_be_wiped INTEGER NOT NULL DEFAULT 0
  CONSTRAINT to_be_wiped_is_a_truth_value CHECK (to_be_wiped IN (0, 1));
