//! What only a running server shows. The product's behaviours are tested end to end elsewhere, on the real binary.

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::testing::{CLIENTS, answer, client, serve};

#[tokio::test(flavor = "multi_thread")]
async fn l3_a_new_client_is_shown_with_its_secrets_once() {
    serve(async |served| {
        let created = served.post(CLIENTS, &client("Matter sync")).await.expect(201);
        assert_eq!(created.header("etag"), "\"1\"");
        assert_eq!(created.header("muniment-position"), created.body["position"].to_string());
        assert_eq!(created.header("muniment-views"), "");
        assert!(created.body["client_secret"].as_str().unwrap().starts_with("mcs_"));
        assert!(created.body["signing_secret"].as_str().unwrap().starts_with("whsec_"));
        assert_eq!(created.body["token_endpoint"], format!("{}/sandbox/token", served.base));
        let path = created.header("location");
        let read = served.get(path).await.expect(200);
        let mut shown_once = created.body.clone();
        for secret in ["client_secret", "signing_secret"] {
            assert!(shown_once.as_object_mut().unwrap().remove(secret).is_some());
        }
        assert_eq!(read.body, shown_once, "the view says what the command said");
        assert_eq!(read.header("etag"), "\"1\"");
        let named = served.get(&format!("{path}?include=private")).await.expect(200);
        assert_eq!(named.body["contacts"][0]["email"], "ops@example.com");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l3_a_repeated_request_is_answered_without_the_secret() {
    serve(async |served| {
        let send = |name: &str| {
            answer(
                served
                    .request(Method::POST, CLIENTS)
                    .header("Idempotency-Key", "\"k 1\"")
                    .json(&client(name)),
            )
        };
        let first = send("Matter sync").await.expect(201);
        let again = send("Matter sync").await.expect(201);
        assert_eq!(again.header("idempotent-replayed"), "true");
        assert_eq!(again.body["client_id"], first.body["client_id"]);
        assert!(again.body.get("client_secret").is_none() && again.body.get("signing_secret").is_none());
        assert_eq!(again.body["secret_recovery"], format!("{}/secrets", first.header("location")));
        send("Another").await.expect_problem(422, "idempotency_mismatch");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_with_the_id_of_its_request() {
    serve(async |served| {
        let post = || served.request(Method::POST, CLIENTS);
        let json = |body: &'static str| post().header("content-type", "application/json").body(body);
        let broken = answer(json("{\"client_name\":")).await.expect_problem(400, "malformed_request");
        assert_eq!(broken.broken(), [(String::new(), "malformed".to_owned())]);
        answer(json("{} {}")).await.expect_problem(400, "malformed_request");
        answer(post().body("x")).await.expect_problem(415, "unsupported_media_type");
        answer(post().json(&"x".repeat(70_000))).await.expect_problem(413, "body_too_large");
        answer(json("{\"contacts\":[{\"nmae\":1}]}")).await.expect_problem(422, "invalid_request");
        served.get(&format!("{CLIENTS}?cursor=forged")).await.expect_problem(400, "invalid_parameter");
        served.get("/api/v1/environments/nowhere/clients").await.expect_problem(404, "not_found");
        served.get(&format!("{CLIENTS}/not-an-id")).await.expect_problem(404, "not_found");
        served.get("/nothing").await.expect_problem(404, "not_found");
        let put =
            answer(served.request(Method::PUT, CLIENTS)).await.expect_problem(405, "method_not_allowed");
        assert_eq!(put.header("allow"), "POST, GET, HEAD");
        let own = answer(served.request(Method::GET, "/nothing").header("X-Request-Id", "mine-1")).await;
        assert_eq!(own.expect_problem(404, "not_found").body["request_id"], "mine-1");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l5_an_edit_needs_the_etag_of_what_was_seen() {
    serve(async |served| {
        let path = served.create("Matter sync").await;
        let patch = |if_match: &'static str, name: &str| {
            let request = served.request(Method::PATCH, &path).json(&json!({ "client_name": name }));
            answer(if if_match.is_empty() { request } else { request.header("If-Match", if_match) })
        };
        patch("", "B").await.expect_problem(428, "precondition_required");
        patch("W/\"1\"", "B").await.expect_problem(400, "invalid_header");
        assert_eq!(patch("\"1\"", "B").await.expect(200).header("etag"), "\"2\"");
        let late = patch("\"1\"", "C").await.expect_problem(412, "precondition_failed");
        assert_eq!(late.body["current_revision"], 2);
        assert_eq!(late.body["changed"][0]["type"], "client.name_changed");
        assert_eq!(late.body["changed"][0]["data"]["client_name"]["new"], "B");
        let null =
            served.request(Method::PATCH, &path).header("If-Match", "*").json(&json!({ "scope": null }));
        let null = answer(null).await.expect_problem(422, "invalid_request");
        assert_eq!(null.broken(), [("/scope".to_owned(), "null_not_allowed".to_owned())]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l5_one_redirect_uri_is_named_as_the_request_names_it() {
    serve(async |served| {
        let path = format!("{}/redirect_uris", served.create("Matter sync").await);
        let send = |method: Method, uri: &str| {
            answer(
                served.request(method, &path).header("If-Match", "*").json(&json!({ "redirect_uri": uri })),
            )
        };
        let wrong =
            send(Method::POST, "http://app.example.com/cb").await.expect_problem(422, "invalid_request");
        assert_eq!(wrong.broken(), [("/redirect_uri".to_owned(), "not_https".to_owned())]);
        let added = send(Method::POST, "https://b.example.com/cb").await.expect(200);
        assert_eq!(added.body["redirect_uris"][1], "https://b.example.com/cb");
        let removed = send(Method::DELETE, "https://b.example.com/cb").await.expect(200);
        assert_eq!(removed.body["redirect_uris"].as_array().unwrap().len(), 1);
        let again = served.request(Method::DELETE, &path).header("If-Match", removed.header("etag"));
        let again = again.json(&json!({ "redirect_uri": "https://b.example.com/cb" }));
        assert_eq!(answer(again).await.expect_problem(404, "not_found").body["resource"], "redirect_uri");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_a_deleted_client_is_gone_and_says_where_its_history_is() {
    serve(async |served| {
        let path = served.create("Matter sync").await;
        let paused =
            served.post(&format!("{path}/deactivate"), &json!({ "ticket": "INC-42" })).await.expect(200);
        let deleted = answer(served.request(Method::DELETE, &path)).await.expect(204);
        assert_eq!(deleted.header("etag"), "\"3\"");
        let gone = served.get(&path).await.expect_problem(410, "gone");
        let history = served.get(gone.body["history"].as_str().unwrap()).await.expect(200);
        assert_eq!(history.body["items"].as_array().unwrap().len(), 3);
        assert_eq!(history.body["next"], json!(null));
        let then = served.get(&format!("{path}?at={}", paused.header("muniment-position"))).await.expect(200);
        assert_eq!(then.body, paused.body, "as it was then");
        served.get(&format!("{path}?at=1&include=private")).await.expect_problem(404, "not_found");
        let listed = served.get(&format!("{CLIENTS}?status=deleted")).await.expect(200);
        assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l5_secrets_come_and_go_one_by_one() {
    serve(async |served| {
        let secrets = format!("{}/secrets", served.create("Matter sync").await);
        let issued =
            served.post(&secrets, &json!({ "overlap_seconds": 0, "label": "second" })).await.expect(201);
        assert_eq!(issued.body["client"]["secrets"][0]["state"], "revoked");
        assert_eq!(issued.body["secret"], issued.body["client"]["secrets"][1]);
        let location = issued.header("location");
        assert_eq!(location, format!("{secrets}/{}", issued.body["secret"]["id"].as_str().unwrap()));
        answer(served.request(Method::DELETE, location)).await.expect_problem(409, "last_secret");
        let meant = answer(served.request(Method::DELETE, &format!("{location}?allow_lockout=true")))
            .await
            .expect(200);
        assert!(meant.body.get("client_secret_expires_at").is_none(), "no secret works any more");
        answer(served.request(Method::POST, &secrets)).await.expect(201);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a4_the_feed_runs_forward_and_back_and_entries_are_byte_for_byte() {
    serve(async |served| {
        let path = served.create("Matter sync").await;
        let mut after = "0".to_owned();
        let mut positions = Vec::new();
        loop {
            let page = served
                .get(&format!("/api/v1/audit/events?order=asc&limit=7&after={after}"))
                .await
                .expect(200);
            let items = page.body["items"].as_array().unwrap();
            positions.extend(items.iter().map(|item| item["position"].as_u64().unwrap()));
            page.body["next"].as_str().unwrap().clone_into(&mut after);
            if items.is_empty() {
                break;
            }
        }
        let head = positions.len() as u64;
        assert_eq!(positions, (1..=head).collect::<Vec<_>>());
        assert_eq!(after, head.to_string());
        let one = served.get(&format!("/api/v1/audit/events/{head}")).await.expect(200);
        assert!(one.text.contains("\"entry\":{\"actor\":{\"id\":"), "canonical: {}", one.text);
        served.get(&format!("/api/v1/audit/events/{}", head + 9)).await.expect_problem(404, "not_found");
        let history = served.get(&format!("{path}/history?include=private")).await.expect(200);
        let parts = history.body["items"][0]["private"].as_array().unwrap();
        assert!(parts.iter().any(|part| part["name"] == "reason" && part["value"] == "first integration"));
        let unknown =
            served.get("/api/v1/audit/events?clinet=x").await.expect_problem(400, "invalid_parameter");
        assert_eq!(unknown.broken(), [("clinet".to_owned(), "unknown_parameter".to_owned())]);
        let wrong = served.get("/api/v1/audit/events?limit=x").await.expect_problem(400, "invalid_parameter");
        assert_eq!(wrong.broken(), [("limit".to_owned(), "malformed".to_owned())]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_can_demand_a_position() {
    serve(async |served| {
        let path = served.create("Matter sync").await;
        let at = |position: &'static str| {
            answer(served.request(Method::GET, &path).header("Muniment-Position", position))
        };
        at("1").await.expect(200);
        at("x").await.expect_problem(400, "invalid_header");
        let beyond = at("1000000").await.expect_problem(400, "invalid_header");
        assert_eq!(beyond.body["errors"][0]["detail"], "is beyond the end of the log");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_carry_what_keeps_browsers_from_harm_and_metrics_count() {
    serve(async |served| {
        let me = served.get("/api/v1/me").await.expect(200);
        assert_eq!(me.header("cache-control"), "no-store");
        assert_eq!(me.header("x-content-type-options"), "nosniff");
        assert!(me.header("content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(me.header("server"), "");
        let head = answer(served.request(Method::HEAD, "/api/v1/me")).await.expect(200);
        assert!(head.text.is_empty());
        served.create("Matter sync").await;
        answer(served.anonymous(Method::GET, "/api/v1/me")).await.expect_problem(401, "unauthenticated");
        assert_eq!(served.get("/readyz").await.expect(200).body["status"], "ready");
        let metrics = served.get("/metrics").await.expect(200).text;
        for line in [
            "http_requests_total{method=\"GET\",route=\"/api/v1/me\",status=\"2xx\"} 1",
            "commands_total{command=\"CreateClient\",result=\"done\"} 1",
            "authentication_failures_total{reason=\"missing\"} 1",
            "projection_halted{projection=\"clients\"} 0",
            "process_start_time_seconds ",
            "log_head_position ",
        ] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    serve(async |served| {
        let mut socket = TcpStream::connect(served.base.trim_start_matches("http://")).await.unwrap();
        let head = format!(
            "POST {CLIENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: 100\r\n\r\n{{",
            served.token
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 408");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a9_a_read_of_views_that_are_behind_says_so() {
    serve(async |served| {
        let path = served.create("Matter sync").await;
        let reads = [
            path.clone(),
            CLIENTS.to_owned(),
            format!("{path}/history"),
            "/api/v1/audit/events".to_owned(),
            "/api/v1/audit/events?order=asc&type=client.created".to_owned(),
        ];
        let from_the_log =
            [format!("{path}?at=1"), "/api/v1/audit/events?order=asc".to_owned(), "/api/v1/me".to_owned()];
        for read in &reads {
            assert_eq!(served.get(read).await.expect(200).header("muniment-views"), "", "{read}");
        }
        let deleted = served.create("Deleted").await;
        served.views.stop();
        let unseen = served.create("Too late").await;
        for read in &reads {
            assert_eq!(served.get(read).await.expect(200).header("muniment-views"), "behind", "{read}");
        }
        for read in &from_the_log {
            assert_eq!(served.get(read).await.header("muniment-views"), "", "{read}");
        }
        let missing = served.get(&unseen).await.expect_problem(404, "not_found");
        assert_eq!(missing.header("muniment-views"), "behind");
        answer(served.request(Method::DELETE, &deleted)).await.expect(204);
        served.views.start().unwrap();
        let end = served.get("/api/v1/projections").await.expect(200).body["items"][0]["head"].to_string();
        let seen = |path: &str| answer(served.request(Method::GET, path).header("Muniment-Position", &end));
        assert_eq!(seen(&unseen).await.expect(200).header("muniment-views"), "");
        assert_eq!(seen(&deleted).await.expect_problem(410, "gone").header("muniment-views"), "");
    })
    .await;
}

#[test]
fn the_document_says_which_answers_can_be_behind() {
    let document = serde_json::to_value(crate::openapi_document()).unwrap();
    let get =
        &document["paths"]["/api/v1/environments/{environment}/clients/{client_id}"]["get"]["responses"];
    for status in ["200", "404", "410"] {
        assert!(get[status]["headers"]["Muniment-Views"].is_object(), "{status}: {get}");
    }
    assert!(get["403"]["headers"].is_null(), "{get}");
    let me = &document["paths"]["/api/v1/me"]["get"]["responses"]["200"];
    assert!(me["headers"].is_null(), "{me}");
}
