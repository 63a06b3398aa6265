//! The content security policy of a page.

use url::{Host, Url};

/// What a page may load, and where its forms may lead. A browser holds a form to that through every redirect that follows,
/// so the page whose form ends at a client names the client's origin.
pub(super) fn of_page(leads_to: Option<&str>) -> String {
    let client = leads_to.and_then(source).map(|source| format!(" {source}")).unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'self'{client}"
    )
}

/// The source expression of where a URI leads. What has no origin, or one that the grammar of policies cannot say (an
/// address of IPv6, a host with a semicolon), is named by its scheme.
fn source(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    let origin = url.origin();
    let can_be_said = |host: &Host<&str>| match host {
        Host::Domain(name) => name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
        Host::Ipv4(_) => true,
        Host::Ipv6(_) => false,
    };
    if origin.is_tuple() && url.host().as_ref().is_some_and(can_be_said) {
        Some(origin.ascii_serialization())
    } else {
        Some(format!("{}:", url.scheme()))
    }
}

#[cfg(test)]
mod tests {
    use super::{of_page, source};

    #[test]
    fn a_form_leads_to_this_service_and_to_the_origin_of_one_client() {
        for (uri, expected) in [
            ("https://app.example.com/callback?x=1", "https://app.example.com"),
            ("https://APP.example.com:8443/callback", "https://app.example.com:8443"),
            ("https://bücher.example/", "https://xn--bcher-kva.example"),
            ("http://127.0.0.1:7000/cb", "http://127.0.0.1:7000"),
            ("http://localhost/cb", "http://localhost"),
            ("http://[::1]:7000/cb", "http:"),
            ("com.example.app:/cb", "com.example.app:"),
            ("https://a;script-src'x'.example/", "https:"),
            ("https://a,b.example/", "https:"),
        ] {
            assert_eq!(source(uri).as_deref(), Some(expected), "{uri}");
        }
        assert!(of_page(None).ends_with("; form-action 'self'"));
        assert!(of_page(Some("no URI")).ends_with("; form-action 'self'"));
        let policy = of_page(Some("https://app.example.com/callback"));
        assert!(policy.ends_with("; form-action 'self' https://app.example.com"), "{policy}");
    }
}
