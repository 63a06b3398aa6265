//! A script that starts itself again, so that the services it starts find in their environment what they need.

use std::process::Command;

use crate::{connection::optimised_binary, measure::Result};

/// Set for the process that measures.
const MEASURES: &str = "LOAD_MEASURES";

/// Whether this process is to measure. The first one starts another, which is to, and waits for it: the service is given the
/// environment of whoever starts it, and that has to name the optimised binary.
pub fn is_measuring(arguments: &[String]) -> Result<bool> {
    if std::env::var_os(MEASURES).is_some() {
        return Ok(true);
    }
    let mut child = Command::new(std::env::current_exe()?);
    child.args(arguments).env(MEASURES, "1").env("MUNIMENT_TEST_BINARY", optimised_binary()?);
    if child.status()?.success() { Ok(false) } else { Err("the measurement failed".into()) }
}
