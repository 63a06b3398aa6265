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
    -- The stream that the event is about, be it its own or the one that a refused command named; none for notes about
    -- nothing in particular.
    subject     INTEGER,
    environment INTEGER,
    responsible INTEGER,
    ticket      INTEGER,
    refused     INTEGER NOT NULL CHECK (refused IN (0, 1)),
    -- The first 64 bits of the SHA-256 of the request's id: a third of its size, and hits are compared in full.
    request     INTEGER NOT NULL,
    -- The same of the correlation id; none where it is the request's id, as it mostly is.
    correlation INTEGER
) STRICT;

-- The words of the public data, by position. Contentless: the text itself is in the log. An index like any other, so
-- it is no part of digests and comparisons.
CREATE VIRTUAL TABLE audit_text USING fts5(words, content = '', columnsize = 0, detail = none, tokenize = 'ascii');
