-- Sealed values, written together with the events that refer to them. Entries hold digests of them, so a row is never
-- changed; a credential may be removed, and a disclosure is erased by deleting its key.

CREATE TABLE credentials (
  id text COLLATE "C" PRIMARY KEY,
  sealed bytea NOT NULL
);

CREATE TABLE disclosures (
  command_position bigint NOT NULL,
  digest text COLLATE "C" NOT NULL,
  person uuid,
  event_key bigint CONSTRAINT event_key_counts_from_1 CHECK (event_key >= 1),
  sealed bytea NOT NULL,
  CONSTRAINT disclosure_has_one_key CHECK ((person IS NULL) <> (event_key IS NULL)),
  PRIMARY KEY (command_position, digest)
);

CREATE UNIQUE INDEX event_key_seals_one_disclosure ON disclosures (event_key) WHERE event_key IS NOT NULL;

CREATE TRIGGER credentials_are_not_changed BEFORE UPDATE OR TRUNCATE ON credentials
EXECUTE FUNCTION refuse('credentials are never changed');
CREATE TRIGGER disclosures_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON disclosures
EXECUTE FUNCTION refuse('disclosures are never changed or removed');
