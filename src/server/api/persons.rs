//! `/persons`.

pub(crate) mod erase;
pub(crate) mod get;
