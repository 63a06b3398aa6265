-- One row a member: the whole state as the domain folds it. Name and e-mail are sealed parts of events and not in it.

CREATE TABLE members (
    id       TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    -- The member's aggregate as JSON.
    state    TEXT NOT NULL
) STRICT;
