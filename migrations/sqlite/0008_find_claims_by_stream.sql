-- A stream gives up what it holds in a namespace whatever the key is, so claims are found by their holder as well.

CREATE INDEX claims_by_stream ON claims (stream, namespace);

-- A client secret leads to its client, from now on by a claim that is taken with it. Those that were issued before take
-- theirs here; the first holder of an id keeps it, as it would have then.

INSERT OR IGNORE INTO claims (namespace, key, stream)
SELECT 'client_secret', json_extract(CAST(entry AS TEXT), '$.data.secret.id'), stream
FROM events
WHERE json_extract(CAST(entry AS TEXT), '$.type')
      IN ('client.created', 'client.secret_issued', 'client.secret_rotated')
  AND json_extract(CAST(entry AS TEXT), '$.data.secret.id') IS NOT NULL
ORDER BY position;
