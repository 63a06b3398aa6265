-- One row a scope, client type and environment: the whole state as the domain folds it, as JSON. The id is the name.

CREATE TABLE scopes (
    id       TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    state    TEXT NOT NULL
) STRICT;

CREATE TABLE client_types (
    id       TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    state    TEXT NOT NULL
) STRICT;

CREATE TABLE environments (
    id       TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    position INTEGER NOT NULL,
    state    TEXT NOT NULL
) STRICT;
