//! `/persons`.

pub(crate) mod erase;
