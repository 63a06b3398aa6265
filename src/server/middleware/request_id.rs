//! Every request has an id: the caller's own, if it is a sane one, or a new one.

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web::Data,
};

use crate::service::Service;

/// The header, in requests and in answers.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST: usize = 64;

/// The id of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// The id that the middleware gave.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self(String::new()))
    }

    fn accepted(header: &HeaderValue) -> Option<Self> {
        let text = header.to_str().ok()?;
        let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(sane);
        fits.then(|| Self(text.to_owned()))
    }
}

/// Gives the request its id, and the answer too.
pub(crate) async fn identify(
    service: Data<Service>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = match request.headers().get(X_REQUEST_ID).and_then(RequestId::accepted) {
        Some(id) => id,
        // Without entropy nothing works, but the answer that says so still has to leave.
        None => RequestId(service.new_id().map_or_else(|_| "none".to_owned(), |id| id.to_string())),
    };
    let header = HeaderValue::from_str(&id.0);
    request.extensions_mut().insert(id);
    let mut response = next.call(request).await?;
    if let Ok(header) = header {
        response.headers_mut().insert(X_REQUEST_ID, header);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::{HeaderValue, RequestId};

    #[test]
    fn only_a_sane_id_is_taken_over() {
        for text in ["a", "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e", "build_7.2", &"x".repeat(64)] {
            assert!(RequestId::accepted(&HeaderValue::from_str(text).unwrap()).is_some(), "{text}");
        }
        for text in ["", "a b", "a\tb", "a/b", "é", "<script>", &"x".repeat(65)] {
            let header = HeaderValue::from_bytes(text.as_bytes()).unwrap();
            assert!(RequestId::accepted(&header).is_none(), "{text}");
        }
    }
}
