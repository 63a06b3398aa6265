//! What holds for every page, whatever is on it.

use actix_web::{
    HttpResponse,
    body::{MessageBody as _, to_bytes},
    http::header,
};
use reqwest::Method;

use super::samples::{self, HOSTILE};
use crate::testing;

async fn text(response: HttpResponse) -> String {
    let Ok(bytes) = to_bytes(response.into_body().boxed()).await else { panic!("a body in memory") };
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Each page by its name, as text.
async fn pages() -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    for (name, response) in samples::all() {
        pages.push((name, text(response).await));
    }
    pages
}

fn count(page: &str, what: &str) -> usize {
    page.matches(what).count()
}

/// Everything between `before` and the next `after`.
fn each<'a>(page: &'a str, before: &str, after: char) -> Vec<&'a str> {
    page.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

#[tokio::test]
async fn oauth_20_whatever_anybody_wrote_is_text_on_every_page() {
    for (name, page) in pages().await {
        assert_eq!(count(&page, "<script"), 1, "{name}: the one of ours");
        assert!(!page.contains(HOSTILE) && !page.contains("<x@"), "{name}");
        for attribute in each(&page, "href=\"", '"') {
            let ours = [
                "../assets/",
                "#",
                "grants",
                "logout",
                "second_factor",
                "sign_in",
                "mailto:",
                "otpauth://totp/",
            ];
            assert!(ours.iter().any(|begin| attribute.starts_with(begin)), "{name}: {attribute}");
        }
    }
    let (_, consent) = pages().await.into_iter().find(|(name, _)| *name == "consent_hostile").unwrap();
    assert!(consent.contains("&#60;script&#62;"), "{consent}");
    assert!(consent.contains("mailto:a%3Fcc%3Db%26subject%3D%22%3Cx%40example.com\""), "{consent}");
}

#[tokio::test]
async fn oauth_17_a_page_has_nothing_inline_and_nothing_from_elsewhere() {
    for (name, page) in pages().await {
        for inline in ["<style", " style=", " onclick", " onload", "javascript:"] {
            assert!(!page.contains(inline), "{name}: {inline}");
        }
        for source in each(&page, "src=\"", '"') {
            assert!(source.starts_with("../assets/"), "{name}: {source}");
        }
    }
}

#[tokio::test]
async fn a_page_has_one_title_one_heading_and_a_label_for_each_field() {
    for (name, page) in pages().await {
        assert_eq!(
            (count(&page, "<title>"), count(&page, "<h1"), count(&page, "<main")),
            (1, 1, 1),
            "{name}"
        );
        let fails = name.starts_with("error") || name.contains("refused") || page.contains("id=\"refusal\"");
        assert_eq!(page.contains("<title>Error: "), fails, "{name}");
        for id in each(&page, "<input class=\"input", '>')
            .iter()
            .filter_map(|field| each(field, " id=\"", '"').pop())
        {
            assert_eq!(count(&page, &format!("<label for=\"{id}\"")), 1, "{name}: {id}");
        }
        for icon in each(&page, "<use href=\"#", '"') {
            assert_eq!(count(&page, &format!("<symbol id=\"{icon}\"")), 1, "{name}: {icon}");
        }
        let forms = count(&page, "<form ");
        assert_eq!(count(&page, "method=\"post\""), forms, "{name}");
        assert_eq!(count(&page, "type=\"hidden\" name=\"csrf\""), forms, "{name}");
    }
}

#[tokio::test]
async fn oauth_16_a_page_is_in_no_frame_and_its_form_leads_to_the_client_alone() {
    for (name, response) in samples::all() {
        let policy = response.headers().get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
            "{name}"
        );
        let client = policy.ends_with("form-action 'self' https://app.castellan.example");
        assert!(client || policy.ends_with("form-action 'self'"), "{name}: {policy}");
        assert_eq!(
            client,
            [
                "consent",
                "consent_stranger",
                "sign_in",
                "sign_in_refused",
                "sign_in_hostile",
                "sign_in_wait",
                "sign_out"
            ]
            .contains(&name),
            "{name}"
        );
    }
}

#[tokio::test]
async fn oauth_21_of_who_registered_itself_the_consent_page_does_not_say_whose_it_is() {
    let (_, page) = pages().await.into_iter().find(|(name, _)| *name == "consent_stranger").unwrap();
    assert!(page.contains("It registered itself here on <time"), "{page}");
    assert!(page.contains("nobody has checked who runs it."), "{page}");
    assert!(!page.contains("Run by"), "{page}");
}

#[tokio::test]
async fn oauth_21_the_consent_page_says_who_asks_for_what_and_where_it_leads() {
    let (_, page) = pages().await.into_iter().find(|(name, _)| *name == "consent").unwrap();
    for said in [
        "<title>Allow Matter sync? – Muniment</title>",
        "data-env=\"production\"",
        "Production</b>",
        "<b><bdi>Castellan Software B.V.</bdi></b>",
        "by <bdi>Maren Okafor</bdi> on <time datetime=\"2026-03-03T10:00:00Z\">3 Mar 2026</time>",
        "<b>Know that it is you</b>",
        "<b>Create and change matters</b>",
        "<b>Stay connected while you are away</b>",
        "<code>https://app.castellan.example/callback</code>",
        "<code>openid matters:read matters:write documents:read identity:verify offline_access</code>",
        "name=\"decision\" value=\"deny\"",
        "name=\"decision\" value=\"allow\"",
        "name=\"remember\"",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let (deny, allow) = (page.find("value=\"deny\"").unwrap(), page.find("value=\"allow\"").unwrap());
    assert!(deny < allow, "who presses Enter in the form has allowed nothing");
}

#[tokio::test]
async fn oauth_1_the_error_page_says_what_differs_and_leads_nowhere() {
    let (_, page) = pages().await.into_iter().find(|(name, _)| *name == "error").unwrap();
    assert!(page.contains("<code>https://app.castellan.example:8443/callback/?&#60;script&#62;</code>"));
    assert!(page.contains(
        "It differs from the nearest registered redirect URI by the port, a trailing slash and the query"
    ));
    assert_eq!(count(&page, "app.castellan.example"), 1, "what is registered is told to nobody");
    assert_eq!(count(&page, "<a "), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_page_is_drawn_with_is_served_compressed_and_kept_for_ever() {
    let (_, page) = pages().await.swap_remove(0);
    let links = each(&page, "../assets/", '"');
    assert_eq!(links.len(), 4);
    testing::serve(async |served| {
        for name in links {
            let path = format!("/assets/{name}");
            let plain = testing::answer(served.anonymous(Method::GET, &path)).await.expect(200);
            assert_eq!(plain.header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(plain.header("x-content-type-options"), "nosniff");
            assert!(plain.headers.get("content-encoding").is_none());
            let kind = plain.header("content-type");
            assert!(
                ["text/css; charset=utf-8", "text/javascript; charset=utf-8", "image/svg+xml"]
                    .contains(&kind)
            );
            let zipped = served.anonymous(Method::GET, &path).header("accept-encoding", "br, gzip;q=0.9");
            let zipped = zipped.send().await.unwrap();
            assert_eq!(zipped.headers()["content-encoding"], "gzip");
            assert!(zipped.bytes().await.unwrap().len() < plain.text.len(), "{name}");
        }
        let unknown = served.anonymous(Method::GET, "/assets/console-0000000000000000.css");
        let unknown = testing::answer(unknown).await.expect_problem(404, "not_found");
        assert_eq!(unknown.header("cache-control"), "no-store");
    })
    .await;
}
