//! How much of a list, and from where.

use crypto::CursorKey;
use serde::{Serialize, de::DeserializeOwned};

use crate::problem::{Kind, Problem};

/// Items of a page if nothing is said, and at most.
pub(crate) const LIMITS: (usize, usize) = (50, 500);

/// The number of items asked for.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let (usual, most) = LIMITS;
    match asked {
        None => Ok(usual),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::in_query("limit", "out_of_range", format!("must be 1 to {most}"))),
    }
}

/// A cursor that says where the next page of the list `scope` begins.
pub(crate) fn cursor(key: &CursorKey, scope: &str, place: &impl Serialize) -> Result<String, Problem> {
    let payload = serde_json::to_vec(place).map_err(|error| Problem::new(Kind::Internal).because(error))?;
    Ok(key.sign(scope, &payload))
}

/// The place that a cursor of the list `scope` says.
pub(crate) fn place<P: DeserializeOwned>(key: &CursorKey, scope: &str, cursor: &str) -> Result<P, Problem> {
    let forged = || Problem::in_query("cursor", "malformed", "must be a `next` that this list gave out");
    let payload = key.verify(scope, cursor).map_err(|_| forged())?;
    serde_json::from_slice(&payload).map_err(|_| forged())
}
