-- The log as postgres-es reads it. The payload is the whole entry, for the aggregate's event to find its time and actor.

CREATE VIEW events AS
SELECT streams.category AS aggregate_type,
       streams.id AS aggregate_id,
       log_events.revision AS sequence,
       decoded.entry ->> 'type' AS event_type,
       decoded.entry ->> 'v' AS event_version,
       decoded.entry AS payload,
       '{}'::json AS metadata
FROM streams
JOIN log_events ON log_events.stream = streams.number
CROSS JOIN LATERAL (SELECT convert_from(log_events.entry, 'UTF8')::json AS entry) AS decoded;
