//! The parameters of a query.

use actix_web::HttpRequest;
use domain::EnvironmentName;
use serde::{Deserialize, de::DeserializeOwned};
use serde_html_form::Deserializer;
use serde_path_to_error::Path;

use super::json::wrong;
use crate::problem::Problem;

/// No parameters at all.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParameters {}

/// The parameters of a request; an unknown one is refused by its name.
pub(super) fn of<Q: DeserializeOwned>(http: &HttpRequest) -> Result<Q, Problem> {
    parse(http.query_string())
}

/// The one environment that the query limits the answer to, if it names one.
pub(super) fn environment(http: &HttpRequest) -> Option<EnvironmentName> {
    let mut named =
        form_urlencoded::parse(http.query_string().as_bytes()).filter(|(name, _)| name == "environment");
    let (Some((_, name)), None) = (named.next(), named.next()) else { return None };
    EnvironmentName::parse(&name).ok()
}

pub(super) fn parse<Q: DeserializeOwned>(query: &str) -> Result<Q, Problem> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    let parameters = serde_path_to_error::deserialize(Deserializer::new(pairs)).map_err(|error| {
        let message = error.inner().to_string();
        match message.split('`').nth(1) {
            Some(name) if message.starts_with("unknown field") => {
                Problem::in_query(name, "unknown_parameter", "there is no such parameter here")
            }
            Some(name) if message.starts_with("duplicate field") => {
                Problem::in_query(name, "duplicate", "stands twice")
            }
            Some(name) if message.starts_with("missing field") => {
                Problem::in_query(name, "required", "must be given")
            }
            // A parameter that is given twice and taken once.
            None if message == "unsupported value" => {
                Problem::in_query(name(error.path()), "duplicate", "stands twice")
            }
            Some(_) | None => Problem::in_query(name(error.path()), "malformed", wrong(&message).detail),
        }
    })?;
    // A script whose variable is not set must not get everything for one thing.
    match pairs.into_iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(Problem::in_query(name, "required", "must not be empty: leave it out")),
        None => Ok(parameters),
    }
}

fn name(path: &Path) -> String {
    path.to_string()
}
