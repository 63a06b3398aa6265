-- The second table of the view of clients: secrets that would work but for their time. One row a secret with an end that
-- nobody revoked, of a client that was not deleted.

CREATE TABLE expiring_secrets (
    secret_id   TEXT NOT NULL,
    client_id   TEXT NOT NULL,
    environment TEXT NOT NULL,
    -- Microseconds since 1970.
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (client_id, secret_id)
) STRICT;
