-- Each ends in the position, which is the row's own key: hits come in the order of the feed.

CREATE INDEX IF NOT EXISTS audit_by_client ON audit_events (client) WHERE client IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_by_actor ON audit_events (actor);
CREATE INDEX IF NOT EXISTS audit_by_type ON audit_events (type);
CREATE INDEX IF NOT EXISTS audit_by_ticket ON audit_events (ticket) WHERE ticket IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_by_request ON audit_events (request);
