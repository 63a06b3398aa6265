//! Taking the audit out: exports and the live feed.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tests::{
    Service,
    http::{CLIENTS, answer},
};
use tokio::time::timeout;

const EXPORT: &str = "/api/v1/audit/export";
const FOLLOW: &str = "/api/v1/audit/follow";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[tokio::test]
async fn a5_an_export_has_every_event_a_record_of_itself_and_an_end_that_proves_it_whole() {
    let service = Service::start().await;
    for number in 0..3 {
        service.create_client(&format!("Client {number}")).await;
    }
    let before = service.get("/api/v1/audit/events?limit=1").await.expect(200);
    let head = before.body["items"][0]["position"].as_u64().expect("a position");
    let export = service.get(EXPORT).await.expect(200);
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let name = format!("attachment; filename=\"muniment-audit-{head}.ndjson\"");
    assert_eq!(export.header("content-disposition"), name);
    let exported = lines(&export.text);
    let (last, events) = exported.split_last().expect("a last record");
    let positions: Vec<_> = events.iter().filter_map(|event| event["position"].as_u64()).collect();
    assert_eq!(positions, (1..=head).collect::<Vec<_>>());
    assert_eq!(last["export"]["events"], head);
    assert_eq!((&last["export"]["from"], &last["export"]["to"]), (&json!(1), &json!(head)));
    assert!(last["export"]["sha256"].as_str().is_some_and(|digest| digest.len() == 64));
    let recorded = service.get("/api/v1/audit/events?type=audit.exported").await.expect(200);
    assert_eq!(recorded.body["items"][0]["entry"]["data"]["format"], "ndjson");
    assert_eq!(recorded.body["items"][0]["entry"]["data"]["until"], head);

    // The same questions as the list takes; the filter stands in the record.
    let some = service.get(&format!("{EXPORT}?type=client.created&format=cloudevents")).await.expect(200);
    let some = lines(&some.text);
    let types: Vec<_> = some.iter().filter_map(|event| event["type"].as_str()).collect();
    let created = "muniment.client.created";
    assert_eq!(types, [created, created, created, "muniment.export.ended"]);
    let ocsf = service.get(&format!("{EXPORT}?type=client.created&format=ocsf")).await.expect(200);
    assert_eq!(lines(&ocsf.text)[0]["class_uid"], 3_004);
    let csv = service.get(&format!("{EXPORT}?format=csv&type=client.*&q=client")).await.expect(200);
    assert_eq!(csv.text.lines().count(), 1 + 3 + 1, "{}", csv.text);
    assert!(csv.text.lines().last().is_some_and(|line| line.starts_with("\"export\",")));
    service.get(&format!("{EXPORT}?type=client.vanished")).await.expect_problem(400, "invalid_parameter");
    service.get(&format!("{EXPORT}?format=xml")).await.expect_problem(400, "invalid_parameter");
    service.finish().await;
}

#[tokio::test]
async fn a5_an_export_opens_private_parts_for_who_may_and_is_compressed_for_who_asks() {
    let service = Service::start().await;
    service.create_client("Matter sync").await;
    let open = service.get(&format!("{EXPORT}?type=client.created&include=private")).await.expect(200);
    let event = &lines(&open.text)[0];
    let private = event["private"].as_array().expect("private parts");
    assert!(private.iter().any(|part| part["value"] == "first integration"), "{event}");
    let (_, reader) = service.create_member("Mild Manager", &["integration_manager"]).await;
    let asked = format!("{EXPORT}?include=private");
    let refused = answer(service.request_as(&reader, Method::GET, &asked)).await;
    refused.expect_problem(403, "permission_denied");
    let packed = service.request(Method::GET, EXPORT).header("accept-encoding", "gzip").send().await;
    let packed = packed.expect("an answer");
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let bytes = packed.bytes().await.expect("a body");
    assert_eq!(bytes[..2], [0x1f, 0x8b]);
    service.finish().await;
}

/// Reads until the feed has told `wanted`, and answers everything it told.
async fn told(feed: &mut Response, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let chunk = timeout(Duration::from_secs(30), feed.chunk()).await.expect("in time").expect("a chunk");
        let Some(chunk) = chunk else { return text };
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}

#[tokio::test]
async fn a5_a_follower_is_told_what_happens_goes_on_where_it_stopped_and_is_let_go_at_the_end() {
    let mut service = Service::start().await;
    let (first, created) = service.create_client("First").await;
    let position = created.header("muniment-position").to_owned();
    let follow = |after: &str| {
        let request = service.request(Method::GET, &format!("{FOLLOW}?type=client.*"));
        request.header("last-event-id", after.to_owned()).send()
    };
    let mut feed = follow("0").await.expect("an answer");
    assert_eq!(feed.headers()["content-type"], "text/event-stream");
    let past = told(&mut feed, "client.created").await;
    assert!(past.contains(&format!("id: {position}\ndata: {{\"position\":{position},")), "{past}");
    service.post(&format!("{CLIENTS}/{first}/deactivate"), &json!({})).await.expect(200);
    let live = told(&mut feed, "client.deactivated").await;
    assert!(!live.contains("client.created"), "{live}");
    let mut resumed = follow(&position).await.expect("an answer");
    let rest = told(&mut resumed, "client.deactivated").await;
    assert!(!rest.contains("client.created"), "{rest}");
    service.get(&format!("{FOLLOW}?after=1000000")).await.expect_problem(400, "invalid_parameter");
    service.get(&format!("{FOLLOW}?type=nothing.*")).await.expect_problem(400, "invalid_parameter");

    // A revoked token reads no further.
    let (member, token) = service.create_member("Brief Auditor", &["auditor"]).await;
    let mut brief = service.request_as(&token, Method::GET, FOLLOW).send().await.expect("an answer");
    told(&mut brief, "alive").await;
    let tokens = format!("/api/v1/members/{member}/tokens");
    let id = token.split('_').nth(1).expect("the id of a token").to_owned();
    service.delete(&format!("{tokens}/{id}")).await.expect(200);
    let end = told(&mut brief, "event: end").await;
    assert!(end.contains("\"reason\":\"unauthenticated\""), "{end}");

    service.stop().await;
    let end = told(&mut resumed, "event: end").await;
    assert!(end.contains("\"reason\":\"stopping\""), "{end}");
    service.finish().await;
}

/// What the API exports now, and the last position of it.
async fn exported(service: &Service, format: &str) -> (String, String) {
    let export = service.get(&format!("{EXPORT}?format={format}")).await.expect(200);
    let name = export.header("content-disposition").to_owned();
    let digits = |c: char| c.is_ascii_digit();
    (export.text, name.split(|c| !digits(c)).find(|part| !part.is_empty()).expect("a position").to_owned())
}

#[tokio::test]
async fn a5_the_command_line_exports_the_same_bytes_beside_a_service_and_without_one() {
    let mut service = Service::start().await;
    for number in 0..3 {
        service.create_client(&format!("=Client {number}")).await;
    }
    let mut exports = Vec::new();
    for format in ["ndjson", "csv", "cloudevents", "ocsf"] {
        let (text, until) = exported(&service, format).await;
        exports.push((format, text, until));
    }
    let public_url = ["--public-url", "https://oauth.example.com/"];
    let same = |service: &Service| {
        for (format, text, until) in &exports {
            let asked = ["export", "--format", format, "--to", until].into_iter().chain(public_url);
            let export = service.muniment(asked);
            assert_eq!(export.status.code(), Some(0), "{format}: {export:?}");
            assert_eq!(String::from_utf8_lossy(&export.stdout), *text, "{format}");
            assert_eq!(String::from_utf8_lossy(&export.stderr), "", "{format}");
        }
    };
    same(&service);
    service.stop().await;
    same(&service);

    // Neither left a record, and the help says so.
    service.launch().await;
    let recorded = service.get("/api/v1/audit/events?type=audit.exported").await.expect(200);
    assert_eq!(recorded.body["items"].as_array().map(Vec::len), Some(exports.len()), "{}", recorded.text);
    let help = tests::muniment(service.folder(), ["export", "--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("the log gets no record of it"), "{help:?}");

    let out = service.muniment(["export", "--from", "3", "--to", "5", "--out", "some.ndjson", "--json"]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let report: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert_eq!(
        report,
        json!({ "file": "some.ndjson", "format": "ndjson", "from": 3, "to": 5, "events": 3, "recorded": false })
    );
    let file = service.folder().join("some.ndjson");
    let some = lines(&std::fs::read_to_string(&file).expect("the file"));
    let positions: Vec<_> = some.iter().filter_map(|event| event["position"].as_u64()).collect();
    assert_eq!(positions, [3, 4, 5]);
    assert_eq!((&some[3]["export"]["from"], &some[3]["export"]["to"]), (&json!(3), &json!(5)));
    for (wrong, said) in [
        (["--out", "some.ndjson"], "some.ndjson"),
        (["--to", "1000000"], "the log ends at"),
        (["--from", "1000000"], "from 1 to"),
    ] {
        let refused = service.muniment(["export"].into_iter().chain(wrong));
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(said), "{refused:?}");
    }
    assert_eq!(service.muniment(["export", "--format", "xml"]).status.code(), Some(2));
    service.finish().await;
}
