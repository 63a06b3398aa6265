//! In what encoding an answer is wanted.

use actix_web::{
    HttpRequest,
    http::header::{AcceptEncoding, Encoding, Header as _},
};

/// Whether `Accept-Encoding` has gzip before the plain bytes.
pub(crate) fn accepts_gzip(http: &HttpRequest) -> bool {
    let accepted = AcceptEncoding::parse(http).ok();
    let offered = [Encoding::gzip(), Encoding::identity()];
    accepted
        .and_then(|accepted| accepted.negotiate(offered.iter()))
        .is_some_and(|best| best == Encoding::gzip())
}
