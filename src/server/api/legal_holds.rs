//! `/legal_holds`.

pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod place;
pub(crate) mod release;
