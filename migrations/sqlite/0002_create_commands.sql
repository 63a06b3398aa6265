-- A command happens once: its id is unique, and says where its events stand when the answer was lost.

CREATE TABLE commands (
  command_id BLOB PRIMARY KEY CONSTRAINT command_id_is_16_bytes CHECK (length(command_id) = 16),
  first_position INTEGER NOT NULL,
  last_position INTEGER NOT NULL,
  CONSTRAINT command_has_an_event CHECK (1 <= first_position AND first_position <= last_position)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER commands_are_not_changed BEFORE UPDATE ON commands
BEGIN SELECT RAISE(ABORT, 'commands are never changed'); END;
CREATE TRIGGER commands_are_not_removed BEFORE DELETE ON commands
BEGIN SELECT RAISE(ABORT, 'commands are never removed'); END;
