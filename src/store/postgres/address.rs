//! The address of a database, and what every connection to it is set to.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use super::error::PostgresError;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Everything that is asked is asked by an index, and known beforehand. The planner would guess from statistics that lag
/// behind a growing log, and a table that was small when it guessed would be walked for as long as the plan lives.
const SETTINGS: [(&str, &str); 9] = [
    ("search_path", "muniment"),
    ("jit", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // A net: no code of ours waits for anything with a transaction open.
    ("idle_in_transaction_session_timeout", "10s"),
    // Ends whoever waits for the head of the log behind a connection that is stuck.
    ("lock_timeout", "8s"),
];

/// How to connect to the database at `url`.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, PostgresError> {
    let mut options = PgConnectOptions::from_str(url).map_err(PostgresError::Address)?;
    if let Some(root) = root(url) {
        expect_certificate(root)?;
        // As the programs of Postgres do. sqlx would be content with any certificate.
        if matches!(options.get_ssl_mode(), PgSslMode::Require) {
            options = options.ssl_mode(PgSslMode::VerifyCa);
        }
    }
    Ok(options.application_name("muniment").options(SETTINGS))
}

/// Whether somebody else on the way could answer in the place of the database.
pub(super) fn is_open(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    let is_here = options.get_socket().is_some()
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    !is_here && !matches!(options.get_ssl_mode(), PgSslMode::VerifyCa | PgSslMode::VerifyFull)
}

/// The certificates that are believed, in PEM or as the name of their file, from where sqlx takes them.
fn root(url: &str) -> Option<String> {
    const NAMES: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];
    let url = Url::parse(url).ok()?;
    let named = url.query_pairs().filter(|(name, _)| NAMES.contains(&name.as_ref())).last();
    named.map(|(_, root)| root.into_owned()).or_else(|| std::env::var("PGSSLROOTCERT").ok())
}

/// Each connection reads the file again. What is wrong with it would be told without its name, or not at all.
fn expect_certificate(root: String) -> Result<(), PostgresError> {
    if root.starts_with(CERTIFICATE) {
        return Ok(());
    }
    let file = PathBuf::from(root);
    match std::fs::read_to_string(&file) {
        Ok(text) if text.contains(CERTIFICATE) => Ok(()),
        Ok(_) => Err(PostgresError::NoCertificate(file)),
        Err(source) => Err(PostgresError::Certificate { file, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_a_certificate_wants_it_checked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let url = format!("postgres://ada:hunter2@db/log?sslmode=require&sslrootcert={}", file.display());
        let missing = options(&url).unwrap_err();
        assert!(matches!(missing, PostgresError::Certificate { .. }), "{missing}");
        std::fs::write(&file, "no certificate").unwrap();
        let none = options(&url).unwrap_err();
        assert!(matches!(none, PostgresError::NoCertificate(_)), "{none}");
        std::fs::write(&file, CERTIFICATE).unwrap();
        assert!(matches!(options(&url).unwrap().get_ssl_mode(), PgSslMode::VerifyCa));
    }

    #[test]
    fn an_address_that_leaves_the_machine_is_open_unless_who_answers_is_checked() {
        let open = |url: &str| is_open(&options(url).unwrap());
        assert!(open("postgres://ada@db/log") && open("postgres://ada@10.0.0.1/log?sslmode=require"));
        assert!(!open("postgres://ada@db/log?sslmode=verify-full"));
        assert!(!open("postgres://ada@localhost/log") && !open("postgres://ada@127.0.0.1/log"));
        assert!(!open("postgres:///log?host=/var/run/postgresql"));
    }
}
