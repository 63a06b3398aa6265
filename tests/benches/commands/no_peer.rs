//! In the peer's place without the feature `peers`: it is not measured.

use std::{path::Path, time::Duration};

use crate::measure::{Result, Sample};

/// How durable the peer would be.
pub enum Durability {
    /// synchronous = FULL.
    Full,
    /// synchronous = NORMAL.
    Normal,
}

/// Nothing.
pub async fn round(_: &Path, _: Durability, _: usize, _: Duration) -> Result<Option<Sample>> {
    Ok(None)
}
