use super::*;
use crate::conformance::sample::{complete, one};

fn written(commit: &Commit, revision: u64) -> String {
    let stream = &commit.streams[0];
    let template = EntryTemplate::new(commit, stream, &stream.events[0]).unwrap();
    let mut entry = "what was there before".to_owned();
    template.complete("2026-11-20T22:13:25.123456Z", Revision::new(revision), &mut entry);
    entry
}

#[test]
fn an_entry_is_canonical_with_and_without_what_is_optional() {
    for commit in [complete(), one(1, "a")] {
        let entry = written(&commit, 12_345);
        let value: serde_json::Value = serde_json::from_str(&entry).unwrap();
        assert_eq!(serde_json_canonicalizer::to_string(&value).unwrap(), entry);
    }
}

#[test]
fn the_length_of_an_entry_is_bounded_at_its_longest_revision() {
    let mut commit = one(1, "a");
    let padding = MAX_ENTRY - written(&commit, MAX_INTEGER).len() - ",\"ticket\":\"\"".len();
    commit.ticket = Some("x".repeat(padding));
    assert_eq!(written(&commit, MAX_INTEGER).len(), MAX_ENTRY);
    commit.ticket = Some("x".repeat(padding + 1));
    let stream = &commit.streams[0];
    let refused = EntryTemplate::new(&commit, stream, &stream.events[0]).unwrap_err();
    assert_eq!(
        refused,
        InvalidCommit::EntryTooLong { event_type: "client.renamed".to_owned(), bytes: MAX_ENTRY + 1 }
    );
}

#[test]
fn every_field_of_an_entry_is_decoded() {
    let entry = written(&complete(), 3);
    let envelope = crate::Envelope::parse(entry.as_bytes()).unwrap();
    let commit = complete();
    assert_eq!(envelope.command_id, commit.command_id);
    assert_eq!(envelope.causation_id, commit.causation_id);
    assert_eq!(envelope.request_id, "request \"66\"");
    assert_eq!(envelope.request_digest.as_deref(), commit.request_digest.as_deref());
    assert_eq!(
        (envelope.actor.kind, envelope.actor.via.as_deref()),
        (ActorKind::Member, Some("token:0193b"))
    );
    assert_eq!(
        (envelope.environment.as_deref(), envelope.responsible.as_deref()),
        (Some("sandbox"), Some("0193c"))
    );
    assert_eq!((envelope.ticket.as_deref(), envelope.revision), (Some("INC-42"), Revision::new(3)));
    assert_eq!(envelope.private, commit.streams[0].events[0].private);
    assert_eq!(envelope.data.get(), commit.streams[0].events[0].data.as_str());
    assert_eq!(crate::to_rfc3339(envelope.at), "2026-11-20T22:13:25.123456Z");
}
