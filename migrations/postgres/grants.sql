-- What the service may do; run with every migration, `{role}` being its role. It reads everything, and changes nothing but by
-- functions and where keys are: it cannot insert, update, delete or truncate where the log is.

GRANT USAGE ON SCHEMA muniment TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA muniment TO {role};
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA muniment FROM PUBLIC;
GRANT EXECUTE ON FUNCTION append_to_log, lock_log, fence_log, probe_writing TO {role};
GRANT EXECUTE ON FUNCTION record_activity, close_segment, first_activity_at TO {role};
GRANT EXECUTE ON FUNCTION lock_activity, append_activity, forget_vouchers TO {role};
GRANT INSERT ON data_keys, person_keys, event_keys TO {role};
GRANT UPDATE ON key_slots TO {role};
GRANT EXECUTE ON FUNCTION erase_keys TO {role};
GRANT EXECUTE ON FUNCTION stage_batch, settle_batch, fence_companion TO {role};
