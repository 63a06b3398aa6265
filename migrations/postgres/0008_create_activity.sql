-- What clients do; see `sqlite_activity/0001_create_activity.sql`. It has a head, and so a lock, of its own.

CREATE TABLE activity_head (
  only_row boolean PRIMARY KEY DEFAULT true CONSTRAINT activity_head_is_one_row CHECK (only_row),
  position bigint NOT NULL DEFAULT 0,
  -- No record may be earlier: the time of the last one, and where the last closed segment ends.
  not_before bigint NOT NULL DEFAULT -9223372036854775808
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

INSERT INTO activity_head DEFAULT VALUES;

CREATE TABLE activity (
  position bigint PRIMARY KEY CONSTRAINT position_counts_from_1 CHECK (position >= 1),
  at bigint NOT NULL,
  kind text NOT NULL,
  outcome text NOT NULL CONSTRAINT outcome_is_known CHECK (outcome IN ('done', 'refused')),
  reason text,
  environment text,
  client text COLLATE "C",
  credential text COLLATE "C",
  request_id text,
  count bigint NOT NULL CONSTRAINT something_happened CHECK (count >= 1),
  since bigint,
  source_token bytea,
  source bytea
);

-- Each of them is in the order of the feed.
CREATE INDEX activity_of_clients ON activity (client, position) WHERE client IS NOT NULL;
CREATE INDEX activity_of_credentials ON activity (credential, position) WHERE credential IS NOT NULL;
CREATE INDEX activity_of_sources ON activity (source_token, position) WHERE source_token IS NOT NULL;
CREATE INDEX activity_refused ON activity (position) WHERE outcome = 'refused';

CREATE TRIGGER activity_is_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON activity
EXECUTE FUNCTION refuse('activity is never changed or removed');

-- Written with the record of the use, so that "never used" is never an old answer.
CREATE TABLE last_used (
  credential text COLLATE "C" PRIMARY KEY,
  client text COLLATE "C" NOT NULL,
  at bigint NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX last_used_by_clients ON last_used (client);

-- Keyed digests of secrets that were verified once. Any of them may be lost: it costs one more verification.
CREATE TABLE verified (
  credential text COLLATE "C" PRIMARY KEY,
  digest bytea NOT NULL
);

CREATE TABLE segments (
  number bigint PRIMARY KEY,
  first_position bigint NOT NULL,
  last_position bigint NOT NULL,
  root bytea NOT NULL CONSTRAINT root_is_32_bytes CHECK (octet_length(root) = 32)
);

CREATE TRIGGER segments_are_not_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON segments
EXECUTE FUNCTION refuse('closed segments are never changed or removed');

-- Records a batch in one transaction of one round trip, and answers the position before its first record. Of a credential that
-- was used or verified more than once in the batch, the last time alone is given.
CREATE FUNCTION record_activity(
  now_at bigint,
  kinds text[], outcomes text[], reasons text[], environments text[], clients text[], credentials text[],
  request_ids text[], counts bigint[], sinces bigint[], source_tokens bytea[], sources bytea[],
  used_credentials text[], used_clients text[],
  verified_credentials text[], digests bytea[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
DECLARE
  before bigint;
  recorded_at bigint;
BEGIN
  IF cardinality(kinds) > 0 THEN
    UPDATE activity_head SET position = position + cardinality(kinds), not_before = greatest(not_before, now_at)
    RETURNING position - cardinality(kinds), not_before INTO STRICT before, recorded_at;
    INSERT INTO activity (position, at, kind, outcome, reason, environment, client, credential, request_id, count, since,
                          source_token, source)
    SELECT before + item, recorded_at, kind, outcome, reason, environment, client, credential, request_id, count, since,
           source_token, source
    FROM unnest(kinds, outcomes, reasons, environments, clients, credentials, request_ids, counts, sinces, source_tokens,
                sources)
         WITH ORDINALITY AS added (kind, outcome, reason, environment, client, credential, request_id, count, since,
                                   source_token, source, item);
    INSERT INTO last_used (credential, client, at)
    SELECT credential, client, recorded_at FROM unnest(used_credentials, used_clients) AS used (credential, client)
    ON CONFLICT (credential) DO UPDATE SET at = excluded.at;
  ELSE
    SELECT position INTO STRICT before FROM activity_head;
  END IF;
  -- In one order, so that two nodes never wait for each other.
  INSERT INTO verified (credential, digest)
  SELECT credential, digest FROM unnest(verified_credentials, digests) AS seen (credential, digest) ORDER BY credential
  ON CONFLICT (credential) DO UPDATE SET digest = excluded.digest;
  RETURN before;
END $$;

-- Fixes the root of a segment, unless it is fixed or has got more records.
CREATE FUNCTION close_segment(
  segment bigint, first_of_segment bigint, last_of_segment bigint, root_of_segment bytea, ends_at bigint
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
DECLARE
  head bigint;
BEGIN
  UPDATE activity_head SET not_before = greatest(not_before, ends_at) RETURNING position INTO STRICT head;
  INSERT INTO segments (number, first_position, last_position, root)
  SELECT segment, first_of_segment, last_of_segment, root_of_segment
  WHERE NOT EXISTS (SELECT 1 FROM activity WHERE position = last_of_segment + 1 AND at < ends_at)
  ON CONFLICT (number) DO NOTHING;
  RETURN head;
END $$;

-- The position of the first record at a moment or later; behind the last one if there is none. Times ascend with the
-- positions, so that no index on the time is kept.
CREATE FUNCTION first_activity_at(moment bigint) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
  low bigint := coalesce((SELECT min(position) FROM activity), 1);
  high bigint := coalesce((SELECT max(position) FROM activity), 0) + 1;
  middle bigint;
BEGIN
  WHILE low < high LOOP
    middle := low + (high - low) / 2;
    IF (SELECT at FROM activity WHERE position = middle) < moment THEN low := middle + 1; ELSE high := middle; END IF;
  END LOOP;
  RETURN low;
END $$;
