//! What a request at the authorization endpoint says, and whether that can be granted at all.

use crypto::is_code_challenge;
use domain::{ClientId, client::Registration, environment::Policy, oauth::GrantType};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Authorization, AuthorizationRefusal, AuthorizationRequest};
use crate::Inner;

/// The longest `state` and `nonce` that are carried back.
const LONGEST_TEXT: usize = 2_000;
/// The longest `scope` and `prompt`.
const LONGEST_LIST: usize = 4_000;
/// More resource servers than one token is for.
const MOST_RESOURCES: usize = 20;

/// A request at the authorization endpoint, as it came in (RFC 6749 section 4.1.1).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AuthorizationParameters {
    /// `client_id`.
    pub client_id: Option<String>,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `response_type`.
    pub response_type: Option<String>,
    /// `response_mode`.
    pub response_mode: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// `nonce` (OpenID Connect Core section 3.1.2.1).
    pub nonce: Option<String>,
    /// `code_challenge` (RFC 7636).
    pub code_challenge: Option<String>,
    /// `code_challenge_method`.
    pub code_challenge_method: Option<String>,
    /// `prompt`.
    pub prompt: Option<String>,
    /// `max_age`, in seconds.
    pub max_age: Option<String>,
    /// `resource`, each of them (RFC 8707).
    pub resources: Vec<String>,
    /// `dpop_jkt` (RFC 9449 section 10).
    pub key_thumbprint: Option<String>,
    /// `request_uri`: the name of a request that the client handed in (RFC 9126).
    pub request_uri: Option<String>,
    /// `request` (RFC 9101), which is not supported.
    pub request: Option<String>,
    /// The parameters that stand more than once.
    pub repeated: Vec<String>,
}

/// Who asks, and where the answer goes: from here on the client is told.
pub(super) struct Addressed<'r> {
    pub(super) client_id: ClientId,
    pub(super) registration: &'r Registration,
    pub(super) redirect_uri: &'r str,
}

#[derive(Clone, Copy, Default)]
struct Prompts {
    login: bool,
    consent: bool,
    none: bool,
}

impl AuthorizationParameters {
    fn repeats(&self, name: &str) -> bool {
        self.repeated.iter().any(|repeated| repeated == name)
    }

    /// Whether it is in doubt who asks, or where the answer goes.
    pub(super) fn repeats_an_address(&self) -> bool {
        ["client_id", "redirect_uri", "request_uri"].into_iter().any(|name| self.repeats(name))
    }

    /// What goes back with any answer as it came.
    pub(super) fn state_to_return(&self) -> Option<String> {
        self.state.clone().filter(|state| state.len() <= LONGEST_TEXT && !self.repeats("state"))
    }
}

impl Addressed<'_> {
    /// What is asked for, if it can be granted.
    pub(super) fn asks(
        self,
        request: &AuthorizationRequest,
        policy: &Policy,
    ) -> Result<Authorization, AuthorizationRefusal> {
        use AuthorizationRefusal as Refusal;

        let parameters = &request.parameters;
        if !parameters.repeated.is_empty() {
            return Err(Refusal::Repeated);
        }
        if parameters.request.is_some() || parameters.request_uri.is_some() {
            return Err(Refusal::RequestObject);
        }
        let beyond =
            |most: usize| move |text: &&Option<String>| text.as_ref().is_some_and(|it| it.len() > most);
        if [&parameters.state, &parameters.nonce].iter().any(beyond(LONGEST_TEXT))
            || [&parameters.scope, &parameters.prompt].iter().any(beyond(LONGEST_LIST))
            || parameters.resources.len() > MOST_RESOURCES
        {
            return Err(Refusal::TooLong);
        }
        match parameters.response_type.as_deref() {
            Some("code") => {}
            Some(_) => return Err(Refusal::ResponseType),
            None => return Err(Refusal::NoResponseType),
        }
        if parameters.response_mode.as_deref().is_some_and(|mode| mode != "query") {
            return Err(Refusal::ResponseMode);
        }
        if !self.registration.grant_types.contains(&GrantType::AuthorizationCode) {
            return Err(Refusal::GrantTypeNotAllowed);
        }
        let challenge = parameters.code_challenge.as_deref().ok_or(Refusal::NoCodeChallenge)?;
        if parameters.code_challenge_method.as_deref() != Some("S256") {
            return Err(Refusal::CodeChallengeMethod);
        }
        if !is_code_challenge(challenge) {
            return Err(Refusal::CodeChallengeMalformed);
        }
        if parameters.key_thumbprint.as_deref().is_some_and(|thumbprint| !is_code_challenge(thumbprint)) {
            return Err(Refusal::KeyThumbprint);
        }
        let scope = Inner::scope_within(parameters.scope.as_deref(), &self.registration.scope)
            .map_err(|_| Refusal::UnknownScope)?;
        Inner::audience(policy, &request.issuer, &parameters.resources)
            .map_err(|_| Refusal::UnknownResource)?;
        let prompts = prompts(parameters.prompt.as_deref())?;
        let max_age = match parameters.max_age.as_deref().map(str::parse::<u32>) {
            None => None,
            Some(Ok(seconds)) => Some(SignedDuration::from_secs(seconds.into())),
            Some(Err(_)) => return Err(Refusal::MaxAge),
        };
        Ok(Authorization {
            environment: request.environment.clone(),
            client_id: self.client_id,
            registration: self.registration.clone(),
            redirect_uri: self.redirect_uri.to_owned(),
            scope,
            state: parameters.state_to_return(),
            prompt_login: prompts.login,
            prompt_consent: prompts.consent,
            prompt_none: prompts.none,
            max_age,
            nonce: parameters.nonce.clone(),
            code_challenge: challenge.to_owned(),
            resources: parameters.resources.clone(),
            key_thumbprint: parameters.key_thumbprint.clone(),
            pushed: None,
        })
    }
}

/// `prompt` (OpenID Connect Core section 3.1.2.1). To choose an account is to sign in: a browser has one member at a time.
fn prompts(text: Option<&str>) -> Result<Prompts, AuthorizationRefusal> {
    let mut prompts = Prompts::default();
    let asked: Vec<_> = text.unwrap_or_default().split(' ').filter(|one| !one.is_empty()).collect();
    for one in &asked {
        match *one {
            "none" if asked.len() == 1 => prompts.none = true,
            "login" | "select_account" => prompts.login = true,
            "consent" => prompts.consent = true,
            _ => return Err(AuthorizationRefusal::Prompt),
        }
    }
    Ok(prompts)
}
