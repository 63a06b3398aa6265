-- One row an event: only what a search of the audit looks at. The entries themselves are read from the log.

-- Ids, types and names occur in thousands of rows; each stands here once, numbered in order of appearance.
CREATE TABLE audit_words (
    number INTEGER PRIMARY KEY,
    word   TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE audit_events (
    position    INTEGER PRIMARY KEY,
    -- Microseconds since 1970.
    at          INTEGER NOT NULL,
    type        INTEGER NOT NULL,
    actor       INTEGER NOT NULL,
    -- The client that the event is about, be it of its own stream or a refused command that named it.
    client      INTEGER,
    environment INTEGER,
    responsible INTEGER,
    ticket      INTEGER,
    refused     INTEGER NOT NULL CHECK (refused IN (0, 1)),
    -- The first 64 bits of the SHA-256 of the request's id: a third of its size, and hits are compared in full.
    request     INTEGER NOT NULL
) STRICT;
