-- In the order of the list of those that hold a scope.

CREATE INDEX IF NOT EXISTS client_scopes_by_age ON client_scopes (environment, scope, created_at, client_id);
