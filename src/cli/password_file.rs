//! A password that a file holds.

use std::{fs, path::Path};

use anyhow::Context;
use crypto::{Personal, SecretString};

/// The password in a file. An editor ends the last line, which is no part of it.
///
/// # Errors
/// If there is no such file, or it is no text.
pub fn read(path: &Path) -> anyhow::Result<SecretString> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("reading the password file `{}`", path.display()))?;
    let text = Personal::new(text);
    let line = text.expose().strip_suffix('\n').unwrap_or(text.expose());
    Ok(SecretString::from(line.strip_suffix('\r').unwrap_or(line)))
}
