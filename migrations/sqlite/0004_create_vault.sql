-- Sealed values, written together with the events that refer to them. Entries hold digests of them, so a row is never
-- changed; a credential may be removed, and a disclosure is erased by deleting its key in keys.db.
-- Digests are random: under them alone, each disclosure would cost a page of its own in every transaction.

CREATE TABLE credentials (
  id TEXT PRIMARY KEY,
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE disclosures (
  command_position INTEGER NOT NULL,
  digest TEXT NOT NULL,
  person BLOB CONSTRAINT person_is_16_bytes CHECK (length(person) = 16),
  event_key INTEGER CONSTRAINT event_key_counts_from_1 CHECK (event_key >= 1),
  sealed BLOB NOT NULL,
  CONSTRAINT disclosure_has_one_key CHECK ((person IS NULL) <> (event_key IS NULL)),
  PRIMARY KEY (command_position, digest)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX event_key_seals_one_disclosure ON disclosures (event_key) WHERE event_key IS NOT NULL;

CREATE TRIGGER credentials_are_not_changed BEFORE UPDATE ON credentials
BEGIN SELECT RAISE(ABORT, 'credentials are never changed'); END;
CREATE TRIGGER disclosures_are_not_changed BEFORE UPDATE ON disclosures
BEGIN SELECT RAISE(ABORT, 'disclosures are never changed'); END;
