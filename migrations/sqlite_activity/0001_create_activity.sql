-- What clients do: thousands of times more than what admins do, so it has a file and a position of its own. A record is
-- never changed. Records of one day are a segment; once its day is over a segment can be closed, and is then fixed by
-- the root of its Merkle tree. A record that is in a closed segment cannot be followed by an earlier one: the writer
-- never sets the time back.

CREATE TABLE activity (
  position INTEGER PRIMARY KEY CONSTRAINT position_counts_from_1 CHECK (position >= 1),
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  outcome TEXT NOT NULL CONSTRAINT outcome_is_known CHECK (outcome IN ('done', 'refused')),
  reason TEXT,
  environment TEXT,
  client TEXT,
  credential TEXT,
  request_id TEXT,
  count INTEGER NOT NULL CONSTRAINT something_happened CHECK (count >= 1),
  since INTEGER,
  source_token BLOB,
  source BLOB
) STRICT;

-- The position goes with every index, so each of them is in the order of the feed.
CREATE INDEX activity_of_clients ON activity (client) WHERE client IS NOT NULL;
CREATE INDEX activity_of_credentials ON activity (credential) WHERE credential IS NOT NULL;
CREATE INDEX activity_of_sources ON activity (source_token) WHERE source_token IS NOT NULL;
CREATE INDEX activity_refused ON activity (outcome) WHERE outcome = 'refused';

CREATE TRIGGER activity_is_not_changed BEFORE UPDATE ON activity
BEGIN SELECT RAISE(ABORT, 'activity is never changed'); END;
CREATE TRIGGER activity_is_not_removed BEFORE DELETE ON activity
BEGIN SELECT RAISE(ABORT, 'activity is never removed'); END;

-- Written with the record of the use, so that "never used" is never an old answer.
CREATE TABLE last_used (
  credential TEXT PRIMARY KEY,
  client TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX last_used_by_clients ON last_used (client);

-- Keyed digests of secrets that were verified once. Any of them may be lost: it costs one more verification.
CREATE TABLE verified (
  credential TEXT PRIMARY KEY,
  digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE segments (
  number INTEGER PRIMARY KEY,
  first_position INTEGER NOT NULL,
  last_position INTEGER NOT NULL,
  root BLOB NOT NULL CONSTRAINT root_is_32_bytes CHECK (length(root) = 32)
) STRICT;

CREATE TRIGGER segments_are_not_changed BEFORE UPDATE ON segments
BEGIN SELECT RAISE(ABORT, 'closed segments are never changed'); END;
CREATE TRIGGER segments_are_not_removed BEFORE DELETE ON segments
BEGIN SELECT RAISE(ABORT, 'closed segments are never removed'); END;
