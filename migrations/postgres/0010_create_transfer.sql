-- A log is being moved here; see `sqlite/0009_create_transfer.sql`.

CREATE TABLE transfer (
  only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT transfer_is_one_row CHECK (only_row)
);

CREATE FUNCTION log_keeps_its_identity() RETURNS trigger LANGUAGE plpgsql SET search_path = muniment, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM transfer) OR EXISTS (SELECT FROM log_events) THEN
    RAISE EXCEPTION 'the identity of a log is never changed' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;

DROP TRIGGER log_is_not_changed ON log;
CREATE TRIGGER log_is_not_changed BEFORE UPDATE ON log FOR EACH ROW EXECUTE FUNCTION log_keeps_its_identity();
CREATE TRIGGER log_is_not_removed BEFORE DELETE OR TRUNCATE ON log
EXECUTE FUNCTION refuse('the identity of a log is never changed or removed');
