-- In the order of the list, with everything its filters look at: a search reads the states of its hits alone.

CREATE INDEX IF NOT EXISTS clients_by_age
    ON clients (environment, created_at, client_id, status, client_type, name_folded);
