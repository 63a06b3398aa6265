-- A command happens once: its id is unique, and says where its events stand when the answer was lost.

CREATE TABLE commands (
  command_id uuid PRIMARY KEY,
  first_position bigint NOT NULL,
  last_position bigint NOT NULL,
  CONSTRAINT command_has_an_event CHECK (1 <= first_position AND first_position <= last_position)
);

CREATE TRIGGER commands_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON commands
EXECUTE FUNCTION refuse('commands are never changed or removed');
