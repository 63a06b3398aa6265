-- Which token, of which grant, with which scope a record is about.
ALTER TABLE activity ADD COLUMN token TEXT;
ALTER TABLE activity ADD COLUMN grant_id TEXT;
ALTER TABLE activity ADD COLUMN scope TEXT;

CREATE INDEX activity_of_tokens ON activity (token) WHERE token IS NOT NULL;
CREATE INDEX activity_of_grants ON activity (grant_id) WHERE grant_id IS NOT NULL;

-- What is good for a time and once spent not again. A spent one is kept until it would have expired: who presents it again
-- is told from who guesses.
CREATE TABLE vouchers (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  data BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  spent_at INTEGER,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX vouchers_by_end ON vouchers (expires_at);

CREATE TABLE counts (
  key TEXT PRIMARY KEY,
  count INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
