//! Where the log is kept, and with it what opens the vault and what clients do.

use std::path::PathBuf;

use anyhow::{Context, bail};
use crypto::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

/// In files of the data directory.
const EMBEDDED: &str = "embedded";

/// `[log]`
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// `embedded`, or the URL of a database; `None` is `embedded`.
    #[serde(serialize_with = "without_password")]
    pub url: Option<SecretString>,
    /// File that holds the URL, which can be a secret.
    pub url_file: Option<PathBuf>,
}

/// A place for a log.
#[derive(Debug)]
pub enum LogPlace {
    /// Files in the data directory, of one node.
    Embedded,
    /// A database of Postgres, of any number of nodes.
    Postgres(SecretString),
}

impl LogSection {
    /// The place that is set.
    ///
    /// # Errors
    /// If it is none, or stands in a file that cannot be read.
    pub fn place(&self) -> anyhow::Result<LogPlace> {
        let url = match (&self.url, &self.url_file) {
            (Some(url), _) => url.clone(),
            (None, Some(file)) => {
                let read = std::fs::read_to_string(file);
                let read =
                    read.with_context(|| format!("reading the URL of the log from `{}`", file.display()))?;
                SecretString::from(read.trim().to_owned())
            }
            (None, None) => return Ok(LogPlace::Embedded),
        };
        LogPlace::parse(url).map_err(anyhow::Error::msg)
    }

    /// Fails unless the log is in embedded files, which `what` is for.
    ///
    /// # Errors
    /// If it is not, with what to use instead.
    pub fn expect_embedded(&self, what: &str) -> anyhow::Result<()> {
        match self.place()? {
            LogPlace::Embedded => Ok(()),
            LogPlace::Postgres(_) => bail!(
                "{what} is for the log in embedded files: a database has tools of its own, see docs/deployment.md"
            ),
        }
    }

    /// The key that is wrong, and what it must be.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        if self.url.is_some() && self.url_file.is_some() {
            return Some(("log.url_file", "log.url is set, too: only one of them can be".to_owned()));
        }
        let key = if self.url_file.is_some() { "log.url_file" } else { "log.url" };
        self.place().err().map(|error| (key, format!("{error:#}")))
    }
}

impl LogPlace {
    /// Reads `embedded` or a URL.
    ///
    /// # Errors
    /// What it must be. The scheme alone is named: what follows may hold a password.
    pub fn parse(url: SecretString) -> Result<Self, String> {
        let text = url.expose_secret();
        match text.split(':').next().unwrap_or_default() {
            EMBEDDED => Ok(Self::Embedded),
            "postgres" | "postgresql" => Ok(Self::Postgres(url)),
            other => Err(format!(
                "`{other}` is no log of this build: it must be `embedded` or a URL, postgres://role@host/database"
            )),
        }
    }
}

impl std::fmt::Debug for LogSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogSection").field("url_file", &self.url_file).finish_non_exhaustive()
    }
}

fn without_password<S: Serializer>(url: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    url.as_ref().map(|url| shown(url.expose_secret())).serialize(serializer)
}

/// The URL for people; what cannot be read may hold a password anywhere.
fn shown(text: &str) -> String {
    if text == EMBEDDED {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else { return "(unreadable)".to_owned() };
    if url.cannot_be_a_base() {
        return "(unreadable)".to_owned();
    }
    if url.password().is_some() && url.set_password(Some("secret")).is_err() {
        return "(secret)".to_owned();
    }
    if url.query_pairs().any(|(name, _)| name == "password") {
        url.set_query(None);
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("embedded"), "embedded");
        assert_eq!(shown("postgres://ada:hunter2@db/muniment"), "postgres://ada:secret@db/muniment");
        assert_eq!(shown("postgres://ada@db/muniment?password=hunter2"), "postgres://ada@db/muniment");
        assert_eq!(shown("ada:hunter2@db"), "(unreadable)");
    }

    #[test]
    fn what_is_no_place_is_refused_by_its_scheme_alone() {
        let refused =
            LogPlace::parse("mysql://ada:hunter2@db/muniment".to_owned().into()).expect_err("no place");
        assert!(refused.contains("`mysql`") && !refused.contains("hunter2"), "{refused}");
        assert!(matches!(LogPlace::parse("embedded".to_owned().into()), Ok(LogPlace::Embedded)));
    }
}
