-- An address is sealed. So that what was done from it can be found nevertheless, each event has a keyed token of the address here,
-- which nobody can make without the key; with the person it is erased. One index, clustered by token: it is written with
-- every command, read by an auditor now and then, and searched for a person once in that person's life.

CREATE TABLE lookup_tokens (
  token BLOB NOT NULL CONSTRAINT token_is_16_bytes CHECK (length(token) = 16),
  person BLOB NOT NULL CONSTRAINT person_is_16_bytes_or_nobody CHECK (length(person) IN (0, 16)),
  first_position INTEGER NOT NULL,
  last_position INTEGER NOT NULL,
  PRIMARY KEY (token, person, first_position),
  CONSTRAINT command_has_an_event CHECK (1 <= first_position AND first_position <= last_position)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER lookup_tokens_are_not_changed BEFORE UPDATE ON lookup_tokens
BEGIN SELECT RAISE(ABORT, 'lookup tokens are never changed'); END;
