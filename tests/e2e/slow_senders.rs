//! Requests whose body comes late: what the sender could do has ended meanwhile.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Service, client_body,
    http::{CLIENTS, answer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A request of which all has arrived but the end of its body.
struct Begun {
    connection: TcpStream,
    rest: String,
}

impl Begun {
    /// Sends what there is of it, and waits until the service has looked at that.
    async fn post(service: &Service, authorization: &str, path: &str, body: &Value) -> Self {
        let address = service.base.trim_start_matches("http://");
        let body = body.to_string();
        let (first, rest) = body.split_at(1);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {authorization}\r\n\
             content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{first}",
            body.len()
        );
        let mut connection = TcpStream::connect(address).await.expect("a connection");
        connection.write_all(head.as_bytes()).await.expect("the beginning");
        tokio::time::sleep(std::time::Duration::from_millis(800)).await;
        Self { connection, rest: rest.to_owned() }
    }

    async fn as_member(service: &Service, token: &str, path: &str, body: &Value) -> Self {
        Self::post(service, &format!("Bearer {token}"), path, body).await
    }

    /// Sends the rest; answers the status and all that came.
    async fn ended(mut self) -> (u16, String) {
        self.connection.write_all(self.rest.as_bytes()).await.expect("the rest");
        let mut answer = String::new();
        self.connection.read_to_string(&mut answer).await.expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.expect("a status"), answer)
    }
}

async fn token_ids(service: &Service, member: &str) -> Vec<String> {
    let shown = service.get(&format!("/api/v1/members/{member}")).await.expect(200);
    let tokens = shown.body["tokens"].as_array().expect("tokens").iter();
    let live = tokens.filter(|token| token["revoked_at"].is_null());
    live.map(|token| token["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn o5_a_token_that_is_revoked_while_its_request_comes_leaves_nothing_behind() {
    let service = Service::start().await;
    let (ada, token) = service.create_member("Ada", &["integration_manager"]).await;
    let (client, _) = service.create_client("Matter sync").await;
    let tokens = format!("/api/v1/members/{ada}/tokens");
    let own = json!({ "label": "again", "expires_in_seconds": 600 });
    let begun = [
        Begun::as_member(&service, &token, &tokens, &own).await,
        Begun::as_member(&service, &token, CLIENTS, &client_body("Left behind")).await,
        Begun::as_member(&service, &token, &format!("{CLIENTS}/{client}/deactivate"), &json!({})).await,
        // Nor does who has ended learn anything, or have it recorded that it was refused.
        Begun::as_member(&service, &token, CLIENTS, &client_body("Matter sync")).await,
        Begun::as_member(&service, &token, CLIENTS, &json!({ "client_name": "" })).await,
    ];
    let id = token_ids(&service, &ada).await.remove(0);
    service.delete(&format!("{tokens}/{id}")).await.expect(200);
    for begun in begun {
        let (status, text) = begun.ended().await;
        assert_eq!(status, 401, "{text}");
        assert!(text.contains("urn:muniment:problem:unauthenticated"), "{text}");
    }
    assert!(token_ids(&service, &ada).await.is_empty());
    let after = service.get(&format!("/api/v1/audit/events?actor={ada}")).await.expect(200);
    assert_eq!(after.body["items"], json!([]), "{}", after.text);
    let refused =
        service.get("/api/v1/activity?kind=member_authentication&reason=not_live").await.expect(200);
    assert_eq!(refused.body["items"].as_array().map(Vec::len), Some(5), "{}", refused.text);
    service.finish().await;
}

#[tokio::test]
async fn o5_an_administrator_who_is_deactivated_while_a_request_comes_makes_nobody() {
    let service = Service::start().await;
    let (eve, token) = service.create_member("Eve", &["administrator"]).await;
    let (other, _) = service.create_member("Other", &["auditor"]).await;
    let member = json!({ "name": "Mallory", "email": "mallory@members.example", "roles": ["administrator"] });
    let issued = json!({ "label": "later", "expires_in_seconds": 600 });
    let begun = [
        Begun::as_member(&service, &token, "/api/v1/members", &member).await,
        Begun::as_member(&service, &token, &format!("/api/v1/members/{other}/tokens"), &issued).await,
    ];
    service.post(&format!("/api/v1/members/{eve}/deactivate"), &json!({})).await.expect(200);
    for begun in begun {
        let (status, text) = begun.ended().await;
        assert_eq!(status, 401, "{text}");
    }
    let after = service.get(&format!("/api/v1/audit/events?actor={eve}")).await.expect(200);
    assert_eq!(after.body["items"], json!([]), "{}", after.text);
    service.finish().await;
}

#[tokio::test]
async fn l1_what_changes_of_a_member_while_its_request_comes_counts_only_if_it_takes_something_away() {
    let service = Service::start().await;
    let (ada, token) = service.create_member("Ada", &["integration_manager"]).await;
    let begun = Begun::as_member(&service, &token, CLIENTS, &client_body("Goes through")).await;
    let tokens = format!("/api/v1/members/{ada}/tokens");
    let another = json!({ "label": "another", "expires_in_seconds": 600 });
    service.post(&tokens, &another).await.expect(201);
    let (status, text) = begun.ended().await;
    assert_eq!(status, 201, "{text}");

    let begun = Begun::as_member(&service, &token, CLIENTS, &client_body("Does not")).await;
    let put = service.request(Method::PUT, &format!("/api/v1/members/{ada}/roles"));
    let roles = json!({ "roles": ["auditor"] });
    answer(put.header("if-match", "*").json(&roles)).await.expect(200);
    let (status, text) = begun.ended().await;
    assert_eq!(status, 409, "{text}");
    assert!(text.contains("urn:muniment:problem:contended"), "{text}");
    let again = service.request_as(&token, Method::POST, CLIENTS).json(&client_body("Does not"));
    answer(again).await.expect_problem(403, "permission_denied");
    service.finish().await;
}

#[tokio::test]
async fn o5_nothing_is_signed_for_whom_a_secret_or_token_was_taken_from_while_the_payload_came() {
    let service = Service::start().await;
    let (client, created) = service.create_client("Matter sync").await;
    let (ada, token) = service.create_member("Ada", &["administrator"]).await;
    let payload = json!({ "payload": "some text" });
    let signs = format!("{CLIENTS}/{client}/payloads/sign");
    let sign = || service.request_as(&token, Method::POST, &signs).json(&payload);
    answer(sign()).await.expect(200);
    let by_member = Begun::as_member(&service, &token, &signs, &payload).await;
    let basic = format!("{client}:{}", created.text_of("/client_secret"));
    let basic = format!("Basic {}", STANDARD.encode(basic));
    let by_client = Begun::post(&service, &basic, "/sandbox/client/payloads/sign", &payload).await;
    let secret = service.get(&format!("{CLIENTS}/{client}")).await.expect(200);
    let secret = secret.text_of("/secrets/0/id").to_owned();
    let revoke = format!("{CLIENTS}/{client}/secrets/{secret}?allow_lockout=true");
    service.delete(&revoke).await.expect(200);
    let id = token_ids(&service, &ada).await.remove(0);
    service.delete(&format!("/api/v1/members/{ada}/tokens/{id}")).await.expect(200);
    let (status, text) = by_client.ended().await;
    assert_eq!(status, 401, "{text}");
    let (status, text) = by_member.ended().await;
    assert_eq!(status, 401, "{text}");
    service.finish().await;
}
