-- In the order of the lists: what ends next, in one environment or in all.

CREATE INDEX IF NOT EXISTS expiring_secrets_by_environment
    ON expiring_secrets (environment, expires_at, client_id, secret_id);
CREATE INDEX IF NOT EXISTS expiring_secrets_by_end ON expiring_secrets (expires_at, client_id, secret_id);
