//! Every setting with where it came from, and everything that is wrong at once.

use figment::{
    Figment, Metadata, Source,
    value::{Dict, Value as Set},
};
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::{Config, PREFIX};
use crate::{arguments::Place, control};

/// One setting as it is in force.
pub struct Setting {
    /// `section.key`
    pub key: String,
    /// Its value; of a secret only that there is one.
    pub value: Value,
    origin: Option<String>,
}

impl Setting {
    /// Whether anybody set it.
    pub fn is_set(&self) -> bool {
        self.origin.is_some()
    }

    /// The file, the variable or the flag that set it.
    pub fn origin(&self) -> &str {
        self.origin.as_deref().unwrap_or("default")
    }
}

/// Every setting there is.
///
/// # Errors
/// If the configuration cannot be read.
pub fn settings(place: &Place) -> anyhow::Result<Vec<Setting>> {
    let figment = super::figment(place)?;
    let config: Config = super::extract(&figment)?;
    let mut settings = Vec::new();
    for (section, keys) in serde_json::to_value(&config)?.as_object().into_iter().flatten() {
        for (key, value) in keys.as_object().into_iter().flatten() {
            let path = format!("{section}.{key}");
            let origin = figment.find_metadata(&path).map(|metadata| origin(metadata, &path));
            settings.push(Setting { key: path, value: value.clone(), origin });
        }
    }
    Ok(settings)
}

/// Everything that is wrong with the configuration of an instance, each with its key and where that was set.
///
/// # Errors
/// If what is sound alone is not together.
pub fn problems(place: &Place) -> anyhow::Result<Vec<String>> {
    let figment = match super::figment(place) {
        Ok(figment) => figment,
        Err(error) => return Ok(vec![chain(&error)]),
    };
    let set: Dict = match figment.extract() {
        Ok(set) => set,
        Err(error) => return Ok(vec![error.to_string()]),
    };
    let mut wrong = Vec::new();
    for (path, value) in leaves(set) {
        // Alone, so that one mistake does not hide the next.
        if let Err(error) = Figment::new().merge((path.as_str(), value)).extract::<Config>() {
            let from = figment.find_metadata(&path).map(|metadata| origin(metadata, &path));
            wrong.push(format!("{path} ({}): {}", from.unwrap_or_default(), error.kind));
        }
    }
    if wrong.is_empty() {
        let config: Config = super::extract(&figment)?;
        wrong.extend(unusable(&config).iter().map(chain));
    }
    Ok(wrong)
}

/// What no type can tell: whether the values can be used.
fn unusable(config: &Config) -> Vec<anyhow::Error> {
    let filter = EnvFilter::try_new(&config.telemetry.filter).map(drop);
    let key = config.master_key_file();
    let needed = config.data.directory.join("log.db").exists() || key.exists();
    let master_key = match &config.keys.master_key {
        Some(line) => crypto::MasterKey::parse(line).map(drop).map_err(anyhow::Error::from),
        None if needed => crypto::MasterKey::load(&key).map(drop).map_err(anyhow::Error::from),
        None => Ok(()),
    };
    let looked = [
        config.check_public_url(),
        config.check_sizes(),
        config.tls.load().map(drop).map_err(|error| anyhow::Error::from(error).context("[tls]")),
        control::check_path(config),
        filter.map_err(|error| anyhow::Error::from(error).context("telemetry.filter")),
        master_key.map_err(|error| error.context("[keys]")),
    ];
    looked.into_iter().filter_map(Result::err).collect()
}

/// `section.key` of everything that is set.
fn leaves(set: Dict) -> Vec<(String, Set)> {
    let mut leaves = Vec::new();
    for (section, value) in set {
        match value.into_dict() {
            Some(keys) => {
                leaves.extend(keys.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)));
            }
            // A key without a section; its value is no part of what is wrong with it.
            None => leaves.push((section, Set::from(true))),
        }
    }
    leaves
}

fn origin(metadata: &Metadata, path: &str) -> String {
    match &metadata.source {
        Some(Source::File(file)) => file.display().to_string(),
        Some(_) | None if metadata.name.contains("environment") => {
            format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
        }
        Some(_) | None => "flag".to_owned(),
    }
}

fn chain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
