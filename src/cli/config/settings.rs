//! Every setting with where it came from, and everything that is wrong at once.

use std::fmt;

use figment::{
    Figment, Metadata, Source,
    error::Kind,
    value::{Dict, Value as Set},
};
use serde::Serialize;
use serde_json::Value;
use store::DataDirectory;
use tracing_subscriber::EnvFilter;

use super::{Config, FLAGS, Given, PREFIX};
use crate::{arguments::Place, control, exit::chain};

/// One setting as it is in force.
pub struct Setting {
    /// `section.key`
    pub key: String,
    /// Its value; of a secret only that there is one.
    pub value: Value,
    origin: Option<String>,
}

/// Something that is wrong with the configuration.
#[derive(Debug, Serialize)]
pub struct Problem {
    /// `section.key`, or what else cannot be read.
    pub key: String,
    /// The file, the variable or the flag that set it; `default` if nobody did.
    pub from: String,
    /// What it must be.
    pub rule: String,
}

/// What keeps a configuration from being used, all of it.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

impl Setting {
    /// Whether anybody set it.
    pub fn is_set(&self) -> bool {
        self.origin.is_some()
    }

    /// The file, the variable or the flag that set it.
    pub fn origin(&self) -> &str {
        self.origin.as_deref().unwrap_or(DEFAULT)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.key, self.from, self.rule)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration cannot be used:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

const DEFAULT: &str = "default";
/// How the values look that the types alone do not tell.
const EXAMPLES: [(&str, &str); 2] =
    [("server.listen", "an address and a port, like 127.0.0.1:8080"), ("server.public_url", "a URL")];
/// What the types expect, as a person would say it.
const EXPECTED: [(&str, &str); 7] = [
    ("a nonzero usize", "a whole number from 1"),
    ("usize", "a whole number from 0"),
    ("u64", "a whole number from 0"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("path string", "a path"),
    ("a string", "a text"),
    ("a string representing an URL", "a URL"),
];

/// What is set, read as far as it is sound.
pub struct Reading {
    figment: Figment,
    /// Without what is wrong.
    pub config: Config,
    wrong: Vec<Problem>,
}

impl Reading {
    /// Reads everything that is set, and goes on after each fault.
    pub fn of(place: &Place, given: Given<'_>) -> Self {
        let (figment, mut wrong) = super::figment(place, given);
        let unreadable = |error: figment::Error| Problem {
            key: "configuration".to_owned(),
            from: error.metadata.map(|metadata| metadata.name.into_owned()).unwrap_or_default(),
            rule: error.kind.to_string(),
        };
        let set: Dict = figment.extract().unwrap_or_else(|error| {
            wrong.push(unreadable(error));
            Dict::new()
        });
        let mut sound = Figment::new();
        for (path, value) in leaves(set) {
            let faults = faults(&path, &value);
            if faults.is_empty() {
                sound = sound.merge((path, value));
                continue;
            }
            let from = origin(&figment, &path).unwrap_or_default();
            let problem = |rule| Problem { key: path.clone(), from: from.clone(), rule };
            wrong.extend(faults.into_iter().map(problem));
        }
        let config = sound.extract().unwrap_or_else(|error| {
            wrong.push(unreadable(error));
            Config::default()
        });
        let log = config.log.faults();
        let mut reading = Self { figment, config, wrong };
        reading.note(log);
        reading
    }

    /// The configuration, if nothing that was read is wrong.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn config(self) -> Result<Config, Problems> {
        if self.wrong.is_empty() { Ok(self.config) } else { Err(Problems(self.wrong)) }
    }

    /// Looks at what no type can tell and every command that serves depends on.
    pub fn with_values_checked(mut self) -> Self {
        let mut found: Vec<_> =
            self.config.public_url_rule().map(|rule| ("server.public_url", rule)).into_iter().collect();
        found.extend(self.config.sizes_out_of_bounds());
        self.note(found);
        self
    }

    /// Looks at all else that a start would stumble over: files, the filter, the path of the socket.
    fn with_uses_checked(mut self) -> Self {
        let mut found = Vec::new();
        found.extend(self.config.tls.faults().iter().map(|error| (error.key(), chain(error))));
        if let Err(error) = control::check_path(&self.config) {
            let set = self.config.data.control_socket.is_some();
            found.push((if set { "data.control_socket" } else { "data.directory" }, error.to_string()));
        }
        if let Err(error) = EnvFilter::try_new(&self.config.telemetry.filter) {
            found.push(("telemetry.filter", error.to_string()));
        }
        found.extend(self.master_key());
        self.note(found);
        self
    }

    fn master_key(&self) -> Option<(&'static str, String)> {
        if let Some(line) = &self.config.keys.master_key {
            return crypto::MasterKey::parse(line).err().map(|error| ("keys.master_key", error.to_string()));
        }
        let file = self.config.master_key_file();
        let needed = DataDirectory::exists(&self.config.data.directory).is_ok() || file.exists();
        let loaded = needed.then(|| crypto::MasterKey::load(&file)).transpose();
        loaded.err().map(|error| ("keys.master_key_file", error.to_string()))
    }

    /// A value that could not be read is no reason to complain of what stands in for it.
    fn note(&mut self, found: Vec<(&'static str, String)>) {
        for (key, rule) in found {
            if self.wrong.iter().all(|problem| problem.key != key) {
                let from = origin(&self.figment, key).unwrap_or_else(|| DEFAULT.to_owned());
                self.wrong.push(Problem { key: key.to_owned(), from, rule });
            }
        }
    }
}

/// Every setting there is.
///
/// # Errors
/// If the configuration cannot be read; everything that is wrong with it.
pub fn settings(place: &Place) -> anyhow::Result<Vec<Setting>> {
    let reading = Reading::of(place, Given::default());
    let figment = reading.figment.clone();
    let config = reading.config()?;
    let mut settings = Vec::new();
    for (section, keys) in serde_json::to_value(&config)?.as_object().into_iter().flatten() {
        for (key, value) in keys.as_object().into_iter().flatten() {
            let path = format!("{section}.{key}");
            let origin = origin(&figment, &path);
            settings.push(Setting { key: path, value: value.clone(), origin });
        }
    }
    Ok(settings)
}

/// Everything that is wrong with the configuration of an instance, each with its key and where that was set.
pub fn problems(place: &Place) -> Problems {
    let reading = Reading::of(place, Given::default()).with_values_checked().with_uses_checked();
    Problems(reading.wrong)
}

/// What is wrong with a value, looked at alone, so that one mistake does not hide the next; nor in a list.
fn faults(path: &str, value: &Set) -> Vec<String> {
    let parts = if let Set::Array(tag, items) = value
        && items.len() > 1
    {
        items.iter().map(|item| Set::Array(*tag, vec![item.clone()])).collect()
    } else {
        vec![value.clone()]
    };
    let mut broken = Vec::new();
    for part in parts {
        if let Err(error) = Figment::new().merge((path, part)).extract::<Config>() {
            broken.push(rule(path, &error.kind));
        }
    }
    broken
}

/// `section.key` of everything that is set.
fn leaves(set: Dict) -> Vec<(String, Set)> {
    let mut leaves = Vec::new();
    for (section, value) in set {
        if let Set::Dict(_, keys) = &value
            && !keys.is_empty()
        {
            let keys = keys.iter().map(|(key, value)| (format!("{section}.{key}"), value.clone()));
            leaves.extend(keys);
        } else {
            leaves.push((section, value));
        }
    }
    leaves
}

/// What is broken, never with the value of a key that may be misspelt: it can be the master key.
fn rule(path: &str, kind: &Kind) -> String {
    let named = |list: &[&str]| list.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match kind {
        Kind::UnknownField(_, known) => match path.split_once('.') {
            Some((section, key)) if !known.contains(&section) && known.contains(&"server") => {
                format!("there is no section `{section}` to have `{key}`, only {}", named(known))
            }
            Some((section, _)) => format!("there is no such key in `{section}`, only {}", named(known)),
            None => format!("it is no section, and every key is in one: {}", named(known)),
        },
        Kind::UnknownVariant(found, known) => format!("it is `{found}`, and must be one of {}", named(known)),
        // A section that is none: whatever was written there is not quoted.
        Kind::InvalidType(..) if !path.contains('.') => {
            format!("it must be a section, `[{path}]`, with keys in it")
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            let said = EXPECTED
                .iter()
                .find(|(name, _)| name == expected)
                .map_or(expected.as_str(), |(_, said)| said);
            format!("it is {found}, and must be {said}")
        }
        other @ (Kind::Message(_)
        | Kind::InvalidLength(..)
        | Kind::MissingField(_)
        | Kind::DuplicateField(_)
        | Kind::ISizeOutOfRange(_)
        | Kind::USizeOutOfRange(_)
        | Kind::Unsupported(_)
        | Kind::UnsupportedKey(..)) => {
            let example = EXAMPLES.iter().find(|(key, _)| *key == path);
            example.map_or_else(|| other.to_string(), |(_, example)| format!("{other}; it must be {example}"))
        }
    }
}

/// The file, the variable or the flag that set it; `None` if nobody did.
fn origin(figment: &Figment, path: &str) -> Option<String> {
    figment.find_metadata(path).map(|metadata| origin_in(metadata, path))
}

fn origin_in(metadata: &Metadata, path: &str) -> String {
    match &metadata.source {
        Some(Source::File(file)) => file.display().to_string(),
        Some(_) | None if metadata.name.contains("environment") => variable(path),
        Some(_) | None => {
            let flag = FLAGS.iter().find(|(key, _)| *key == path);
            flag.map_or("flag", |(_, flag)| flag).to_owned()
        }
    }
}

/// The variable as it is called there: it may name something inside of the key.
fn variable(path: &str) -> String {
    let name = format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"));
    let inside = format!("{name}__");
    let set = std::env::vars_os().filter_map(|(set, _)| set.into_string().ok());
    set.filter(|set| *set == name || set.to_uppercase().starts_with(&inside)).min().unwrap_or(name)
}
