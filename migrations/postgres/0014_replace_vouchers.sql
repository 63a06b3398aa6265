-- A voucher can become good for something else: how far a passkey has counted. A node of the version before writes the same data
-- again. As in `0013_create_vouchers`, but for the conflict of vouchers.

CREATE OR REPLACE FUNCTION append_activity(
  now_at bigint,
  kinds text[], outcomes text[], reasons text[], environments text[], clients text[], credentials text[],
  tokens text[], grants text[], scopes text[],
  request_ids text[], counts_of_records bigint[], sinces bigint[], source_tokens bytea[], sources bytea[],
  used_credentials text[], used_clients text[],
  verified_credentials text[], digests bytea[],
  voucher_kinds text[], voucher_ids text[], voucher_data bytea[], voucher_ends bigint[], voucher_spent bigint[],
  count_keys text[], new_counts bigint[], count_ends bigint[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muniment, pg_temp AS $$
DECLARE
  before bigint;
  recorded_at bigint;
BEGIN
  IF cardinality(kinds) > 0 THEN
    UPDATE activity_head SET position = position + cardinality(kinds), not_before = greatest(not_before, now_at)
    RETURNING position - cardinality(kinds), not_before INTO STRICT before, recorded_at;
    INSERT INTO activity (position, at, kind, outcome, reason, environment, client, credential, token, grant_id, scope,
                          request_id, count, since, source_token, source)
    SELECT before + item, recorded_at, kind, outcome, reason, environment, client, credential, token, grant_id, scope,
           request_id, count, since, source_token, source
    FROM unnest(kinds, outcomes, reasons, environments, clients, credentials, tokens, grants, scopes, request_ids,
                counts_of_records, sinces, source_tokens, sources)
         WITH ORDINALITY AS added (kind, outcome, reason, environment, client, credential, token, grant_id, scope,
                                   request_id, count, since, source_token, source, item);
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
  INSERT INTO vouchers (kind, id, data, expires_at, spent_at)
  SELECT * FROM unnest(voucher_kinds, voucher_ids, voucher_data, voucher_ends, voucher_spent)
  ON CONFLICT (kind, id)
  DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at, spent_at = excluded.spent_at;
  INSERT INTO counts (key, count, expires_at)
  SELECT * FROM unnest(count_keys, new_counts, count_ends)
  ON CONFLICT (key) DO UPDATE SET count = excluded.count, expires_at = excluded.expires_at;
  RETURN before;
END $$;
