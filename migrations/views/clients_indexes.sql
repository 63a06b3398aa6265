-- In the order of the list, with everything its filters look at: a search reads the states of its hits alone.

CREATE INDEX IF NOT EXISTS clients_by_age
    ON clients (environment, created_at, client_id, status, client_type, name_folded);

-- In the order of the list of those that a member answers for, in one environment or in all.

CREATE INDEX IF NOT EXISTS clients_by_responsible
    ON clients (responsible, created_at, client_id, status, environment, client_type, name_folded);
