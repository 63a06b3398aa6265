-- Who holds a unique key now. The events say who held it when; this table only decides races.

CREATE TABLE claims (
  namespace TEXT NOT NULL,
  key TEXT NOT NULL,
  stream INTEGER NOT NULL,
  PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;
