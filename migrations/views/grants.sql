-- One row a grant: the whole state as the domain folds it.

CREATE TABLE grants (
    id        TEXT PRIMARY KEY,
    revision  INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    -- The grant's aggregate as JSON.
    state     TEXT NOT NULL,
    client_id TEXT GENERATED ALWAYS AS (state ->> '$.Given.client_id') VIRTUAL,
    member_id TEXT GENERATED ALWAYS AS (state ->> '$.Given.member_id') VIRTUAL,
    ended_at  TEXT GENERATED ALWAYS AS (state ->> '$.Given.ended_at') VIRTUAL
) STRICT;
