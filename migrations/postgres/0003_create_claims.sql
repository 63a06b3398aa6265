-- Who holds a unique key now. The events say who held it when; this table only decides races.

CREATE TABLE claims (
  namespace text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  stream bigint NOT NULL,
  PRIMARY KEY (namespace, key)
);

CREATE INDEX claims_by_stream ON claims (stream, namespace);
