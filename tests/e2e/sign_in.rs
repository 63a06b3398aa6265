//! Signing in at the pages, as a member sees it: the second factor, wrong guesses, and what the browser holds.

use reqwest::Method;
use serde_json::json;
use tests::{
    Answer, Service,
    http::answer,
    oauth::{PASSWORD, Visitor, sent_back},
};

use crate::passwords::code_of;

/// The session that the browser holds; the name of its cookie depends on TLS.
fn session_of(visitor: &Visitor<'_>) -> Option<String> {
    let cookies = visitor.cookies();
    cookies.into_iter().find(|(name, _)| name.ends_with("muniment")).map(|(_, value)| value)
}

/// The member's id.
async fn member_of(service: &Service, visitor: &Visitor<'_>) -> String {
    let found = service.get(&format!("/api/v1/members?email={}", visitor.email)).await.expect(200);
    found.text_of("/items/0/member_id").to_owned()
}

/// Enrols a device for a member; answers its secret and the recovery codes.
async fn device_of(service: &Service, visitor: &Visitor<'_>) -> (String, Vec<String>) {
    let totp = format!("/api/v1/members/{}/totp", member_of(service, visitor).await);
    let begun = service.post(&totp, &json!({})).await.expect(200);
    let secret = begun.text_of("/secret").to_owned();
    let body = json!({ "enrolment_id": begun.text_of("/enrolment_id"), "code": code_of(&secret) });
    let enrolled = service.post(&format!("{totp}/confirm"), &body).await.expect(200);
    let codes = enrolled.body["recovery_codes"].as_array().expect("codes").iter();
    (secret, codes.map(|code| code.as_str().expect("a code").to_owned()).collect())
}

fn asks_for_a_code(page: &Answer) -> bool {
    page.text.contains("name=\"pending\"") && page.text.contains("name=\"code\"")
}

#[tokio::test]
async fn l1_who_has_a_device_is_asked_for_its_code_before_anything_else() {
    let service = Service::start().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let (_, codes) = device_of(&service, &ines).await;
    let page = ines.authorize(&application.request()).await.expect(200);
    let second = ines.try_password(&page, PASSWORD).await.expect(200);
    assert!(asks_for_a_code(&second), "{}", second.text);
    assert_eq!(session_of(&ines), None, "nobody has signed in yet");
    // The password alone leads nowhere.
    let again = ines.authorize(&application.request()).await.expect(200);
    assert!(again.text.contains("name=\"password\""), "{}", again.text);

    let wrong = ines.try_code(&second, "000000").await.expect(422);
    assert!(asks_for_a_code(&wrong) && wrong.text.contains("That code does not fit."), "{}", wrong.text);
    let sent = ines.try_code(&wrong, &codes[0]).await.expect(303);
    assert!(session_of(&ines).is_some());
    let asked = ines.get(sent.header("location")).await.expect(200);
    assert!(asked.text.contains("Matter sync"), "{}", asked.text);
    let sent = ines.decide(&asked, "allow", false).await.expect(303);
    assert!(sent_back(&sent).contains_key("code"));
    // What was used is used up, at any browser.
    let elsewhere = ines.elsewhere();
    let page = elsewhere.authorize(&application.request()).await.expect(200);
    let second = elsewhere.try_password(&page, PASSWORD).await.expect(200);
    elsewhere.try_code(&second, &codes[0]).await.expect(422);
    elsewhere.try_code(&second, &codes[1]).await.expect(303);
    let over = elsewhere.try_code(&second, &codes[2]).await.expect(403);
    assert!(over.text.contains("name=\"password\""), "from the beginning: {}", over.text);

    let deeds = service.get("/api/v1/activity?kind=second_factor&order=asc").await.expect(200);
    let deeds = deeds.body["items"].as_array().expect("items").iter();
    let reasons: Vec<_> = deeds.map(|deed| deed["reason"].as_str().unwrap_or("done").to_owned()).collect();
    assert_eq!(reasons, ["wrong_code", "done", "code_used", "done", "over"]);
    service.finish().await;
}

#[tokio::test]
async fn oauth_22_a_wrong_password_and_nobody_are_one_answer_and_guesses_are_stopped() {
    let service = Service::start().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let nobody = Visitor::new(&service, "nobody@members.example".to_owned());
    let mut pages = Vec::new();
    for visitor in [&ines, &nobody] {
        let page = visitor.authorize(&application.request()).await.expect(200);
        let refused = visitor.try_password(&page, "a wrong guess").await.expect(422);
        assert_eq!(session_of(visitor), None);
        let own = [visitor.email.as_str()];
        let said = own.iter().fold(refused.text.clone(), |text, own| text.replace(own, ""));
        pages.push(without_proofs(&said));
    }
    assert_eq!(pages[0], pages[1]);
    let page = ines.authorize(&application.request()).await.expect(200);
    for _ in 0..9 {
        ines.try_password(&page, "a wrong guess").await.expect(422);
    }
    let throttled = ines.try_password(&page, PASSWORD).await.expect(429);
    assert!(throttled.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds <= 900));
    assert!(throttled.text.contains("Too many attempts."), "{}", throttled.text);
    let deeds = service.get("/api/v1/activity?kind=sign_in&limit=100").await.expect(200);
    assert!(deeds.text.contains("unknown_member") && deeds.text.contains("wrong_password"));
    service.finish().await;
}

/// A page without what is another one each time.
fn without_proofs(page: &str) -> String {
    page.lines().filter(|line| !line.contains("csrf")).collect()
}

#[tokio::test]
async fn oauth_23_a_session_is_new_at_each_sign_in_and_ends_with_the_password() {
    let service = Service::start().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let mut values = Vec::new();
    for prompt in ["", "login"] {
        let request = application.request_with(&[("prompt", prompt)]);
        let page = ines.authorize(&request).await.expect(200);
        let sent = ines.try_password(&page, PASSWORD).await.expect(303);
        let cookie = sent.header("set-cookie");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        values.push(session_of(&ines).expect("a session"));
    }
    assert!(values[0].starts_with("mse_") && values[0] != values[1]);
    let asked = ines.authorize(&application.request()).await.expect(200);
    assert!(!asked.text.contains("name=\"password\""), "she is signed in: {}", asked.text);
    let path = format!("/api/v1/members/{}/password", member_of(&service, &ines).await);
    let other = json!({ "password": "another lantern over nine rivers" });
    answer(service.request(Method::PUT, &path).json(&other)).await.expect(200);
    let asked = ines.authorize(&application.request()).await.expect(200);
    assert!(asked.text.contains("name=\"password\""), "{}", asked.text);
    service.finish().await;
}
