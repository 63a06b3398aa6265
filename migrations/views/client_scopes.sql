-- The third table of the view of clients: which clients hold a scope, as their newest events left them. One row for each
-- scope of each client, deleted ones too.

CREATE TABLE client_scopes (
    client_id   TEXT NOT NULL,
    scope       TEXT NOT NULL,
    environment TEXT NOT NULL,
    -- Microseconds since 1970.
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (client_id, scope)
) STRICT, WITHOUT ROWID;
