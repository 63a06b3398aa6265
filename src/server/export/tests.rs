use proptest::prelude::*;
use serde_json::{Value, json, value::to_raw_value};
use sha2::{Digest, Sha256};
use store::Position;

use super::{Exporter, Format, csv::harmless};

fn entry(event_type: &str, ticket: &str) -> Vec<u8> {
    let entry = json!({
        "actor": { "id": "0193", "kind": "member", "via": "token:t1" }, "at": "2026-11-20T22:13:25.123456Z",
        "command_id": "0193b4a2-7c00-7000-8000-000000000001", "correlation_id": "0193b4a2-7c00-7000-8000-000000000002",
        "data": { "client_name": "=1+1" }, "environment": "sandbox", "id": "0193b4a2-7c00-7000-8000-000000000003",
        "outcome": "done", "request_id": "-1", "revision": 1, "salt": "AAAAAAAAAAAAAAAAAAAAAA", "stream": "client-7",
        "ticket": ticket, "type": event_type, "v": 1,
    });
    entry.to_string().into_bytes()
}

/// An export of two events; its last record apart.
fn export(format: Format) -> (Vec<u8>, Vec<u8>) {
    let source = "https://oauth.example.com/api/v1/audit/events".to_owned();
    let mut exporter = Exporter::new(format, source, Position::new(1), Position::new(9));
    let private =
        to_raw_value(&json!([{ "digest": "d", "name": "reason", "value": "rotation day" }])).unwrap();
    let mut whole = exporter.begin().unwrap();
    whole.extend(exporter.event(Position::new(4), &entry("client.created", "@x"), None).unwrap());
    let second = entry("client.secret_rotated", "INC-42");
    whole.extend(exporter.event(Position::new(5), &second, Some(&private)).unwrap());
    (whole, exporter.end().unwrap())
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a5_the_last_record_counts_the_events_and_digests_all_before_it() {
    for (format, pointer) in
        [(Format::Ndjson, "/export"), (Format::CloudEvents, "/data"), (Format::Ocsf, "/unmapped/export")]
    {
        let (whole, last) = export(format);
        let last = lines(&last);
        let end = last[0].pointer(pointer).unwrap();
        let digest: String = Sha256::digest(&whole).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(*end, json!({ "events": 2, "from": 1, "to": 9, "sha256": digest }), "{format:?}");
    }
    let (whole, last) = export(Format::Csv);
    let digest: String = Sha256::digest(&whole).iter().map(|byte| format!("{byte:02x}")).collect();
    let last = String::from_utf8(last).unwrap();
    assert!(last.starts_with("\"export\",") && last.contains(&digest), "{last}");
}

#[test]
fn a5_an_entry_is_exported_byte_for_byte() {
    let (whole, _) = export(Format::Ndjson);
    let text = String::from_utf8(whole).unwrap();
    assert!(text.contains(std::str::from_utf8(&entry("client.created", "@x")).unwrap()));
    assert_eq!(lines(text.as_bytes())[1]["private"][0]["value"], "rotation day");
}

#[test]
fn a5_cloudevents_have_what_the_specification_demands() {
    let (whole, _) = export(Format::CloudEvents);
    let event = &lines(&whole)[0];
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["id"], "0193b4a2-7c00-7000-8000-000000000003");
    assert_eq!(event["source"], "https://oauth.example.com/api/v1/audit/events");
    assert_eq!(event["type"], "muniment.client.created");
    assert_eq!(event["subject"], "client-7");
    assert_eq!(event["time"], "2026-11-20T22:13:25.123456Z");
    assert_eq!(event["sequence"], "00000000000000000004");
    assert_eq!(event["data"]["entry"]["type"], "client.created");
}

#[test]
fn a5_ocsf_events_are_entity_management_of_one_version() {
    let (whole, _) = export(Format::Ocsf);
    let events = lines(&whole);
    for (event, activity) in events.iter().zip([1, 3]) {
        assert_eq!(event["metadata"]["version"], "1.1.0");
        assert_eq!((&event["class_uid"], &event["category_uid"]), (&json!(3_004), &json!(3)));
        assert_eq!(event["activity_id"], activity);
        assert_eq!(event["type_uid"], 300_400 + activity);
        assert_eq!(
            event["entity"],
            json!({
                "uid": "7", "type": "client", "version": "1", "data": { "client_name": "=1+1" },
            })
        );
        assert_eq!(event["actor"]["user"]["uid"], "0193");
    }
    assert_eq!(events[1]["comment"], "rotation day");
    assert_eq!(events[0]["raw_data"].as_str().unwrap().as_bytes(), entry("client.created", "@x"));
}

proptest! {
    /// Written, read by a reader of RFC 4180, one apostrophe taken away: every value comes back, and no cell is one that a
    /// spreadsheet calculates.
    #[test]
    fn a5_a_csv_cell_is_no_formula_and_comes_back(ticket in "[-=+@\t\r\n'\"a,;é ]{0,8}") {
        let mut exporter = Exporter::new(Format::Csv, String::new(), Position::new(1), Position::new(1));
        let mut bytes = exporter.begin().unwrap();
        bytes.extend(exporter.event(Position::new(1), &entry("client.created", &ticket), None).unwrap());
        let mut reader = ::csv::Reader::from_reader(&*bytes);
        let column = reader.headers().unwrap().iter().position(|name| name == "ticket").unwrap();
        let row = reader.records().next().unwrap().unwrap();
        for cell in &row {
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{cell:?}");
        }
        let cell = &row[column];
        prop_assert_eq!(cell.strip_prefix('\'').unwrap_or(cell), &ticket);
        prop_assert_eq!(harmless(&ticket), cell);
    }
}
