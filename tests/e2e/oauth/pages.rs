//! What a member sees: pages that nobody can frame, forge, or read a password from.

use tests::{
    Answer, Service,
    oauth::{PASSWORD, Visitor, hidden, sent_back},
};

use super::steps::{deeds, last_deed, last_event, outcomes, stays, told};

/// Enters an address and a password on the page that is shown.
async fn attempt(visitor: &Visitor<'_>, page: &Answer, email: &str, password: &str) -> Answer {
    let fields = hidden(page);
    let mut form: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    form.extend([("email", email), ("password", password)]);
    visitor.post("sign_in", &form).await
}

#[tokio::test]
async fn oauth_16_17_pages_are_framed_by_nobody_and_tell_nobody_where_one_was() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let page = ines.authorize(&application.request()).await.expect(200);
    let wrong = ines.try_password(&page, "not hers, whatever it is").await.expect(422);
    let asked = ines.sign_in(&page).await.expect(200);
    let error = ines.authorize(&application.request_with(&[("client_id", "nobody")])).await.expect(400);
    let (grants, logout) = (ines.get("grants").await.expect(200), ines.get("logout").await.expect(200));
    let nowhere = ines.get(&format!("{}/nowhere/sign_in", service.base)).await.expect(404);
    let sent = ines.decide(&asked, "deny", false).await.expect(303);
    for found in [&page, &wrong, &asked, &error, &grants, &logout, &nowhere, &sent] {
        let policy = found.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(found.header("x-frame-options"), "DENY");
        assert_eq!(found.header("referrer-policy"), "no-referrer");
        assert_eq!(found.header("cache-control"), "no-store");
        for attribute in ["src=\"", "href=\"", "action=\""] {
            for value in found.text.split(attribute).skip(1) {
                let elsewhere = value.starts_with("http") || value.starts_with("//");
                assert!(!elsewhere, "{attribute}{}", value.split('"').next().unwrap_or_default());
            }
        }
        assert!(!found.text.contains("<script>") && !found.text.contains("<style"), "nothing is inline");
    }
    assert_eq!(outcomes(&service, "sign_in").await, ["wrong_password", "done"]);
    service.finish().await;
}

#[tokio::test]
async fn oauth_18_nobody_answers_in_a_members_place() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let eve = service.visitor("Eve Marsh").await;
    let page = ines.authorize(&application.request()).await.expect(200);
    let asked = ines.sign_in(&page).await.expect(200);
    // Without her cookies; from another member's browser; with that one's form in hers.
    stays(ines.elsewhere().decide(&asked, "allow", true).await, 403);
    let page = eve.authorize(&application.request()).await.expect(200);
    let of_eve = eve.sign_in(&page).await.expect(200);
    stays(eve.decide(&asked, "allow", true).await, 403);
    stays(ines.decide(&of_eve, "allow", true).await, 403);
    let fields = hidden(&asked);
    let own = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str()).expect("a field")
    };
    for proof in ["", "forged", &own("csrf")[1..]] {
        let form = [("continue", own("continue")), ("csrf", proof), ("decision", "allow")];
        stays(ines.post("consent", &form).await, 403);
    }
    let none = [("continue", own("continue")), ("decision", "allow")];
    stays(ines.post("consent", &none).await, 403);
    let decision = [("continue", own("continue")), ("csrf", own("csrf")), ("decision", "perhaps")];
    stays(ines.post("consent", &decision).await, 403);
    assert!(deeds(&service, &application).await.is_empty(), "no code was given");
    assert!(!service.history_of(&application).await.iter().any(|event| event.starts_with("grant.")));

    // Nor are grants taken back or sessions ended by a form of somebody else.
    let form = [("continue", own("continue")), ("csrf", own("csrf")), ("decision", "allow")];
    assert!(sent_back(&ines.post("consent", &form).await.expect(303)).contains_key("code"));
    assert_eq!(last_event(&service, &application).await, "grant.given");
    stays(ines.post("grants", &[("withdraw", "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e")]).await, 403);
    stays(ines.post("logout", &[("csrf", own("csrf"))]).await, 403);
    ines.get("grants").await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_18_a_sign_in_form_of_another_browser_signs_nobody_in() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let eve = service.visitor("Eve Marsh").await;
    let page = eve.authorize(&application.request()).await.expect(200);
    let other = eve.elsewhere();
    let found = other.try_password(&page, PASSWORD).await.expect(403);
    assert_eq!(found.header("location"), "");
    other.authorize(&application.request()).await.expect(200);
    other.try_password(&page, PASSWORD).await.expect(403);
    assert_eq!(outcomes(&service, "sign_in").await, ["form_not_proved"; 2], "no password was looked at");
    service.finish().await;
}

#[tokio::test]
async fn oauth_20_nothing_that_is_sent_becomes_markup_or_a_header() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter <b>sync</b> & \"co\"").await;
    let ines = service.visitor("Ines Duarte").await;
    let script = "\"><script>alert(1)</script>\r\nX-Injected: yes\r\n\r\n<svg onload=alert(2)>";
    let inert = |found: &Answer| {
        assert!(
            !found.text.contains("<script>alert") && !found.text.contains("<svg onload"),
            "{}",
            found.text
        );
        assert!(!found.text.contains("<b>sync"), "{}", found.text);
        assert!(!found.headers.contains_key("x-injected"), "{:?}", found.headers);
    };
    for name in [
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "nonce",
        "code_challenge",
        "prompt",
        "max_age",
    ] {
        inert(&ines.authorize(&application.request_with(&[(name, script)])).await);
    }
    let changes = [("state", script)];
    let page = ines.authorize(&application.request_with(&changes)).await.expect(200);
    inert(&page);
    inert(&attempt(&ines, &page, script, script).await.expect(422));
    let asked = ines.sign_in(&page).await.expect(200);
    inert(&asked);
    assert!(asked.text.contains("Matter &#60;b&#62;sync"), "{}", asked.text);
    let sent = ines.decide(&asked, "allow", false).await.expect(303);
    inert(&sent);
    assert_eq!(sent_back(&sent)["state"], script);
    inert(
        &ines.get(&format!("{}/%3Cscript%3Ealert(1)/authorize?state=%0d%0aX-Injected:1", service.base)).await,
    );
    inert(&ines.get("grants?withdraw=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await);
    assert_eq!(last_deed(&service, &application).await, "authorization done");
    service.finish().await;
}

#[tokio::test]
async fn oauth_21_the_member_is_told_who_asks_for_what_and_may_say_no() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let page = ines.authorize(&application.request()).await.expect(200);
    let asked = ines.sign_in(&page).await.expect(200);
    assert!(asked.text.contains("Matter sync") && asked.text.contains(&application.id), "{}", asked.text);
    for scope in ["openid", "profile", "email", "offline_access", "matters:read"] {
        assert!(asked.text.contains(scope), "{scope} is not named");
    }
    assert!(!asked.text.contains("matters:write"), "what is not asked for is not named");
    let told = told(ines.decide(&asked, "deny", true).await, "access_denied");
    assert_eq!(
        (told["state"].as_str(), told["iss"].as_str()),
        ("s-1", format!("{}/sandbox", service.base).as_str())
    );
    assert_eq!(last_deed(&service, &application).await, "authorization denied");
    assert_eq!(last_event(&service, &application).await, "grant.denied");
    // No is not remembered as yes, and less is not more.
    let less = application.request_with(&[("scope", "matters:read")]);
    let asked = ines.authorize(&less).await.expect(200);
    assert!(sent_back(&ines.decide(&asked, "allow", true).await).contains_key("code"));
    assert!(sent_back(&ines.authorize(&less).await.expect(303)).contains_key("code"));
    ines.authorize(&application.request()).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_22_a_wrong_password_and_nobodys_address_are_one_answer_and_guesses_end() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let page = ines.authorize(&application.request()).await.expect(200);
    let nobody = "nobody@members.example";
    let wrong = attempt(&ines, &page, &ines.email, "wrong, but long enough").await.expect(422);
    let unknown = attempt(&ines, &page, nobody, "wrong, but long enough").await.expect(422);
    assert_eq!(wrong.text.replace(&ines.email, "…"), unknown.text.replace(nobody, "…"));
    assert_eq!((wrong.header("set-cookie"), wrong.header("location")), ("", ""));
    for _ in 0..9 {
        attempt(&ines, &page, &ines.email, "wrong, but long enough").await.expect(422);
    }
    let stopped = attempt(&ines, &page, &ines.email, "wrong, but long enough").await.expect(429);
    let wait: u64 = stopped.header("retry-after").parse().expect("seconds");
    assert!((1..=900).contains(&wait), "{wait}");
    attempt(&ines, &page, &ines.email, PASSWORD).await.expect(429);
    // Nobody else has to wait for that.
    let rui = service.visitor("Rui Abreu").await;
    let of_rui = rui.authorize(&application.request()).await.expect(200);
    rui.sign_in(&of_rui).await.expect(200);
    assert!(deeds(&service, &application).await.is_empty(), "no code was given");
    let recorded = outcomes(&service, "sign_in").await;
    for reason in ["wrong_password", "unknown_member", "throttled", "done"] {
        assert!(recorded.contains(&reason.to_owned()), "{reason}: {recorded:?}");
    }
    service.finish().await;
}

#[tokio::test]
async fn oauth_23_a_sign_in_makes_a_session_that_scripts_and_other_sites_do_not_see() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let page = ines.authorize(&application.request()).await.expect(200);
    assert_eq!(ines.cookies().len(), 1, "there is no session before the sign-in");
    let sent = ines.try_password(&page, PASSWORD).await.expect(303);
    let set = sent.header("set-cookie").to_owned();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
    assert!(!set.contains("Domain"), "{set}");
    let first = ines.cookies();
    // A session that somebody else has put into the browser is not taken over.
    let other = ines.elsewhere();
    let page = other.authorize(&application.request()).await.expect(200);
    other.try_password(&page, PASSWORD).await.expect(303);
    let second = other.cookies();
    let (name, planted) = first.iter().find(|(_, value)| value.starts_with("mse_")).expect("a session");
    assert_ne!(second.get(name), Some(planted));
    let victim = ines.elsewhere();
    let page = victim.authorize(&application.request()).await.expect(200);
    let mut held: Vec<_> = victim.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    held.push(format!("{name}={planted}"));
    let fields = hidden(&page);
    let mut form: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    form.extend([("email", ines.email.as_str()), ("password", PASSWORD)]);
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = http.expect("an HTTP client").post(format!("{}/sandbox/sign_in", service.base));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    let signed_in = tests::http::answer(request.header("cookie", held.join("; "))).await.expect(303);
    let set = signed_in.header("set-cookie");
    assert!(set.starts_with(&format!("{name}=mse_")) && !set.contains(planted.as_str()), "{set}");
    assert_eq!(outcomes(&service, "sign_in").await, ["done", "done", "done"]);
    service.finish().await;
}

#[tokio::test]
async fn oauth_23_with_tls_a_cookie_belongs_to_this_host_and_to_tls_alone() {
    let service = Service::start().await;
    let found = super::steps::plain(&service, "/sandbox/sign_in").await.expect(200);
    let set = found.header("set-cookie");
    assert!(set.starts_with("__Host-") && set.contains("Secure") && set.contains("HttpOnly"), "{set}");
    service.finish().await;
}
