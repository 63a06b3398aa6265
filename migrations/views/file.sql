-- What a views file says about itself: which schemas it was made with, how far each projection has come, and which
-- log it was folded from. There is no other step: a file of another schema is replaced, never altered.

CREATE TABLE meta (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    schema_digest TEXT NOT NULL,
    -- The last event that was folded, by the SHA-256 of its entry: it is no longer in the log after a restore of an
    -- older back-up, and then the file tells of a history that is not.
    tail_position INTEGER NOT NULL CHECK (tail_position >= 0),
    tail_digest   BLOB
) STRICT;

CREATE TABLE checkpoint (
    projection TEXT PRIMARY KEY,
    position   INTEGER NOT NULL CHECK (position >= 0),
    -- The event that could not be applied; it follows `position`.
    halted_at  INTEGER CHECK (halted_at = position + 1),
    cause      TEXT CHECK ((cause IS NULL) = (halted_at IS NULL))
) STRICT;
