use super::*;
use crate::oauth::{RedirectRule, RedirectScheme};

const NATIVE: &str = "com.example.app:/cb";

fn scheme() -> RedirectScheme {
    RedirectScheme::parse("com.example.app").expect("a scheme")
}

fn grant(scheme: &str) -> ClientCommand {
    ClientCommand::GrantRedirectException { scheme: scheme.into() }
}

fn granted() -> ClientEvent {
    ClientEvent::RedirectExceptionGranted(RedirectExceptionGranted { scheme: scheme() })
}

fn withdrawn() -> ClientEvent {
    ClientEvent::RedirectExceptionWithdrawn(RedirectExceptionWithdrawn { scheme: scheme() })
}

fn redirect(uris: &[&str], redirect_rule: RedirectRule) -> ClientCommand {
    let redirect_uris = Some(texts(uris));
    ClientCommand::ChangeClient(Box::new(ChangeClient {
        redirect_uris,
        redirect_rule,
        ..ChangeClient::default()
    }))
}

fn redirected(old: &[&str], new: Vec<RedirectUri>) -> ClientEvent {
    let redirect_uris = Change::new(uris(old), new);
    ClientEvent::RedirectUrisChanged(RedirectUrisChanged { redirect_uris })
}

fn with_native() -> Vec<RedirectUri> {
    let native = serde_json::from_value(NATIVE.into()).expect("a stored URI");
    uris(&["https://app.example.com/callback"]).into_iter().chain([native]).collect()
}

#[test]
fn l6_a_scheme_is_the_clients_own_by_an_exception() {
    let add = || redirect(&["https://app.example.com/callback", NATIVE], RedirectRule::HttpsOnly);
    assert_eq!(wrong(given(&[]), 1, add()), at("/redirect_uris/1", Rule::SchemeNeedsException));
    assert_eq!(event(given(&[]), 1, grant("com.example.app")), granted());
    let added = redirected(&["https://app.example.com/callback"], with_native());
    assert_eq!(event(given(&[(1, granted())]), 2, add()), added);
    assert_eq!(decided(given(&[(1, granted())]), 2, grant("com.example.app")), Ok(vec![]));
    assert_eq!(wrong(given(&[]), 1, grant("javascript")), at("/scheme", Rule::Malformed));
}

#[test]
fn l6_an_exception_that_is_withdrawn_takes_its_redirect_uris_along() {
    let added = redirected(&["https://app.example.com/callback"], with_native());
    let history = [(1, granted()), (2, added)];
    let removed = ClientEvent::RedirectUrisChanged(RedirectUrisChanged {
        redirect_uris: Change::new(with_native(), uris(&["https://app.example.com/callback"])),
    });
    let withdraw = || ClientCommand::WithdrawRedirectException { scheme: scheme() };
    assert_eq!(decided(given(&history), 3, withdraw()), Ok(vec![removed, withdrawn()]));
    // So are those where members go who have signed out.
    let after = |old: &[&str], new: Vec<RedirectUri>| {
        let post_logout_redirect_uris = Change::new(uris(old), new);
        let changed = PostLogoutRedirectUrisChanged { post_logout_redirect_uris };
        ClientEvent::PostLogoutRedirectUrisChanged(changed)
    };
    let kept = "https://app.example.com/callback";
    let there = after(&[kept], with_native());
    let history = [(1, granted()), (2, after(&[], uris(&[kept]))), (3, there)];
    let gone = ClientEvent::PostLogoutRedirectUrisChanged(PostLogoutRedirectUrisChanged {
        post_logout_redirect_uris: Change::new(with_native(), uris(&[kept])),
    });
    assert_eq!(decided(given(&history), 4, withdraw()), Ok(vec![gone, withdrawn()]));
    assert_eq!(decided(given(&[(1, granted())]), 2, withdraw()), Ok(vec![withdrawn()]));
    assert_eq!(decided(given(&[]), 1, withdraw()), Ok(vec![]));
    let now = registration(&[(1, granted()), (2, withdrawn())]);
    assert!(now.redirect_exceptions.is_empty());
}

#[test]
fn l6_what_is_registered_stays_when_the_rules_get_stricter() {
    let local = redirected(&["https://app.example.com/callback"], uris(&["http://localhost/cb"]));
    let history = [(1, local)];
    let keep = redirect(&["http://localhost/cb", "https://a.example/cb"], RedirectRule::HttpsOnly);
    assert!(decided(given(&history), 2, keep).is_ok());
    let more = redirect(&["http://localhost/cb", "http://localhost/2"], RedirectRule::HttpsOnly);
    assert_eq!(wrong(given(&history), 2, more), at("/redirect_uris/1", Rule::NotHttps));
}
