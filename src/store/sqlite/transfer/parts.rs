//! In which file, and how, each part is kept.

use crate::transfer::{Kept, Part};

#[derive(Clone, Copy)]
pub(in crate::sqlite) enum File {
    Log,
    Keys,
    Activity,
}

/// The file of a part, and how it is kept there. A statement's parameters are the first values of a row.
pub(in crate::sqlite) fn kept(part: Part) -> (File, Kept) {
    match part {
        Part::Entries => (
            File::Log,
            Kept {
                columns: "position, name, revision, entry",
                from: "events JOIN streams ON number = stream",
                key: "position",
                add: &[
                    "INSERT INTO streams (name) SELECT ?2 WHERE ?1 > 0 AND ?3 = 1",
                    "INSERT INTO events (position, stream, revision, entry)
                     VALUES (?1, (SELECT number FROM streams WHERE name = ?2), ?3, ?4)",
                ],
                remove: &[],
            },
        ),
        Part::Commands => (
            File::Log,
            Kept {
                columns: "command_id, first_position, last_position",
                from: "commands",
                key: "command_id",
                add: &["INSERT INTO commands (command_id, first_position, last_position) VALUES (?1, ?2, ?3)"],
                remove: &[],
            },
        ),
        Part::Disclosures => (
            File::Log,
            Kept {
                columns: "command_position, digest, person, event_key, sealed",
                from: "disclosures",
                key: "command_position, digest",
                add: &["INSERT INTO disclosures (command_position, digest, person, event_key, sealed)
                        VALUES (?1, ?2, ?3, ?4, ?5)"],
                remove: &[],
            },
        ),
        Part::Claims => (
            File::Log,
            Kept {
                columns: "namespace, key, name",
                from: "claims JOIN streams ON number = stream",
                key: "namespace, key",
                add: &["INSERT INTO claims (namespace, key, stream)
                        VALUES (?1, ?2, (SELECT number FROM streams WHERE name = ?3))"],
                remove: &["DELETE FROM claims WHERE namespace = ?1 AND key = ?2"],
            },
        ),
        Part::Credentials => (
            File::Log,
            Kept {
                columns: "id, sealed",
                from: "credentials",
                key: "id",
                add: &["INSERT INTO credentials (id, sealed) VALUES (?1, ?2)"],
                remove: &["DELETE FROM credentials WHERE id = ?1"],
            },
        ),
        Part::LookupTokens => (
            File::Log,
            Kept {
                columns: "token, person, first_position, last_position",
                from: "lookup_tokens",
                key: "token, person, first_position",
                add: &["INSERT INTO lookup_tokens (token, person, first_position, last_position)
                        VALUES (?1, ?2, ?3, ?4)"],
                remove: &["DELETE FROM lookup_tokens WHERE token = ?1 AND person = ?2 AND first_position = ?3"],
            },
        ),
        Part::DataKeys => (
            File::Keys,
            Kept {
                columns: "ordinal, id, purpose, wrapped",
                from: "(SELECT row_number() OVER (ORDER BY number) AS ordinal, id, purpose, wrapped FROM data_keys)",
                key: "ordinal",
                add: &["INSERT INTO data_keys (id, purpose, wrapped) SELECT ?2, ?3, ?4 WHERE ?1 > 0"],
                remove: &[],
            },
        ),
        Part::PersonKeys => (
            File::Keys,
            Kept {
                columns: "person, token, wrapped",
                from: "person_keys",
                key: "person",
                add: &["INSERT INTO person_keys (person, token, wrapped) VALUES (?1, ?2, ?3)"],
                remove: &["DELETE FROM person_keys WHERE person = ?1", TO_BE_WIPED],
            },
        ),
        Part::EventKeys => (
            File::Keys,
            Kept {
                columns: "slot, wrapped",
                from: "event_keys",
                key: "slot",
                add: &["INSERT INTO event_keys (slot, wrapped) VALUES (?1, ?2)"],
                remove: &["DELETE FROM event_keys WHERE slot = ?1", TO_BE_WIPED],
            },
        ),
        Part::LastEventKey => (
            File::Keys,
            Kept {
                columns: "only_row, last_event_key",
                from: "(SELECT only_row, last_event_key FROM key_file WHERE last_event_key > 0)",
                key: "only_row",
                add: &["UPDATE key_file SET last_event_key = ?2 WHERE only_row = ?1"],
                // A higher one takes its place.
                remove: &[],
            },
        ),
        Part::Activity => (
            File::Activity,
            Kept {
                columns: "position, at, kind, outcome, reason, environment, client, credential, request_id, count,
                          since, source_token, source, token, grant_id, scope",
                from: "activity",
                key: "position",
                add: &["INSERT INTO activity (position, at, kind, outcome, reason, environment, client, credential,
                                              request_id, count, since, source_token, source, token, grant_id, scope)
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"],
                remove: &[],
            },
        ),
        Part::LastUsed => (
            File::Activity,
            Kept {
                columns: "credential, client, at",
                from: "last_used",
                key: "credential",
                add: &["INSERT INTO last_used (credential, client, at) VALUES (?1, ?2, ?3)"],
                remove: &["DELETE FROM last_used WHERE credential = ?1"],
            },
        ),
        Part::Segments => (
            File::Activity,
            Kept {
                columns: "number, first_position, last_position, root",
                from: "segments",
                key: "number",
                add: &["INSERT INTO segments (number, first_position, last_position, root)
                        VALUES (?1, ?2, ?3, ?4)"],
                remove: &[],
            },
        ),
        Part::Vouchers => (
            File::Activity,
            Kept {
                columns: "kind, id, data, expires_at, spent_at",
                from: "vouchers",
                key: "kind, id",
                add: &["INSERT INTO vouchers (kind, id, data, expires_at, spent_at) VALUES (?1, ?2, ?3, ?4, ?5)"],
                remove: &["DELETE FROM vouchers WHERE kind = ?1 AND id = ?2"],
            },
        ),
        Part::Counts => (
            File::Activity,
            Kept {
                columns: "key, count, expires_at",
                from: "counts",
                key: "key",
                add: &["INSERT INTO counts (key, count, expires_at) VALUES (?1, ?2, ?3)"],
                remove: &["DELETE FROM counts WHERE key = ?1"],
            },
        ),
    }
}

const TO_BE_WIPED: &str = "UPDATE key_file SET to_be_wiped = 1";
