//! Passwords of members: who sets whose, what is refused, and that nothing of one is ever written down.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Service, http::answer};

const FIRST: &str = "the first of her passwords";
const SECOND: &str = "the second of her passwords";

/// Sets a member's password with this token.
async fn set(service: &Service, token: &str, member: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/members/{member}/password");
    answer(service.request_as(token, Method::PUT, &path).json(body)).await
}

/// How many events of this type a member's stream has.
async fn events(service: &Service, member: &str, event_type: &str) -> usize {
    let path = format!("/api/v1/audit/events?type={event_type}&limit=500");
    let found = service.get(&path).await.expect(200);
    let stream = format!("member-{member}");
    let items = found.body["items"].as_array().expect("items");
    items.iter().filter(|item| item["entry"]["stream"] == stream.as_str()).count()
}

#[tokio::test]
async fn l1_a_member_sets_its_password_and_changes_it_only_if_it_knows_it() {
    let service = Service::start().await;
    let (ada, token) = service.create_member("Ada Lovelace", &["auditor"]).await;
    let path = format!("/api/v1/members/{ada}");
    assert_eq!(service.get(&path).await.expect(200).body["password_set_at"], json!(null));

    let own = async |body: Value| set(&service, &token, &ada, &body).await;
    let set_first = own(json!({ "password": FIRST, "ticket": "INC-42" })).await.expect(200);
    assert!(set_first.body["password_set_at"].is_string(), "{}", set_first.text);
    let broken = |answer: Answer| answer.expect_problem(422, "invalid_request").broken_rules();
    let rule = |pointer: &str, rule: &str| vec![(pointer.to_owned(), rule.to_owned())];
    assert_eq!(broken(own(json!({ "password": SECOND })).await), rule("/current_password", "required"));
    let wrong = json!({ "password": SECOND, "current_password": SECOND });
    assert_eq!(broken(own(wrong).await), rule("/current_password", "wrong_secret"));
    own(json!({ "password": SECOND, "current_password": FIRST })).await.expect(200);
    assert_eq!(events(&service, &ada, "member.password_set").await, 2);

    // Who manages members need not know it.
    set(&service, &service.token, &ada, &json!({ "password": FIRST })).await.expect(200);
    let delete = |token: &str, body: Value| {
        answer(service.request_as(token, Method::DELETE, &format!("{path}/password")).json(&body))
    };
    assert_eq!(broken(delete(&token, json!({})).await), rule("/current_password", "required"));
    let removed = delete(&token, json!({ "current_password": FIRST })).await.expect(200);
    assert_eq!(removed.body["password_set_at"], json!(null));
    delete(&service.token, json!({})).await.expect_problem(404, "no_password");
    assert_eq!(events(&service, &ada, "member.password_removed").await, 1);
    let doctor = service.muniment(["doctor"]);
    assert!(doctor.status.success(), "no credential is left over: {doctor:?}");
    service.finish().await;
}

#[tokio::test]
async fn l1_one_answer_says_what_a_password_must_be() {
    let service = Service::start().await;
    let (ada, _) = service.create_member("Ada Lovelace", &["auditor"]).await;
    for (password, rule) in [
        ("short", "too_short"),
        ("", "too_short"),
        ("Password1234", "guessable"),
        ("qwertyuiopas", "guessable"),
        ("Ada Lovelace", "guessable"),
        ("ada.lovelace@members.example", "guessable"),
        ("a line\nand another", "control_character"),
        (&"long enough ".repeat(100), "too_long"),
    ] {
        let refused = set(&service, &service.token, &ada, &json!({ "password": password })).await;
        let broken = refused.expect_problem(422, "invalid_request").broken_rules();
        assert_eq!(broken, [("/password".to_owned(), rule.to_owned())], "{password:?}");
    }
    // The same rules at the beginning, in one answer with everything else.
    let body =
        json!({ "name": "Grace Hopper", "email": "grace", "roles": ["auditor"], "password": "gracehopper1" });
    let refused = service.post("/api/v1/members", &body).await.expect_problem(422, "invalid_request");
    let broken = refused.broken_rules();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert!(broken.contains(&("/password".to_owned(), "guessable".to_owned())), "{broken:?}");
    // Seventeen letters with marks: as they are typed elsewhere, they are the same.
    let body = json!({ "password": "E\u{301}te\u{301} a\u{300} la me\u{300}re" });
    set(&service, &service.token, &ada, &body).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn l1_nobody_sets_the_password_of_who_can_do_more() {
    let service = Service::start().await;
    let (ada, token) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let tokens = format!("/api/v1/members/{ada}/tokens");
    let limited = json!({ "label": "ci", "permissions": ["clients:read"], "expires_in_seconds": 600 });
    let limited = answer(service.request_as(&token, Method::POST, &tokens).json(&limited)).await.expect(201);
    let (bob, of_bob) = service.create_member("Bob", &["auditor"]).await;
    let body = json!({ "password": FIRST });

    // Who signs in with it can do all that the roles allow: a token that cannot sets none.
    let with_limited = set(&service, limited.text_of("/token"), &ada, &body).await;
    with_limited.expect_problem(403, "grant_exceeds_own_permissions");
    set(&service, &of_bob, &ada, &body).await.expect_problem(403, "permission_denied");
    let people = json!({ "name": "people", "description": "Members", "permissions": ["members:write"] });
    service.post("/api/v1/roles", &people).await.expect(201);
    let (_, manager) = service.create_member("Manager", &["people"]).await;
    let above = set(&service, &manager, &ada, &body).await;
    above.expect_problem(403, "grant_exceeds_own_permissions");
    let nobody = "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e";
    set(&service, &service.token, nobody, &body).await.expect_problem(404, "not_found");
    assert_eq!(events(&service, &ada, "member.password_set").await, 0);

    service.post(&format!("/api/v1/members/{bob}/deactivate"), &json!({})).await.expect(200);
    set(&service, &service.token, &bob, &body).await.expect(200);
    // What tells about somebody goes with them.
    service.post(&format!("/api/v1/persons/{bob}/erase"), &json!({})).await.expect(200);
    assert_eq!(events(&service, &bob, "member.password_removed").await, 1);
    set(&service, &service.token, &bob, &body).await.expect_problem(409, "member_erased");
    service.finish().await;
}

#[tokio::test]
async fn a3_a_repeated_request_sets_a_password_once_and_nothing_of_it_is_kept() {
    let mut service = Service::start().await;
    let put = async |member: &str, key: &str, password: &str| {
        let request = service.request(Method::PUT, &format!("/api/v1/members/{member}/password"));
        answer(request.header("idempotency-key", key).json(&json!({ "password": password }))).await
    };
    let create = async |key: &str, password: &str| {
        let body = json!({ "name": "Ada", "email": "ada@members.example", "roles": ["auditor"], "password": password });
        answer(service.request(Method::POST, "/api/v1/members").header("idempotency-key", key).json(&body))
            .await
    };
    let ada = create("enrol", FIRST).await.expect(201).text_of("/member_id").to_owned();
    assert_eq!(create("enrol", FIRST).await.expect(201).text_of("/member_id"), ada);
    create("enrol", SECOND).await.expect_problem(422, "idempotency_mismatch");
    put(&ada, "change", SECOND).await.expect(200);
    put(&ada, "change", SECOND).await.expect(200);
    put(&ada, "change", FIRST).await.expect_problem(422, "idempotency_mismatch");
    assert_eq!(events(&service, &ada, "member.password_set").await, 2);
    service.stop().await;
    for file in files(&service.data()) {
        let bytes = std::fs::read(&file).expect("a file");
        let holds = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(![FIRST, SECOND, "$argon2id$"].into_iter().any(holds), "{}", file.display());
    }
    service.finish().await;
}

/// Every file under a folder that can be read.
fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn l1_a_device_is_enrolled_and_taken_away_and_its_codes_are_shown_once() {
    let service = Service::start().await;
    let (ada, token) = service.create_member("Ada Lovelace", &["auditor"]).await;
    let totp = format!("/api/v1/members/{ada}/totp");
    let ask = async |method: Method, path: &str, body: Value| {
        answer(service.request_as(&token, method, path).json(&body)).await
    };
    ask(Method::POST, &totp, json!({})).await.expect_problem(404, "no_password");
    set(&service, &token, &ada, &json!({ "password": FIRST })).await.expect(200);
    ask(Method::POST, &totp, json!({})).await.expect_problem(422, "invalid_request");
    ask(Method::DELETE, &totp, json!({ "current_password": FIRST })).await.expect_problem(404, "no_totp");
    let begun = ask(Method::POST, &totp, json!({ "current_password": FIRST })).await.expect(200);
    let secret = begun.text_of("/secret");
    let uri = begun.text_of("/otpauth_uri");
    assert!(uri.starts_with("otpauth://totp/Muniment:ada.lovelace%40members.example?"), "{uri}");
    let confirm = format!("{totp}/confirm");
    let id = begun.text_of("/enrolment_id");
    let body = json!({ "enrolment_id": id, "code": "12345" });
    let refused = ask(Method::POST, &confirm, body).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.broken_rules(), [("/code".to_owned(), "wrong_secret".to_owned())]);
    let body = json!({ "enrolment_id": id, "code": code_of(secret), "ticket": "INC-7" });
    let key = |body: &Value| {
        let request = service.request_as(&token, Method::POST, &confirm);
        answer(request.header("idempotency-key", "enrol").json(body))
    };
    let enrolled = key(&body).await.expect(200);
    let codes = enrolled.body["recovery_codes"].as_array().expect("codes").clone();
    assert_eq!(codes.len(), 10);
    assert!(enrolled.body["member"]["totp_enrolled_at"].is_string(), "{}", enrolled.text);
    let again = key(&body).await.expect(200);
    assert_eq!(again.body["recovery_codes"], json!(null), "shown once");
    ask(Method::POST, &confirm, body).await.expect_problem(422, "invalid_request");

    let other = format!("{totp}/recovery_codes");
    let others = ask(Method::POST, &other, json!({ "current_password": FIRST })).await.expect(200);
    assert_ne!(others.body["recovery_codes"], json!(codes));
    assert_eq!(events(&service, &ada, "member.recovery_codes_issued").await, 2);
    // Who has lost the device has it taken away by who rules over it; at the host, too.
    let removed = service.muniment(["api", "DELETE", &totp]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(events(&service, &ada, "member.totp_removed").await, 1);
    let doctor = service.muniment(["doctor"]);
    assert!(doctor.status.success(), "no credential is left over: {doctor:?}");
    service.finish().await;
}

/// What a device with this secret shows now.
pub fn code_of(secret: &str) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs();
    crypto::totp_code(&secret.into(), now).expect("a code")
}

#[tokio::test]
async fn l1_passwords_are_set_at_the_host_with_and_without_a_service() {
    let mut service = Service::start().await;
    let file = service.folder().join("password");
    std::fs::write(&file, format!("{FIRST}\n")).expect("a file");
    let create = ["member", "create", "--json", "--name", "Ada Lovelace", "--email", "ada@members.example"];
    let created =
        service.muniment(create.into_iter().chain(["--role", "auditor", "--password-file", "password"]));
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let created: Value = serde_json::from_slice(&created.stdout).expect("json");
    assert!(created["password_set_at"].is_string(), "{created}");
    let ada = created["member_id"].as_str().expect("an id").to_owned();

    std::fs::write(&file, "short").expect("a file");
    let by_email =
        ["member", "set-password", "--email", "Ada@members.example", "--password-file", "password"];
    let refused = service.muniment(by_email);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("at least 12 characters"), "{refused:?}");
    std::fs::write(&file, SECOND).expect("a file");
    service.stop().await;
    let offline = service.muniment(by_email);
    assert!(offline.status.success(), "{}", String::from_utf8_lossy(&offline.stderr));
    assert!(String::from_utf8_lossy(&offline.stdout).contains(&ada), "{offline:?}");
    let nobody =
        ["member", "set-password", "--email", "nobody@members.example", "--password-file", "password"];
    let refused = service.muniment(nobody);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("reaches no member"), "{refused:?}");
    service.launch().await;
    assert_eq!(events(&service, &ada, "member.password_set").await, 2);
    // It is the one that was set last.
    let body = json!({ "label": "own", "expires_in_seconds": 600 });
    let token = service.post(&format!("/api/v1/members/{ada}/tokens"), &body).await.expect(201);
    let own = json!({ "password": FIRST, "current_password": SECOND });
    set(&service, token.text_of("/token"), &ada, &own).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn l1_the_first_administrator_can_begin_with_a_password() {
    let folder = tempfile::tempdir().expect("a directory");
    let init = |password: &str, email: &str| {
        std::fs::write(folder.path().join("password"), password).expect("a file");
        let settings = format!("[bootstrap]\nname = \"Root\"\nemail = \"{email}\"\n");
        std::fs::write(folder.path().join("muniment.toml"), settings).expect("a file");
        let arguments = ["init", "--data-dir", "data", "--bootstrap-token-file", "token"];
        let output = tests::muniment(
            folder.path(),
            arguments.into_iter().chain(["--bootstrap-password-file", "password"]),
        );
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = init("too short", "nowhere");
    assert_eq!(code, Some(1));
    assert!(said.contains("password: at least 12 characters") && said.contains("email: "), "{said}");
    assert!(!folder.path().join("token").exists(), "nothing was begun");
    let (code, said) = init(FIRST, "root@example.com");
    assert_eq!(code, Some(0), "{said}");
    // The file is of no account from then on.
    std::fs::remove_file(folder.path().join("password")).expect("a file");
    let service = Service::start_in(folder).await;
    let me = service.get("/api/v1/me").await.expect(200).text_of("/member_id").to_owned();
    let found = service.get("/api/v1/members?email=ROOT%40example.com&include=private").await.expect(200);
    assert_eq!(found.text_of("/items/0/member_id"), me);
    assert_eq!(found.text_of("/items/0/name"), "Root");
    let none = service.get("/api/v1/members?email=admin%40localhost.invalid").await.expect(200);
    assert_eq!(none.body["items"], json!([]));
    let own = json!({ "password": SECOND, "current_password": FIRST });
    set(&service, &service.token, &me, &own).await.expect(200);
    service.finish().await;
}
