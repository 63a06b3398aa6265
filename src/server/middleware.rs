//! What happens to every request, whatever it asks for.

pub(crate) mod anonymous;
pub(crate) mod cross_origin;
pub(crate) mod observation;
pub(crate) mod problems;
pub(crate) mod request_id;
pub(crate) mod security_headers;
