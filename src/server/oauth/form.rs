//! The parameters of a protocol request (RFC 6749 sections 3.1 and 3.2): each once, none without a value.

use std::collections::HashSet;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web::Payload};
use app::MalformedRequest;

use super::refusal::Asking;
use crate::{extract::bytes_of, problem::Problem};

/// Parameters that stand twice: after so many, more of them say nothing.
const MOST_TOLD: usize = 50;
/// What may stand more than once: a token can be for several resource servers (RFC 8707 section 2).
const MANY: &str = "resource";

/// The parameters of a request, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// The parameters of a text that is form-urlencoded.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// What the body of a request asks for, at an endpoint that takes nothing from its URL; else the answer to one of which
    /// nothing can be made, which is recorded.
    ///
    /// # Errors
    /// A problem if the body did not arrive, or if that could not be recorded.
    pub(super) async fn asked<T>(
        asking: Asking<'_>,
        payload: Payload,
        read: impl FnOnce(&Self) -> Result<T, MalformedRequest>,
    ) -> Result<Result<T, HttpResponse>, Problem> {
        let form = Self::parse(&bytes_of(asking.service, asking.http, payload).await?);
        match form.in_order(asking.http).and_then(|()| read(&form)) {
            Ok(asked) => Ok(Ok(asked)),
            Err(refusal) => asking.malformed_request(form.get("client_id"), refusal).await.map(Err),
        }
    }

    /// Whether everything came where and as it must.
    fn in_order(&self, http: &HttpRequest) -> Result<(), MalformedRequest> {
        if !http.query_string().is_empty() {
            return Err(MalformedRequest::ParametersInUrl);
        }
        if !http.content_type().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(MalformedRequest::ContentType);
        }
        if self.repeated().is_empty() { Ok(()) } else { Err(MalformedRequest::Repeated) }
    }

    /// A parameter; one without a value is as if it were not there.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// The same, as a text of its own.
    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    /// All parameters but one, written anew.
    pub(super) fn without(&self, name: &str) -> String {
        let others = self.0.iter().filter(|(given, _)| given != name);
        form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish()
    }

    /// Every resource server that is named.
    pub(super) fn resources(&self) -> Vec<String> {
        let resources = self.0.iter().filter(|(name, value)| name == MANY && !value.is_empty());
        resources.map(|(_, value)| value.clone()).collect()
    }

    /// The parameters that stand more than once and may not.
    pub(super) fn repeated(&self) -> Vec<String> {
        let (mut seen, mut repeated) = (HashSet::new(), Vec::new());
        for (name, _) in &self.0 {
            if !seen.insert(name) && name != MANY && !repeated.contains(name) && repeated.len() < MOST_TOLD {
                repeated.push(name.clone());
            }
        }
        repeated
    }
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn oauth_39_what_stands_twice_is_seen_and_what_is_empty_is_not_there() {
        let form = Form::parse(b"a=1&b=&resource=x&a=2&resource=y&c=%20+");
        assert_eq!(form.repeated(), ["a"]);
        assert_eq!(
            (form.get("a"), form.get("b"), form.get("c"), form.get("d")),
            (Some("1"), None, Some("  "), None)
        );
        assert_eq!(form.resources(), ["x", "y"]);
    }
}
