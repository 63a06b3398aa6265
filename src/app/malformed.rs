//! Requests of the protocol that nothing could be made of: they are recorded like any other refusal, before the answer.

use domain::{ClientId, EnvironmentName};

use crate::{
    App,
    activity::{AUTHENTICATION, Deed, SECOND_FACTOR, SIGN_IN, SIGN_OUT},
    authorization::{AUTHORIZATION, PUSHED_REQUEST},
    context::Source,
    error::Fault,
    introspection::{INTROSPECTION, REVOCATION},
    refusals::refusals,
    tokens::TOKEN,
    userinfo::USERINFO,
};

refusals! {
    /// Why nothing could be made of a request.
    pub enum MalformedRequest,
    /// The `error` of RFC 6749 section 5.2 or RFC 6750 section 3.1.
    error;

    /// A parameter stands in the URL of an endpoint that takes none (RFC 6749 section 2.3.1, RFC 7662 section 4).
    ParametersInUrl = "parameters_in_url", "invalid_request", "send the parameters in the body: nothing is taken from the URL";
    /// The body is no form.
    ContentType = "content_type", "invalid_request", "send the parameters as application/x-www-form-urlencoded";
    /// A parameter stands twice (RFC 6749 section 3.2).
    Repeated = "repeated_parameter", "invalid_request", "a parameter stands more than once";
    /// Nothing says who asks.
    NoCredentials = "credentials_missing", "invalid_client", "the client does not say who it is";
    /// Two ways to say who asks (RFC 6749 section 2.3).
    TwoCredentials = "two_credentials", "invalid_request", "the client authenticates in two ways: use one of them";
    /// The id in the body is another one than that of the credentials.
    ClientIdDiffers = "client_id_differs", "invalid_request", "client_id in the body is not the one that authenticates";
    /// Another kind of assertion than a JWT (RFC 7523 section 2.2).
    AssertionType = "client_assertion_type", "invalid_request", "client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    /// Two proofs of a key (RFC 9449 section 4.3).
    TwoProofs = "two_proofs", "invalid_dpop_proof", "the DPoP header stands more than once";
    /// A token is presented as one that is bound to a key, without a proof of that (RFC 9449 section 7.1).
    NoProof = "proof_missing", "invalid_dpop_proof", "the DPoP header is missing";
    /// There is no `grant_type`.
    NoGrantType = "grant_type_missing", "invalid_request", "grant_type is missing";
    /// One that there is not (RFC 9700 section 2.4).
    GrantType = "grant_type", "unsupported_grant_type", "grant_type must be authorization_code, refresh_token or client_credentials";
    /// There is no `code`.
    NoCode = "code_missing", "invalid_request", "code is missing";
    /// There is no `refresh_token`.
    NoRefreshToken = "refresh_token_missing", "invalid_request", "refresh_token is missing";
    /// There is no token to be asked about.
    NoToken = "token_missing", "invalid_request", "token is missing";
    /// A form of a page that was not made for this session, or was open for too long.
    ForgedForm = "form_not_proved", "invalid_request", "the form came without the proof that this session's forms carry";
}

/// Where such a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolEndpoint {
    /// What only a client may ask about itself.
    OwnClient,
    /// The authorization endpoint and the pages behind it.
    Authorization,
    /// Where clients hand in requests.
    PushedAuthorization,
    /// The token endpoint.
    Token,
    /// The introspection endpoint.
    Introspection,
    /// The revocation endpoint.
    Revocation,
    /// The userinfo endpoint.
    Userinfo,
    /// The sign-in page.
    SignIn,
    /// The page of second factors.
    SecondFactor,
    /// The logout page.
    SignOut,
}

impl ProtocolEndpoint {
    fn activity(self) -> &'static str {
        match self {
            Self::OwnClient => AUTHENTICATION,
            Self::Authorization => AUTHORIZATION,
            Self::PushedAuthorization => PUSHED_REQUEST,
            Self::Token => TOKEN,
            Self::Introspection => INTROSPECTION,
            Self::Revocation => REVOCATION,
            Self::Userinfo => USERINFO,
            Self::SignIn => SIGN_IN,
            Self::SecondFactor => SECOND_FACTOR,
            Self::SignOut => SIGN_OUT,
        }
    }
}

/// A request that nothing could be made of.
#[derive(Clone, Debug)]
pub struct MalformedAttempt {
    /// Where it came in.
    pub endpoint: ProtocolEndpoint,
    /// The environment that it names.
    pub environment: EnvironmentName,
    /// The id of a client that it claims, if it claims one.
    pub client_id: Option<String>,
    /// Why nothing could be made of it.
    pub refusal: MalformedRequest,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where it comes from.
    pub source: Option<Source>,
}

impl App {
    /// Records a request that nothing could be made of, or counts it if there were many of its kind within a minute.
    ///
    /// # Errors
    /// The fault that kept it from being recorded.
    pub async fn record_malformed(&self, attempt: MalformedAttempt) -> Result<(), Fault> {
        let MalformedAttempt { endpoint, environment, client_id, refusal, request_id, source } = attempt;
        // Anybody can make up names of environments and ids of clients: nothing is counted by what cannot be one.
        let known = self.inner.policy_of(&environment).await?.is_some();
        let client = client_id.and_then(|id| id.parse::<ClientId>().ok()).filter(|_| known);
        let deed = Deed {
            kind: endpoint.activity(),
            environment: known.then(|| environment.to_string()),
            client: client.map(|id| id.to_string()),
            request_id,
            source,
            ..Deed::default()
        };
        self.inner.record_refused(deed, refusal.as_str()).await
    }
}
