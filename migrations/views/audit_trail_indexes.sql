-- Each ends in the position, which is the row's own key: hits come in the order of the feed, and a search that combines
-- several leaps from hit to hit in each of them.

CREATE INDEX IF NOT EXISTS audit_by_type ON audit_events (type);
CREATE INDEX IF NOT EXISTS audit_by_actor ON audit_events (actor);
CREATE INDEX IF NOT EXISTS audit_by_subject ON audit_events (subject) WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_by_environment ON audit_events (environment) WHERE environment IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_by_responsible ON audit_events (responsible) WHERE responsible IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_by_ticket ON audit_events (ticket) WHERE ticket IS NOT NULL;
CREATE INDEX IF NOT EXISTS audit_by_request ON audit_events (request);
CREATE INDEX IF NOT EXISTS audit_by_correlation ON audit_events (correlation) WHERE correlation IS NOT NULL;
-- Done is the rule: who asks for it skips these.
CREATE INDEX IF NOT EXISTS audit_by_refusal ON audit_events (refused) WHERE refused = 1;
