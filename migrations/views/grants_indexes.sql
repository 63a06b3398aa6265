-- Those that live, which is what is asked for.
CREATE INDEX IF NOT EXISTS grants_of_clients ON grants (client_id, id) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS grants_of_members ON grants (member_id, id) WHERE ended_at IS NULL;
