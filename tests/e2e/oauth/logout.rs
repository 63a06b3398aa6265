//! Signing out because a client asks for it (OpenID Connect RP-Initiated Logout 1.0), and where the member goes then.

use reqwest::Method;
use serde_json::json;
use tests::{
    Answer, Service,
    http::CLIENTS,
    oauth::{Application, Parameters, Visitor, encoded, hidden},
};

use super::steps::{deeds, last_deed, outcomes, remembered, stays, tokens};

const BYE: &str = "https://app.example.com/bye?from=muniment";

async fn application(service: &Service) -> Application {
    service.application_with("Matter sync", json!({ "post_logout_redirect_uris": [BYE] })).await
}

async fn asked(visitor: &Visitor<'_>, parameters: &Parameters<'_>) -> Answer {
    let query = encoded(parameters.iter().map(|(name, value)| (*name, value.as_str())));
    visitor.get(&format!("logout?{query}")).await
}

/// Says yes on the page that is shown.
async fn agreed(visitor: &Visitor<'_>, page: &Answer) -> Answer {
    let fields = hidden(page);
    let form: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    visitor.post("logout", &form).await
}

#[tokio::test]
async fn d5_a_member_signs_out_at_a_client_and_goes_back_to_it_and_nowhere_else() {
    let service = Service::start_without_a_proxy().await;
    let application = application(&service).await;
    let other = service.application("Other").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let hint = tokens(&service, &ines, &application).await.text_of("/id_token").to_owned();
    let before = deeds(&service, &application).await.len();
    let client_id = || ("client_id", application.id.clone());
    let bye = |uri: &str| ("post_logout_redirect_uri", uri.to_owned());

    // Whatever is wrong, she stays signed in and where she is, and is told; so is whoever reads the trail.
    let (hinted, of_other) = (("id_token_hint", hint.clone()), ("client_id", other.id.clone()));
    let (signed, signature) = hint.rsplit_once('.').expect("a signature");
    let backwards: String = signature.chars().rev().collect();
    let forged = ("id_token_hint", format!("{signed}.{backwards}"));
    let long = ("state", "x".repeat(2_001));
    for (parameters, reason) in [
        (vec![client_id(), bye("https://app.example.com/bye")], "redirect_uri_query"),
        (vec![client_id(), bye("https://evil.example/")], "redirect_uri"),
        (vec![of_other.clone(), bye(BYE)], "redirect_uri_unregistered"),
        (vec![hinted.clone(), of_other, bye(BYE)], "client_id_differs"),
        (vec![bye(BYE)], "client_id_missing"),
        (vec![forged.clone(), bye(BYE)], "id_token_hint"),
        (vec![forged, client_id(), bye(BYE)], "id_token_hint"),
        (vec![("id_token_hint", "none".to_owned())], "id_token_hint"),
        (vec![hinted.clone(), bye("https://app.example.com/bye")], "redirect_uri_query"),
        (vec![("client_id", "nobody".to_owned()), bye(BYE)], "no_such_client"),
        (vec![client_id(), bye(BYE), bye(BYE)], "repeated_parameter"),
        (vec![client_id(), bye(BYE), long], "parameter_too_long"),
    ] {
        let page = stays(asked(&ines, &parameters).await, 400);
        assert!(page.text.contains("Nobody was signed out"), "{}", page.text);
        assert_eq!(outcomes(&service, "sign_out").await.last().map(String::as_str), Some(reason));
    }
    ines.get("grants").await.expect(200);

    // The client's name stands on the page that asks; the state comes back as it went.
    let state = ("state", "a b&c=\"ä".to_owned());
    let page = asked(&ines, &vec![hinted, bye(BYE), state.clone()]).await.expect(200);
    assert!(page.text.contains("Matter sync") && !page.text.contains(&hint), "{}", page.text);
    assert!(page.header("content-security-policy").contains("form-action 'self' https://app.example.com"));
    // A form of another site, without her cookie, signs nobody out.
    let of_another_site = ines.elsewhere().post("logout", &[("csrf", "of nobody")]).await.expect(303);
    assert_eq!((of_another_site.header("location"), of_another_site.header("set-cookie")), ("logout?", ""));
    let sent = agreed(&ines, &page).await.expect(303);
    let query = encoded([("state", state.1.as_str())].into_iter());
    assert_eq!(sent.header("location"), format!("{BYE}&{query}"));
    assert_eq!(ines.get("grants").await.expect(303).header("location"), "sign_in");
    let found = deeds(&service, &application).await;
    assert_eq!(found.last().map(String::as_str), Some("sign_out done"));
    assert!(found.len() > before);

    // Who has signed out already is sent on at once, but to no client that is deactivated.
    let sent = asked(&ines, &vec![client_id(), bye(BYE)]).await.expect(303);
    assert_eq!(sent.header("location"), BYE);
    service.post(&format!("{CLIENTS}/{}/deactivate", application.id), &json!({})).await.expect(200);
    let kept = asked(&ines, &vec![client_id(), bye(BYE)]).await.expect(200);
    assert!(kept.text.contains("You are signed out"), "{}", kept.text);
    assert_eq!(last_deed(&service, &application).await, "sign_out inactive");
    service.finish().await;
}

#[tokio::test]
async fn d5_a_client_may_post_its_request_and_who_wants_to_sign_out_does_whatever_became_of_the_client() {
    let service = Service::start_without_a_proxy().await;
    let application = application(&service).await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    // A form of another site comes without our cookie: the question is asked where it comes along.
    let form = [("client_id", application.id.as_str()), ("post_logout_redirect_uri", BYE), ("state", "s-1")];
    let sent = ines.elsewhere().post("logout", &form).await.expect(303);
    let page = ines.get(sent.header("location")).await.expect(200);
    assert!(page.text.contains("Matter sync"), "{}", page.text);
    let client = format!("{CLIENTS}/{}", application.id);
    let deleted = service.request(Method::DELETE, &client).header("if-match", "*");
    tests::http::answer(deleted).await.expect(204);
    let done = agreed(&ines, &page).await.expect(200);
    assert!(done.text.contains("You are signed out"), "{}", done.text);
    assert_eq!(ines.get("grants").await.expect(303).header("location"), "sign_in");
    assert_eq!(outcomes(&service, "sign_out").await, ["no_such_client", "done"]);
    service.finish().await;
}

#[tokio::test]
async fn d5_where_members_go_who_sign_out_is_the_clients_to_say_and_in_its_history() {
    let service = Service::start_without_a_proxy().await;
    let application = application(&service).await;
    let client = format!("{CLIENTS}/{}", application.id);
    assert_eq!(service.get(&client).await.expect(200).body["post_logout_redirect_uris"], json!([BYE]));
    for (uris, pointer) in [
        (json!(["http://app.example.com/"]), "/post_logout_redirect_uris/0"),
        (json!([BYE, BYE]), "/post_logout_redirect_uris/1"),
    ] {
        let refused =
            service.patch(&client, "*", &json!({ "post_logout_redirect_uris": uris })).await.expect(422);
        assert_eq!(refused.text_of("/errors/0/pointer"), pointer);
    }
    let moved = json!({ "post_logout_redirect_uris": ["https://app.example.com/left"] });
    service.patch(&client, "*", &moved).await.expect(200);
    let history = service.history_of(&application).await;
    let changes: Vec<_> = history.iter().filter(|event| event.contains("post_logout")).collect();
    assert_eq!(changes, ["client.post_logout_redirect_uris_changed"; 2]);
    let ines = service.visitor("Ines Duarte").await;
    let parameters =
        vec![("client_id", application.id.clone()), ("post_logout_redirect_uri", BYE.to_owned())];
    stays(asked(&ines, &parameters).await, 400);
    assert_eq!(last_deed(&service, &application).await, "sign_out redirect_uri");
    service.finish().await;
}
