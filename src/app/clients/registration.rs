//! Clients that register themselves by the protocol (RFC 7591), and manage that (RFC 7592).
//!
//! Who may is the environment's to say: nobody, who has an initial access token, or anybody. By a token its member acts, who
//! answers for the client; where anybody may, whoever opened registration answers. Whatever is refused stands in the
//! activity log before it is answered; what is done is an event.

mod completed;
mod dormant;
mod manage;
mod refusal;
mod register;

use crypto::{Personal, SecretString};
use domain::{ClientId, EnvironmentName, SecretId, Violation, client::Software};

pub use refusal::RegistrationRefusal;
pub(super) use register::Registering;

use super::{ChangedClient, CreateClientRequest};
use crate::{
    activity::Deed,
    context::Source,
    error::{CommandError, Fault},
};

/// What a client does that registers itself, or manages its registration.
pub(crate) const REGISTRATION: &str = "registration";

/// Who asks, and where.
#[derive(Clone, Debug)]
pub struct RegistrationAttempt {
    /// The environment that it asks in.
    pub environment: EnvironmentName,
    /// The token that it presents, if it does.
    pub token: Option<SecretString>,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where it asks from.
    pub source: Option<Source>,
}

/// What a client says of itself (RFC 7591 section 2), as it came in.
#[derive(Clone, Debug, Default)]
pub struct RegistrationRequest {
    /// Its metadata.
    pub client: CreateClientRequest,
    /// Whether it says which scopes it wants; else it gets all that it may have.
    pub says_scope: bool,
    /// What it says of its software.
    pub software: Software,
    /// The id that it says it has, of who has one (RFC 7592 section 2.2).
    pub client_id: Option<String>,
    /// The secret that it says it has.
    pub client_secret: Option<SecretString>,
    /// What is wrong with the form of what was sent.
    pub malformed: Vec<Violation>,
}

/// A client as it is registered, told to itself.
#[derive(Debug)]
pub struct OwnRegistration {
    /// The client.
    pub client: ChangedClient,
    /// The addresses that it named as contacts; those that stand for them are not told.
    pub contacts: Vec<Personal<String>>,
    /// Its secret, if it was issued now.
    pub client_secret: Option<SecretString>,
    /// What it manages its registration with from now on, if that is new.
    pub registration_access_token: Option<SecretString>,
}

/// Why there is no registration, or no change of one.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// There is no such environment.
    #[error("there is no such environment")]
    NoSuchEnvironment,
    /// It is refused.
    #[error("the registration is refused: {}", .0.as_str())]
    Refused(RegistrationRefusal),
    /// What it says of itself breaks rules.
    #[error("the metadata has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The service could not find out, or could not record it.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

impl From<Fault> for RegistrationError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl RegistrationAttempt {
    /// What is recorded of it.
    fn deed(&self, client: Option<&ClientId>, credential: Option<&SecretId>) -> Deed {
        Deed {
            kind: REGISTRATION,
            environment: Some(self.environment.to_string()),
            client: client.map(ToString::to_string),
            credential: credential.map(ToString::to_string),
            request_id: self.request_id.clone(),
            source: self.source.clone(),
            ..Deed::default()
        }
    }
}
