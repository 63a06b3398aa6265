//! Where the log is kept, and with it what opens the vault and what clients do.

use std::path::{Path, PathBuf};

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
    /// `embedded`, the URL of a database, or the connection string of a server of events; `None` is `embedded`.
    #[serde(serialize_with = "without_password")]
    pub url: Option<SecretString>,
    /// File that holds the URL, which can be a secret.
    pub url_file: Option<PathBuf>,
    /// The stream on a server of events.
    pub stream: Option<String>,
    /// What a server of events does not keep: `embedded`, or the URL of a database; `None` is `embedded`.
    #[serde(serialize_with = "without_password")]
    pub companion: Option<SecretString>,
    /// File that holds the URL of the companion.
    pub companion_file: Option<PathBuf>,
}

/// A place for a log.
#[derive(Debug)]
pub enum LogPlace {
    /// Files in the data directory, of one node.
    Embedded,
    /// A database of Postgres, of any number of nodes.
    Postgres(SecretString),
    /// A server of events, `KurrentDB` or `EventStoreDB`, and a companion beside it.
    Kurrent(KurrentPlace),
}

/// A log on a server of events.
#[derive(Debug)]
pub struct KurrentPlace {
    /// The connection string.
    pub url: SecretString,
    /// The stream that holds the log.
    pub stream: String,
    /// The database of all that is beside the entries, of any number of nodes; `None` if it is in the data directory of one.
    pub companion: Option<SecretString>,
}

impl LogSection {
    /// The place that is set.
    ///
    /// # Errors
    /// If it is none, or stands in a file that cannot be read.
    pub fn place(&self) -> anyhow::Result<LogPlace> {
        Ok(match self.log()? {
            LogPlace::Kurrent(place) => {
                LogPlace::Kurrent(KurrentPlace { companion: self.companion()?, ..place })
            }
            place @ (LogPlace::Embedded | LogPlace::Postgres(_)) => place,
        })
    }

    /// The same, whatever its companion is.
    fn log(&self) -> anyhow::Result<LogPlace> {
        match given(exposed(self.url.as_ref()), self.url_file.as_deref(), "the log")?.map(LogPlace::parse) {
            None => Ok(LogPlace::Embedded),
            Some(Ok(LogPlace::Kurrent(place))) => {
                let stream = self.stream.clone().unwrap_or(place.stream);
                Ok(LogPlace::Kurrent(KurrentPlace { stream, ..place }))
            }
            Some(place) => place.map_err(anyhow::Error::msg),
        }
    }

    fn companion(&self) -> anyhow::Result<Option<SecretString>> {
        let Some(url) =
            given(exposed(self.companion.as_ref()), self.companion_file.as_deref(), "the companion")?
        else {
            return Ok(None);
        };
        match LogPlace::parse(url) {
            Ok(LogPlace::Embedded) => Ok(None),
            Ok(LogPlace::Postgres(url)) => Ok(Some(url)),
            Ok(LogPlace::Kurrent(_)) | Err(_) => {
                bail!("a companion is `embedded`, or a database: postgres://role@host/database")
            }
        }
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
            LogPlace::Kurrent(_) => bail!(
                "{what} is for the log in embedded files: for one on a server of events see docs/kurrentdb.md"
            ),
        }
    }

    /// The keys that are wrong, and what they must be.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        for (url, file, keys) in [
            (&self.url, &self.url_file, ["log.url", "log.url_file"]),
            (&self.companion, &self.companion_file, ["log.companion", "log.companion_file"]),
        ] {
            if url.is_some() && file.is_some() {
                faults.push((keys[1], format!("{} is set, too: only one of them can be", keys[0])));
            }
        }
        if !faults.is_empty() {
            return faults;
        }
        let by_file = |file: bool, keys: [&'static str; 2]| keys[usize::from(file)];
        let companion_key = by_file(self.companion_file.is_some(), ["log.companion", "log.companion_file"]);
        let url_key = by_file(self.url_file.is_some(), ["log.url", "log.url_file"]);
        faults.extend(self.companion().err().map(|error| (companion_key, format!("{error:#}"))));
        if self.stream.as_deref().is_some_and(|stream| stream.is_empty() || stream.starts_with('$')) {
            faults.push((
                "log.stream",
                "it must not be empty, nor begin with `$`: those are the server's".to_owned(),
            ));
        }
        match self.log() {
            Ok(LogPlace::Kurrent(place)) => {
                let checked = kurrent::check_connection_string(place.url.expose_secret());
                faults.extend(
                    checked.err().map(|error| (url_key, format!("{:#}", anyhow::Error::from(error)))),
                );
            }
            Ok(LogPlace::Embedded | LogPlace::Postgres(_)) => {
                let rule = || "only a log on a server of events has one: log.url is none".to_owned();
                faults.extend(self.stream.is_some().then(|| ("log.stream", rule())));
                let companion = self.companion.is_some() || self.companion_file.is_some();
                faults.extend(companion.then(|| (companion_key, rule())));
            }
            Err(error) => faults.push((url_key, format!("{error:#}"))),
        }
        faults
    }
}

/// Where something is, given as it is or in a file.
///
/// # Errors
/// If the file cannot be read.
pub fn given(value: Option<&str>, file: Option<&Path>, what: &str) -> anyhow::Result<Option<SecretString>> {
    let text = match (value, file) {
        (Some(value), _) => value.to_owned(),
        (None, Some(file)) => {
            let read = std::fs::read_to_string(file);
            read.with_context(|| format!("reading where {what} is from `{}`", file.display()))?
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(text.trim().into()))
}

fn exposed(value: Option<&SecretString>) -> Option<&str> {
    value.map(ExposeSecret::expose_secret)
}

impl LogPlace {
    /// Reads `embedded` or a URL.
    ///
    /// # Errors
    /// What it must be. A scheme alone is named: what follows may hold a password.
    pub fn parse(url: SecretString) -> Result<Self, String> {
        let text = url.expose_secret();
        if text == EMBEDDED {
            return Ok(Self::Embedded);
        }
        match scheme(text) {
            Some("postgres" | "postgresql") => Ok(Self::Postgres(url)),
            Some(scheme) if is_of_events(scheme) => {
                let stream = kurrent::LOG_STREAM.to_owned();
                Ok(Self::Kurrent(KurrentPlace { url, stream, companion: None }))
            }
            other => Err(format!(
                "{} no place of a log: it must be `embedded` or a URL, postgres://role@host/database or \
                 esdb://user:password@host:2113",
                other.map_or("it is".to_owned(), |scheme| format!("`{scheme}` is"))
            )),
        }
    }
}

/// The scheme of a URL (RFC 3986 section 3.1); `None` if the text does not begin with one, and may be a secret.
pub fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let letter = scheme.starts_with(|first: char| first.is_ascii_lowercase());
    let rest = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "+-.".contains(char);
    (letter && scheme.chars().all(rest)).then_some(scheme)
}

/// Whether a URL of this scheme is the connection string of a server of events.
fn is_of_events(scheme: &str) -> bool {
    matches!(scheme.strip_suffix("+discover").unwrap_or(scheme), "esdb" | "kurrentdb")
}

impl std::fmt::Debug for LogSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogSection")
            .field("url_file", &self.url_file)
            .field("stream", &self.stream)
            .field("companion_file", &self.companion_file)
            .finish_non_exhaustive()
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
    // Several hosts make no URL.
    if let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_of_events(scheme)) {
        let rest = rest.rsplit('@').next().unwrap_or_default();
        let hosts = rest.split(['/', '?']).next().unwrap_or_default();
        // A server that speaks no TLS says nothing that tells why.
        let without_tls = if rest.contains("tls=false") { "?tls=false" } else { "" };
        return format!("{scheme}://{hosts}{without_tls}");
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
        let cluster = "esdb+discover://ada:hun:ter@2@a:2113,b:2113/?tls=true&tlsCaFile=/ca.pem";
        assert_eq!(shown(cluster), "esdb+discover://a:2113,b:2113");
        assert_eq!(shown("esdb://ada:hunter2@a:2113/?tls=false"), "esdb://a:2113?tls=false");
    }

    #[test]
    fn what_is_no_place_is_refused_by_its_scheme_alone() {
        let refused =
            LogPlace::parse("mysql://ada:hunter2@db/muniment".to_owned().into()).expect_err("no place");
        assert!(refused.contains("`mysql`") && !refused.contains("hunter2"), "{refused}");
        for secret in ["host=db user=ada password=hunter2", "hunter2:a@db", "hunter2", "password=hunter2://"]
        {
            let refused = LogPlace::parse(secret.to_owned().into()).expect_err("no place");
            assert!(refused.starts_with("it is no place") && !refused.contains("hunter2"), "{refused}");
        }
        assert!(matches!(LogPlace::parse("embedded".to_owned().into()), Ok(LogPlace::Embedded)));
    }
}
