//! Which events are asked for: the parameters that all questions to the audit share.

use domain::{Client, ClientId};
use jiff::Timestamp;
use projections::audit_trail::Unknown;
use serde::Deserialize;
use store::Outcome;
use utoipa::ToSchema;

use crate::problem::Problem;

/// The longest free text, in characters.
const LONGEST_TEXT: usize = 200;
/// Types that one question may name.
const MOST_TYPES: usize = 50;

/// Done or refused.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutcomeName {
    Done,
    Refused,
}

impl From<OutcomeName> for Outcome {
    fn from(outcome: OutcomeName) -> Self {
        match outcome {
            OutcomeName::Done => Self::Done,
            OutcomeName::Refused => Self::Refused,
        }
    }
}

/// The parameters of a question to the audit: those given, and after them the shared ones. Serde cannot flatten a struct
/// and refuse unknown fields at once.
macro_rules! filtered {
    ($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            $($(#[$field_meta])* $field: $kind,)*
            /// The id of the actor.
            actor: Option<String>,
            /// The type of the event, `client.secret_rotated`, or the beginning of several, `client.*`. Can be repeated: any
            /// of them.
            #[serde(default)]
            #[param(example = json!(["client.secret_rotated"]))]
            r#type: Vec<String>,
            /// The id of the member who answers for the client.
            responsible: Option<String>,
            /// Recorded then or later.
            #[serde(default, deserialize_with = "crate::extract::time")]
            #[param(value_type = Option<String>, format = DateTime)]
            from: Option<jiff::Timestamp>,
            /// Recorded before then.
            #[serde(default, deserialize_with = "crate::extract::time")]
            #[param(value_type = Option<String>, format = DateTime)]
            to: Option<jiff::Timestamp>,
            #[param(inline)]
            outcome: Option<crate::api::audit::parameters::OutcomeName>,
            /// The reference to a case elsewhere.
            ticket: Option<String>,
            request_id: Option<String>,
            /// The same for everything that one outside request set going.
            correlation_id: Option<String>,
            /// Words that all stand in the public data, whatever their case.
            #[param(max_length = 200, example = "matter sync")]
            q: Option<String>,
            /// The address that it was caused from, IPv4 or IPv6; needs audit:read_private, because it tells about a person.
            #[param(value_type = Option<String>, example = "192.0.2.7")]
            address: Option<std::net::IpAddr>,
        }

        impl $name {
            /// What is asked by the shared parameters, and by these two.
            fn question(
                &mut self,
                subject: Option<String>,
                environment: Option<String>,
            ) -> Result<crate::api::audit::question::Question, crate::problem::Problem> {
                let event_types = std::mem::take(&mut self.r#type);
                crate::api::audit::parameters::check(&event_types, self.q.as_deref())?;
                crate::api::audit::parameters::check_period(self.from, self.to)?;
                let filter = projections::audit_trail::AuditFilter {
                    actor: self.actor.take(),
                    subject,
                    event_types,
                    environment,
                    from: self.from,
                    to: self.to,
                    outcome: self.outcome.map(Into::into),
                    ticket: self.ticket.take(),
                    request_id: self.request_id.take(),
                    correlation_id: self.correlation_id.take(),
                    responsible: self.responsible.take(),
                    q: self.q.take(),
                    among: None,
                };
                Ok(crate::api::audit::question::Question { filter, address: self.address })
            }
        }
    };
}
pub(crate) use filtered;

/// Refuses a question that no page could answer in time.
pub(crate) fn check(event_types: &[String], q: Option<&str>) -> Result<(), Problem> {
    if event_types.len() > MOST_TYPES {
        return Err(Problem::in_query("type", "too_many", format!("at most {MOST_TYPES} of them")));
    }
    match q {
        Some(text) if text.chars().count() > LONGEST_TEXT => {
            Err(Problem::in_query("q", "too_long", format!("at most {LONGEST_TEXT} characters")))
        }
        Some(text) if !text.chars().any(char::is_alphanumeric) => {
            Err(Problem::in_query("q", "malformed", "has no word in it"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses a time that no moment lies in: an empty answer would hide that the two were mixed up.
pub(crate) fn check_period(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(), Problem> {
    match (from, to) {
        (Some(from), Some(to)) if from > to => {
            Err(Problem::in_query("to", "out_of_range", "must not be before `from`"))
        }
        _ => Ok(()),
    }
}

/// The stream that a question is about, by whichever parameter names it.
pub(crate) fn subject(client: Option<ClientId>, subject: Option<String>) -> Result<Option<String>, Problem> {
    match (client, subject) {
        (Some(_), Some(_)) => {
            Err(Problem::in_query("subject", "contradiction", "`client` says what it is about already"))
        }
        (Some(client), None) => Ok(Some(format!("{}-{client}", Client::CATEGORY))),
        (None, subject) => Ok(subject),
    }
}

impl From<Unknown> for Problem {
    fn from(unknown: Unknown) -> Self {
        let (parameter, known) = match unknown {
            Unknown::EventType { known } => ("type", known),
            Unknown::Environment { known } => ("environment", known),
        };
        Self::none_like_it(parameter, &known)
    }
}
