-- One row a client: what lists sort and filter by, and the whole state as the domain folds it.

CREATE TABLE clients (
    client_id   TEXT PRIMARY KEY,
    environment TEXT NOT NULL,
    -- The name as it is compared and searched: NFKC, case-folded.
    name_folded TEXT NOT NULL,
    client_type TEXT NOT NULL,
    status      TEXT NOT NULL,
    -- Microseconds since 1970.
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    responsible TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    -- The client's aggregate as JSON.
    state       TEXT NOT NULL
) STRICT;
