-- Keyed tokens of addresses, by which events are found again; see `sqlite/0006_create_lookup_tokens.sql`. The nil UUID is
-- nobody that is known.

CREATE TABLE lookup_tokens (
  token bytea NOT NULL CONSTRAINT token_is_16_bytes CHECK (octet_length(token) = 16),
  person uuid NOT NULL,
  first_position bigint NOT NULL,
  last_position bigint NOT NULL,
  PRIMARY KEY (token, person, first_position),
  CONSTRAINT command_has_an_event CHECK (1 <= first_position AND first_position <= last_position)
);

CREATE TRIGGER lookup_tokens_are_not_changed BEFORE UPDATE OR TRUNCATE ON lookup_tokens
EXECUTE FUNCTION refuse('lookup tokens are never changed');
