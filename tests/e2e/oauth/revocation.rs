//! Giving tokens up.

use serde_json::json;
use tests::{
    Service,
    http::{CLIENTS, answer},
};

use super::steps::{
    deeds, is_active, last_deed, last_event, public, redemption, refresh, refused, stays, tokens, with,
};

#[tokio::test]
async fn oauth_66_68_a_revoked_token_is_good_nowhere_and_stays_so() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let given = tokens(&service, &ines, &application).await;
    let access = given.text_of("/access_token");
    ines.bearer("userinfo", access).await.expect(200);
    for hint in ["refresh_token", "access_token"] {
        let form = [("token", access), ("token_type_hint", hint)];
        service.protocol(&application, "revoke", &form).await.expect(200);
        assert!(!is_active(&service, &application, access).await);
    }
    ines.bearer("userinfo", access).await.expect(401);
    let recorded = deeds(&service, &application).await;
    assert_eq!(
        recorded,
        ["authorization done", "token done", "userinfo done", "revocation done", "userinfo token_revoked"]
    );
    // One access token takes nothing else with it.
    refresh(&service, &application, given.text_of("/refresh_token")).await.expect(200);
    for unknown in ["nonsense", "mrt_x_y", "a.b.c"] {
        service.protocol(&application, "revoke", &[("token", unknown)]).await.expect(200);
        assert_eq!(last_deed(&service, &application).await, "revocation unknown_token");
    }
    refused(service.protocol(&application, "revoke", &[]).await, 400, "invalid_request");
    let wrong = service.form("revoke", &[("token", access)]).basic_auth(&application.id, Some("wrong"));
    refused(answer(wrong).await, 401, "invalid_client");
    assert_eq!(last_deed(&service, &application).await, "revocation malformed");
    service.finish().await;
}

#[tokio::test]
async fn oauth_67_nobody_revokes_a_token_of_another_client() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let other = service.application("Other").await;
    let open = public(&service, "Open").await;
    let ines = service.visitor("Ines Duarte").await;
    let given = tokens(&service, &ines, &application).await;
    for token in [given.text_of("/access_token"), given.text_of("/refresh_token")] {
        let form = vec![("token", token)];
        let found = service.protocol(&other, "revoke", &form).await;
        refused(found, 400, "unauthorized_client");
        assert_eq!(last_deed(&service, &other).await, "revocation token_of_another_client");
        let found = answer(service.form("revoke", &with(&form, "client_id", &open.id))).await;
        refused(found, 400, "unauthorized_client");
        assert_eq!(last_deed(&service, &open).await, "revocation token_of_another_client");
        assert!(is_active(&service, &application, token).await);
    }
    refresh(&service, &application, given.text_of("/refresh_token")).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_67_a_public_client_gives_up_its_own_tokens() {
    let service = Service::start_without_a_proxy().await;
    let open = public(&service, "Open").await;
    let ines = service.visitor("Ines Duarte").await;
    let code = ines.allow(&open.request()).await;
    let form = with(&redemption(&code), "client_id", &open.id);
    let given = answer(service.form("token", &form)).await.expect(200);
    let access = given.text_of("/access_token");
    ines.bearer("userinfo", access).await.expect(200);
    let form = [("token", access), ("client_id", open.id.as_str())];
    answer(service.form("revoke", &form)).await.expect(200);
    assert_eq!(last_deed(&service, &open).await, "revocation done");
    ines.bearer("userinfo", access).await.expect(401);
    assert_eq!(last_deed(&service, &open).await, "userinfo token_revoked");
    service.finish().await;
}

#[tokio::test]
async fn oauth_69_with_a_refresh_token_all_of_its_grant_ends() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let first = tokens(&service, &ines, &application).await;
    let second = refresh(&service, &application, first.text_of("/refresh_token")).await.expect(200);
    let held = second.text_of("/refresh_token");
    service.protocol(&application, "revoke", &[("token", held)]).await.expect(200);
    assert_eq!(last_deed(&service, &application).await, "revocation done");
    assert_eq!(last_event(&service, &application).await, "grant.revoked");
    refused(refresh(&service, &application, held).await, 400, "invalid_grant");
    for tokens in [&first, &second] {
        assert!(!is_active(&service, &application, tokens.text_of("/access_token")).await);
        ines.bearer("userinfo", tokens.text_of("/access_token")).await.expect(401);
        assert_eq!(last_deed(&service, &application).await, "userinfo token_of_ended_grant");
    }
    service.protocol(&application, "revoke", &[("token", held)]).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_66_a_client_a_member_and_a_grant_that_end_take_their_tokens_along_at_once() {
    let service = Service::start_without_a_proxy().await;
    let ines = service.visitor("Ines Duarte").await;
    let application = service.application("Matter sync").await;
    let given = tokens(&service, &ines, &application).await;
    let access = given.text_of("/access_token");
    let client = format!("{CLIENTS}/{}", application.id);
    service.post(&format!("{client}/deactivate"), &json!({})).await.expect(200);
    ines.bearer("userinfo", access).await.expect(401);
    assert_eq!(last_deed(&service, &application).await, "userinfo token_of_ended_client");
    refused(refresh(&service, &application, given.text_of("/refresh_token")).await, 401, "invalid_client");
    stays(ines.authorize(&application.request()).await, 400);
    service.delete(&client).await.expect(204);
    ines.bearer("userinfo", access).await.expect(401);

    // Taken back by the member who gave it.
    let application = service.application("Second").await;
    let given = tokens(&service, &ines, &application).await;
    let page = ines.get("grants").await.expect(200);
    let path = format!("/api/v1/audit/events?client={}&type=grant.given", application.id);
    let events = service.get(&path).await.expect(200);
    let stream = events.body["items"][0]["entry"]["stream"].as_str().expect("a stream").to_owned();
    let grant = stream.strip_prefix("grant-").expect("a grant");
    assert!(page.text.contains("Second") && page.text.contains(grant), "{}", page.text);
    let page = ines.get(&format!("grants?withdraw={grant}")).await.expect(200);
    let fields = tests::oauth::hidden(&page);
    let form: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ines.post("grants", &form).await.expect(303);
    assert_eq!(last_event(&service, &application).await, "grant.withdrawn");
    assert!(!is_active(&service, &application, given.text_of("/access_token")).await);
    refused(refresh(&service, &application, given.text_of("/refresh_token")).await, 400, "invalid_grant");
    assert_eq!(last_deed(&service, &application).await, "token ended_grant");
    service.finish().await;
}
