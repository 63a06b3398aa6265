//! How each part is kept in the tables of a database.

use crate::transfer::{Kept, Part};

/// How a part is kept. Statements find rows in `added`, and the keys of others in `gone`, by the names of the part's columns.
pub(super) fn kept(part: Part) -> Kept {
    match part {
        Part::Entries => Kept {
            columns: "position, category || '-' || id, revision, entry",
            from: "log_events JOIN streams ON streams.number = log_events.stream",
            key: "position",
            add: &[
                "INSERT INTO streams (number, category, id)
                 SELECT position, split_part(stream, '-', 1), substr(stream, strpos(stream, '-') + 1)
                 FROM added WHERE revision = 1",
                "UPDATE log_head SET position = last.position, last_at = last.at
                 FROM (SELECT added.position,
                              (extract(epoch FROM (convert_from(entry, 'UTF8')::json ->> 'at')::timestamptz)
                               * 1000000)::bigint AS at
                       FROM added ORDER BY added.position DESC LIMIT 1) AS last",
                "INSERT INTO log_events (position, stream, revision, entry)
                 SELECT position, number, revision, entry
                 FROM added JOIN streams ON category = split_part(stream, '-', 1)
                                        AND id = substr(stream, strpos(stream, '-') + 1)",
            ],
            remove: &[],
        },
        Part::Commands => Kept {
            columns: "command_id, first_position, last_position",
            from: "commands",
            key: "command_id",
            add: &["INSERT INTO commands (command_id, first_position, last_position) SELECT * FROM added"],
            remove: &[],
        },
        Part::Disclosures => Kept {
            columns: "command_position, digest, person, event_key, sealed",
            from: "disclosures",
            key: "command_position, digest",
            add: &["INSERT INTO disclosures (command_position, digest, person, event_key, sealed)
                    SELECT * FROM added"],
            remove: &[],
        },
        Part::Claims => Kept {
            columns: "namespace, key, category || '-' || id",
            from: "claims JOIN streams ON number = stream",
            key: "namespace, key",
            add: &["INSERT INTO claims (namespace, key, stream)
                    SELECT namespace, key,
                           (SELECT number FROM streams WHERE category = split_part(stream, '-', 1)
                                                         AND id = substr(stream, strpos(stream, '-') + 1))
                    FROM added"],
            remove: &["DELETE FROM claims USING gone
                       WHERE claims.namespace = gone.namespace AND claims.key = gone.key"],
        },
        Part::Credentials => Kept {
            columns: "id, sealed",
            from: "credentials",
            key: "id",
            add: &["INSERT INTO credentials (id, sealed) SELECT * FROM added"],
            remove: &["DELETE FROM credentials USING gone WHERE credentials.id = gone.id"],
        },
        Part::LookupTokens => Kept {
            columns: "token, person, first_position, last_position",
            from: "lookup_tokens",
            key: "token, person, first_position",
            add: &["INSERT INTO lookup_tokens (token, person, first_position, last_position)
                    SELECT * FROM added"],
            remove: &["DELETE FROM lookup_tokens USING gone
                       WHERE lookup_tokens.token = gone.token AND lookup_tokens.person = gone.person
                             AND lookup_tokens.first_position = gone.first_position"],
        },
        Part::DataKeys => Kept {
            columns: "ordinal, id, purpose, wrapped",
            from: "(SELECT row_number() OVER (ORDER BY number) AS ordinal, id, purpose, wrapped
                    FROM data_keys) AS numbered",
            key: "ordinal",
            add: &["INSERT INTO data_keys (id, purpose, wrapped)
                    SELECT id, purpose, wrapped FROM added ORDER BY ordinal"],
            remove: &[],
        },
        Part::PersonKeys => Kept {
            columns: "person, token, wrapped",
            from: "person_keys",
            key: "person",
            add: &["INSERT INTO person_keys (person, token, wrapped) SELECT * FROM added"],
            remove: &["SELECT erase_keys(array_agg(person), '{}') FROM gone"],
        },
        Part::EventKeys => Kept {
            columns: "slot, wrapped",
            from: "event_keys",
            key: "slot",
            add: &["INSERT INTO event_keys (slot, wrapped) SELECT * FROM added"],
            remove: &["SELECT erase_keys('{}', array_agg(slot)) FROM gone"],
        },
        Part::LastEventKey => Kept {
            columns: "only_row, last_event_key",
            from: "(SELECT 1::bigint AS only_row, last_event_key FROM key_slots
                    WHERE last_event_key > 0) AS slots",
            key: "only_row",
            add: &["UPDATE key_slots SET last_event_key = added.last_event_key FROM added"],
            // A higher one takes its place.
            remove: &[],
        },
        Part::Activity => Kept {
            columns:
                "position, at, kind, outcome, reason, environment, client, credential, request_id, count,
                      since, source_token, source, token, grant_id, scope",
            from: "activity",
            key: "position",
            add: &[
                "INSERT INTO activity (position, at, kind, outcome, reason, environment, client, credential,
                                       request_id, count, since, source_token, source, token, grant_id, scope)
                 SELECT * FROM added",
                "UPDATE activity_head SET position = (SELECT max(added.position) FROM added),
                                          not_before = greatest(not_before, (SELECT max(at) FROM added))",
            ],
            remove: &[],
        },
        Part::LastUsed => Kept {
            columns: "credential, client, at",
            from: "last_used",
            key: "credential",
            add: &["INSERT INTO last_used (credential, client, at) SELECT * FROM added"],
            remove: &["DELETE FROM last_used USING gone WHERE last_used.credential = gone.credential"],
        },
        Part::Segments => Kept {
            columns: "number, first_position, last_position, root",
            from: "segments",
            key: "number",
            add: &[
                "INSERT INTO segments (number, first_position, last_position, root) SELECT * FROM added",
                // What comes is not earlier than the end of a day that is over.
                "UPDATE activity_head
                 SET not_before = greatest(not_before, (SELECT (max(number) + 1) * 86400000000 FROM added))",
            ],
            remove: &[],
        },
        Part::Vouchers => Kept {
            columns: "kind, id, data, expires_at, spent_at",
            from: "vouchers",
            key: "kind, id",
            add: &["INSERT INTO vouchers (kind, id, data, expires_at, spent_at) SELECT * FROM added"],
            remove: &[
                "DELETE FROM vouchers USING gone WHERE vouchers.kind = gone.kind AND vouchers.id = gone.id",
            ],
        },
        Part::Counts => Kept {
            columns: "key, count, expires_at",
            from: "counts",
            key: "key",
            add: &["INSERT INTO counts (key, count, expires_at) SELECT * FROM added"],
            remove: &["DELETE FROM counts USING gone WHERE counts.key = gone.key"],
        },
    }
}
