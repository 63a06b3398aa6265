//! Configuration: `muniment.toml`, then the environment (`MUNIMENT_SECTION__KEY`), then flags. What is unknown is
//! refused: a misspelt setting that is silently ignored is worse than none.

mod settings;

use std::{
    ffi::OsStr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use crypto::SecretString;
use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use serde::{Deserialize, Serialize, Serializer};
use server::{LimitsConfig, ProxyConfig, ServerConfig, Settings, TlsConfig};
use url::Url;

pub use settings::{Setting, problems, settings};

use crate::arguments::{Place, Serve};

const FILE: &str = "muniment.toml";
/// The framework's own start-up lines say nothing that ours do not.
const DEFAULT_FILTER: &str = "info,actix_server=warn";
const PREFIX: &str = "MUNIMENT_";
/// Variables with this beginning belong to the test suite.
const TESTS: &str = "TEST_";

/// Everything that can be set.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP side.
    pub server: ServerConfig,
    /// TLS of the HTTP side.
    pub tls: TlsConfig,
    /// Which proxies are believed.
    pub proxy: ProxyConfig,
    /// How much one caller may ask.
    pub limits: LimitsConfig,
    /// Where everything durable is.
    pub data: DataSection,
    /// What opens the vault.
    pub keys: KeysSection,
    /// The service's own log lines.
    pub telemetry: TelemetrySection,
    /// What commands run on.
    pub commands: CommandsSection,
}

/// `[data]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataSection {
    /// Directory of log, keys and views.
    pub directory: PathBuf,
    /// Socket by which commands of the host reach a running service; `None` is `control.sock` in the directory.
    pub control_socket: Option<PathBuf>,
}

/// `[keys]`
#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysSection {
    /// The master key itself, for the environment alone.
    #[serde(serialize_with = "redacted")]
    pub master_key: Option<SecretString>,
    /// File of the master key.
    pub master_key_file: Option<PathBuf>,
}

/// `[telemetry]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySection {
    /// What is logged, as `tracing` filters are written.
    pub filter: String,
    /// How; `None` is `text` on a terminal, else `json`.
    pub format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// `[commands]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandsSection {
    /// Threads that commands run on.
    pub threads: NonZeroUsize,
    /// Threads that compute Argon2; each takes 19 MiB while it does.
    pub argon2_workers: NonZeroUsize,
}

impl Default for DataSection {
    fn default() -> Self {
        Self { directory: PathBuf::from("muniment-data"), control_socket: None }
    }
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self { filter: DEFAULT_FILTER.to_owned(), format: None }
    }
}

impl Default for CommandsSection {
    fn default() -> Self {
        Self { threads: processors(), argon2_workers: processors() }
    }
}

impl std::fmt::Debug for KeysSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeysSection").field("master_key_file", &self.master_key_file).finish_non_exhaustive()
    }
}

fn processors() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Flags in the shape of the configuration; what is not given is left out.
#[derive(Serialize)]
struct Flags<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<DataFlags<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<KeysFlags<'a>>,
}

#[derive(Serialize)]
struct DataFlags<'a> {
    directory: &'a Path,
}

#[derive(Serialize)]
struct KeysFlags<'a> {
    master_key_file: &'a Path,
}

/// More threads of a kind than any machine has use for.
const MOST_THREADS: usize = 512;
/// No command fits into less.
const LEAST_BODY_BYTES: usize = 1_024;

impl Config {
    /// Reads the configuration of an instance.
    ///
    /// # Errors
    /// A file that cannot be read, a key that nothing knows or a value that does not fit, with where it stands.
    pub fn load(place: &Place) -> anyhow::Result<Self> {
        extract(&figment(place)?)
    }

    /// The same with the flags of `serve`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn for_serve(serve: &Serve) -> anyhow::Result<Self> {
        let mut config = Self::load(&serve.place)?;
        if let Some(listen) = serve.listen {
            config.server.listen = listen;
        }
        config.set_public_url(serve.public_url.as_ref())?;
        config.check_sizes()?;
        Ok(config)
    }

    /// Refuses numbers that no service can run with.
    ///
    /// # Errors
    /// If one is out of its bounds; which, and what they are.
    pub fn check_sizes(&self) -> anyhow::Result<()> {
        let workers = self.server.workers.map_or(1, NonZeroUsize::get);
        for (key, value, least, most) in [
            ("server.workers", workers, 1, MOST_THREADS),
            ("commands.threads", self.commands.threads.get(), 1, MOST_THREADS),
            ("commands.argon2_workers", self.commands.argon2_workers.get(), 1, MOST_THREADS),
            ("server.max_body_bytes", self.server.max_body_bytes, LEAST_BODY_BYTES, usize::MAX),
        ] {
            if !(least..=most).contains(&value) {
                bail!("{key} is {value}, and must be {least} to {most}");
            }
        }
        Ok(())
    }

    /// Takes a public URL from a flag, if it was given.
    ///
    /// # Errors
    /// If no issuer can begin with the one that counts.
    pub fn set_public_url(&mut self, flag: Option<&Url>) -> anyhow::Result<()> {
        if let Some(url) = flag {
            self.server.public_url = Some(url.clone());
        }
        self.check_public_url()
    }

    /// Everything about the HTTP side.
    pub fn settings(&self) -> Settings {
        Settings {
            server: self.server.clone(),
            proxy: self.proxy.clone(),
            limits: self.limits.clone(),
            tls: self.tls.clone(),
        }
    }

    /// The control socket: only who may open the data directory may reach it.
    pub fn control_socket(&self) -> PathBuf {
        self.data.control_socket.clone().unwrap_or_else(|| self.data.directory.join("control.sock"))
    }

    /// Refuses a public URL that no issuer can begin with.
    ///
    /// # Errors
    /// If it is one.
    pub fn check_public_url(&self) -> anyhow::Result<()> {
        if let Some(url) = &self.server.public_url {
            let plain = url.username().is_empty() && url.password().is_none();
            if !matches!(url.scheme(), "http" | "https")
                || !plain
                || url.query().is_some()
                || url.fragment().is_some()
            {
                bail!(
                    "server.public_url must be an http or https URL without user, query and fragment: every issuer begins with it"
                );
            }
        }
        Ok(())
    }

    /// The file of the master key: beside the data directory unless it is set, so that a copy of the one is not a copy
    /// of the other.
    pub fn master_key_file(&self) -> PathBuf {
        self.keys.master_key_file.clone().unwrap_or_else(|| {
            // Absolute first: `.` has a name then, and one that is not cut at a dot.
            let directory =
                std::path::absolute(&self.data.directory).unwrap_or_else(|_| self.data.directory.clone());
            let mut name = directory.file_name().unwrap_or(OsStr::new("muniment-data")).to_owned();
            name.push(".key");
            directory.with_file_name(name)
        })
    }
}

/// Everything that is set, the later over the earlier, not yet looked at.
fn figment(place: &Place) -> anyhow::Result<Figment> {
    refuse_other_logs(place.log.as_deref())?;
    let mut figment = Figment::new();
    match &place.config {
        Some(file) if !file.is_file() => bail!("there is no configuration file `{}`", file.display()),
        Some(file) => figment = figment.merge(Toml::file_exact(file)),
        None if Path::new(FILE).is_file() => figment = figment.merge(Toml::file_exact(FILE)),
        None => {}
    }
    refuse_unsectioned_variables()?;
    let variables = Env::prefixed(PREFIX).filter(|key| !key.as_str().to_ascii_uppercase().starts_with(TESTS));
    let flags = Flags {
        data: place.data_dir.as_deref().map(|directory| DataFlags { directory }),
        keys: place.master_key_file.as_deref().map(|master_key_file| KeysFlags { master_key_file }),
    };
    Ok(figment.merge(variables.split("__")).merge(Serialized::defaults(flags)))
}

fn extract(figment: &Figment) -> anyhow::Result<Config> {
    figment.extract().context("reading the configuration")
}

/// The scheme alone is named: what follows may hold a password.
fn refuse_other_logs(log: Option<&str>) -> anyhow::Result<()> {
    match log.map(|log| log.split(':').next().unwrap_or_default()) {
        None | Some("embedded") => Ok(()),
        Some(other) => bail!(
            "--log: `{other}` is not in this build, which keeps its log in embedded files: --log embedded"
        ),
    }
}

fn redacted<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| "(secret)").serialize(serializer)
}

/// A variable without a section, by its name alone: figment's own message would quote the value, and the value of a
/// mistyped `MUNIMENT_KEYS__MASTER_KEY` is the master key.
fn refuse_unsectioned_variables() -> anyhow::Result<()> {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if let Some(rest) = name.strip_prefix(PREFIX)
            && !rest.starts_with(TESTS)
            && !rest.contains("__")
        {
            bail!("the environment variable `{name}` is not known: they are called {PREFIX}SECTION__KEY");
        }
    }
    Ok(())
}
