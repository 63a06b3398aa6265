//! Configuration: `muniment.toml`, then the environment (`MUNIMENT_SECTION__KEY`), then flags. What is unknown is
//! refused: a misspelt setting that is silently ignored is worse than none.

mod log;
mod settings;

use std::{
    ffi::OsStr,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use app::SessionLimits;
use crypto::SecretString;
use figment::{
    Figment, Provider,
    providers::{Data, Env, Format, Serialized, Toml},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize, Serializer};
use server::{CompatibilityConfig, LimitsConfig, ProxyConfig, ServerConfig, Settings, TlsConfig};
use url::Url;

pub use log::{KurrentPlace, LogPlace, LogSection, given, scheme};
pub use settings::{Problems, Setting, problems, settings};

use self::settings::{Problem, Reading};
use crate::arguments::{Export, Init, Place, Serve};

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
    /// Where the compatibility API acts.
    pub compatibility: CompatibilityConfig,
    /// Where the log is kept.
    pub log: LogSection,
    /// Where everything else of this node is.
    pub data: DataSection,
    /// What opens the vault.
    pub keys: KeysSection,
    /// The service's own log lines.
    pub telemetry: TelemetrySection,
    /// What commands run on.
    pub commands: CommandsSection,
    /// What an empty log begins with.
    pub bootstrap: BootstrapSection,
    /// Sessions of members.
    pub sessions: SessionsSection,
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

/// `[bootstrap]`: of no account once there is a log
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapSection {
    /// What the first administrator is called.
    pub name: Option<String>,
    /// Where mail reaches it; it signs in by it.
    pub email: Option<String>,
    /// File of the password that it begins with.
    pub password_file: Option<PathBuf>,
}

/// `[sessions]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsSection {
    /// How long a member stays signed in.
    pub lifetime_seconds: u32,
    /// How long without a request.
    pub idle_seconds: u32,
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

impl Default for SessionsSection {
    fn default() -> Self {
        Self { lifetime_seconds: 12 * 60 * 60, idle_seconds: 2 * 60 * 60 }
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

/// What only some commands have as flags.
#[derive(Clone, Copy, Default)]
pub struct Given<'a> {
    listen: Option<SocketAddr>,
    public_url: Option<&'a Url>,
    bootstrap_password_file: Option<&'a Path>,
}

/// The flags that set something, by its key.
const FLAGS: [(&str, &str); 6] = [
    ("log.url", "--log"),
    ("data.directory", "--data-dir"),
    ("keys.master_key_file", "--master-key-file"),
    ("server.listen", "--listen"),
    ("server.public_url", "--public-url"),
    ("bootstrap.password_file", "--bootstrap-password-file"),
];

/// More threads of a kind than any machine has use for.
const MOST_THREADS: usize = 512;
/// No command fits into less.
const LEAST_BODY_BYTES: usize = 1_024;

impl Config {
    /// Reads the configuration of an instance.
    ///
    /// # Errors
    /// Everything that cannot be read, that nothing knows, or that does not fit, with where it stands.
    pub fn load(place: &Place) -> Result<Self, Problems> {
        Reading::of(place, Given::default()).config()
    }

    /// The same with the flags of `serve`, and refusing numbers and URLs that no service can run with.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn for_serve(serve: &Serve) -> Result<Self, Problems> {
        let given = Given {
            listen: serve.listen,
            public_url: serve.public_url.as_ref(),
            bootstrap_password_file: serve.bootstrap_password_file.as_deref(),
        };
        Reading::of(&serve.place, given).with_values_checked().config()
    }

    /// The same with the flags of `init`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn for_init(init: &Init) -> Result<Self, Problems> {
        let bootstrap_password_file = init.bootstrap_password_file.as_deref();
        Reading::of(&init.place, Given { bootstrap_password_file, ..Given::default() }).config()
    }

    /// The same with the flags of `export`, whose records name the public URL.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn for_export(export: &Export) -> Result<Self, Problems> {
        let given = Given { public_url: export.public_url.as_ref(), ..Given::default() };
        Reading::of(&export.place, given).with_values_checked().config()
    }

    /// Numbers that no service can run with, and what they must be.
    fn sizes_out_of_bounds(&self) -> Vec<(&'static str, String)> {
        let workers = self.server.workers.map_or(1, NonZeroUsize::get);
        let mut found = Vec::new();
        for (key, value, least, most) in [
            ("server.workers", workers, 1, MOST_THREADS),
            ("commands.threads", self.commands.threads.get(), 1, MOST_THREADS),
            ("commands.argon2_workers", self.commands.argon2_workers.get(), 1, MOST_THREADS),
            ("server.max_body_bytes", self.server.max_body_bytes, LEAST_BODY_BYTES, usize::MAX),
        ] {
            if value > most {
                found.push((key, format!("it is {value}, and must be {least} to {most}")));
            } else if value < least {
                found.push((key, format!("it is {value}, and must be at least {least}")));
            }
        }
        found
    }

    /// What a public URL must be, if this is one that no issuer can begin with.
    fn public_url_rule(&self) -> Option<String> {
        let url = self.server.public_url.as_ref()?;
        let plain = url.username().is_empty() && url.password().is_none();
        let usable = matches!(url.scheme(), "http" | "https")
            && plain
            && url.query().is_none()
            && url.fragment().is_none();
        (!usable).then(|| {
            "it must be an http or https URL without user, query and fragment: every issuer begins with it".to_owned()
        })
    }

    /// How long members stay signed in.
    pub fn session_limits(&self) -> SessionLimits {
        let seconds = |seconds| SignedDuration::from_secs(i64::from(seconds));
        let SessionsSection { lifetime_seconds, idle_seconds } = self.sessions;
        SessionLimits { lifetime: seconds(lifetime_seconds), idle: seconds(idle_seconds) }
    }

    /// Everything about the HTTP side.
    pub fn settings(&self) -> Settings {
        Settings {
            server: self.server.clone(),
            proxy: self.proxy.clone(),
            limits: self.limits.clone(),
            tls: self.tls.clone(),
            compatibility: self.compatibility.clone(),
        }
    }

    /// The control socket: only who may open the data directory may reach it.
    pub fn control_socket(&self) -> PathBuf {
        self.data.control_socket.clone().unwrap_or_else(|| self.data.directory.join("control.sock"))
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

/// Everything that is set, the later over the earlier, not yet looked at; and what could not be read at all, which is
/// left out.
fn figment(place: &Place, given: Given<'_>) -> (Figment, Vec<Problem>) {
    let mut wrong = Vec::new();
    let mut figment = Figment::new();
    match &place.config {
        Some(file) if !file.exists() => {
            let rule = format!("there is no file `{}`", file.display());
            wrong.push(Problem { key: "configuration file".to_owned(), from: "--config".to_owned(), rule });
        }
        Some(file) => figment = merged(figment, Toml::file_exact(file), file, &mut wrong),
        None if Path::new(FILE).exists() => {
            figment = merged(figment, Toml::file_exact(FILE), Path::new(FILE), &mut wrong);
        }
        None => {}
    }
    let unsectioned = unsectioned_variables();
    // By their name alone: figment's own message would quote the value, and the value of a mistyped
    // `MUNIMENT_KEYS__MASTER_KEY` is the master key.
    wrong.extend(unsectioned.iter().map(|name| Problem {
        key: name.clone(),
        from: "environment".to_owned(),
        rule: format!("nothing is called so: variables are called {PREFIX}SECTION__KEY"),
    }));
    let variables = Env::prefixed(PREFIX).filter(|key| {
        let key = key.as_str();
        !key.to_ascii_uppercase().starts_with(TESTS) && key.contains("__")
    });
    figment = figment.merge(variables.split("__"));
    let url = given.public_url.map(Url::as_str);
    let listen = given.listen.map(|address| address.to_string());
    let values = [
        place.log.as_deref().map(Path::new),
        place.data_dir.as_deref(),
        place.master_key_file.as_deref(),
        listen.as_deref().map(Path::new),
        url.map(Path::new),
        given.bootstrap_password_file,
    ];
    for ((key, flag), value) in FLAGS.into_iter().zip(values) {
        match value.map(Path::to_str) {
            Some(Some(value)) => figment = figment.merge(Serialized::default(key, value)),
            Some(None) => wrong.push(Problem {
                key: key.to_owned(),
                from: flag.to_owned(),
                rule: "it must be UTF-8".to_owned(),
            }),
            None => {}
        }
    }
    (figment, wrong)
}

fn merged(figment: Figment, data: Data<Toml>, file: &Path, wrong: &mut Vec<Problem>) -> Figment {
    match data.data() {
        Ok(_) => figment.merge(data),
        Err(error) => {
            let from = file.display().to_string();
            // Without the line itself, which may hold the master key.
            let text = error.kind.to_string();
            let said: Vec<_> = text.lines().filter(|line| !line.contains('|') && !line.is_empty()).collect();
            let rule = format!("it cannot be read: {}", said.join(": "));
            wrong.push(Problem { key: "configuration file".to_owned(), from, rule });
            figment
        }
    }
}

fn redacted<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| "(secret)").serialize(serializer)
}

fn unsectioned_variables() -> Vec<String> {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let mut found: Vec<_> = names
        .filter(|name| {
            name.strip_prefix(PREFIX).is_some_and(|rest| !rest.starts_with(TESTS) && !rest.contains("__"))
        })
        .collect();
    found.sort();
    found
}
