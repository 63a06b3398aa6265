//! Why a request at the authorization endpoint is refused.

use domain::oauth::{RedirectDifference, RedirectMismatch};

use crate::refusals::{page_refusals, refusals};

refusals! {
    /// Why a client is refused that is known, at an address that is its own.
    pub enum AuthorizationRefusal,
    /// The `error` of RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6 or RFC 8707 section 2.
    error;

    /// A parameter stands twice (RFC 6749 section 3.1).
    Repeated = "repeated_parameter", "invalid_request", "a parameter stands more than once";
    /// A request object (RFC 9101).
    RequestObject = "request_object", "request_not_supported", "request objects are not supported, and a request_uri is not handed in";
    /// `state`, `nonce`, `scope` or `prompt` is too long, or there are too many resources.
    TooLong = "parameter_too_long", "invalid_request", "state and nonce have at most 2000 bytes, scope and prompt 4000, and resource stands at most 20 times";
    /// There is none.
    NoResponseType = "response_type_missing", "invalid_request", "response_type is missing";
    /// Another one than `code` (RFC 9700 section 2.1.2).
    ResponseType = "response_type", "unsupported_response_type", "response_type must be code";
    /// Another one than `query`.
    ResponseMode = "response_mode", "invalid_request", "response_mode must be query";
    /// The client is not registered for codes.
    GrantTypeNotAllowed = "grant_type_not_allowed", "unauthorized_client", "the client is not registered for authorization_code";
    /// There is none (RFC 9700 section 2.1.1).
    NoCodeChallenge = "code_challenge_missing", "invalid_request", "code_challenge is missing: PKCE is required";
    /// Another one than S256.
    CodeChallengeMethod = "code_challenge_method", "invalid_request", "code_challenge_method must be S256";
    /// It is no digest.
    CodeChallengeMalformed = "code_challenge_malformed", "invalid_request", "code_challenge must be a SHA-256 digest in base64url";
    /// It is no thumbprint (RFC 9449 section 10).
    KeyThumbprint = "dpop_jkt", "invalid_request", "dpop_jkt must be a SHA-256 thumbprint in base64url";
    /// A scope that the client cannot have.
    UnknownScope = "unknown_scope", "invalid_scope", "a scope is unknown, malformed, or not one of the client's";
    /// A resource that the environment does not know.
    UnknownResource = "unknown_resource", "invalid_target", "a resource is unknown in this environment";
    /// A word that is none, or `none` beside others.
    Prompt = "prompt", "invalid_request", "prompt must be none alone, or of login, consent and select_account";
    /// It is no number of seconds.
    MaxAge = "max_age", "invalid_request", "max_age must be a number of seconds";
    /// The member would have to sign in, and must see nothing.
    LoginRequired = "login_required", "login_required", "the member must sign in";
    /// The member would have to be asked, and must see nothing.
    ConsentRequired = "consent_required", "consent_required", "the member must be asked";
    /// The environment wants a second factor of this member, who signed in without one.
    SecondFactorMissing = "second_factor_missing", "login_required", "the member must sign in with a second factor";
    /// The member said no.
    Denied = "denied", "access_denied", "the member did not allow it";
}

page_refusals! {
    /// Why nobody is sent anywhere.
    pub enum PageRefusal;

    /// `client_id`, `redirect_uri` or `request_uri` stands twice.
    Repeated = "repeated_client_or_redirect_uri", "client_id, redirect_uri or request_uri stands more than once.";
    /// There is no `client_id`.
    NoClient = "client_id_missing", "client_id is missing.";
    /// There is no such client in this environment.
    UnknownClient = "no_such_client", "There is no such client in this environment.";
    /// The client is deactivated.
    InactiveClient = "inactive", "The client is deactivated.";
    /// Nothing was handed in under that name, or it is over, or it was answered.
    RequestUri = "request_uri", "request_uri is unknown, expired, used before, or of another client.";
    /// There is no `redirect_uri`.
    NoRedirectUri = "redirect_uri_missing", "redirect_uri is missing.";
    /// The client has none.
    RedirectUriUnregistered = "redirect_uri_unregistered", "The client has registered no redirect URI.";
    /// It differs in more than one part.
    RedirectUri = "redirect_uri", "redirect_uri is not registered.";
    /// It differs in the scheme.
    RedirectUriScheme = "redirect_uri_scheme", "redirect_uri is not registered: only the scheme differs.";
    /// It differs in the case of the scheme.
    RedirectUriSchemeCase = "redirect_uri_scheme_case", "redirect_uri is not registered: only the case of the scheme differs.";
    /// It has a user name or password.
    RedirectUriUserinfo = "redirect_uri_userinfo", "redirect_uri is not registered: it has a user name or password.";
    /// It differs in the host.
    RedirectUriHost = "redirect_uri_host", "redirect_uri is not registered: the host differs.";
    /// It differs in the case of the host.
    RedirectUriHostCase = "redirect_uri_host_case", "redirect_uri is not registered: only the case of the host differs.";
    /// It differs in the port.
    RedirectUriPort = "redirect_uri_port", "redirect_uri is not registered: only the port differs.";
    /// It differs in the path.
    RedirectUriPath = "redirect_uri_path", "redirect_uri is not registered: only the path differs.";
    /// It differs in the case of the path.
    RedirectUriPathCase = "redirect_uri_path_case", "redirect_uri is not registered: only the case of the path differs.";
    /// It differs in a slash at the end.
    RedirectUriTrailingSlash = "redirect_uri_trailing_slash", "redirect_uri is not registered: only a trailing slash differs.";
    /// It differs in what is percent-encoded.
    RedirectUriPercentEncoding = "redirect_uri_percent_encoding", "redirect_uri is not registered: only the percent-encoding differs.";
    /// It differs in the query.
    RedirectUriQuery = "redirect_uri_query", "redirect_uri is not registered: only the query differs.";
    /// It has a fragment.
    RedirectUriFragment = "redirect_uri_fragment", "redirect_uri is not registered: it has a fragment.";
}

impl PageRefusal {
    pub(crate) fn of_mismatch(mismatch: &RedirectMismatch) -> Self {
        let [difference] = mismatch.differences.as_slice() else {
            return if mismatch.nearest.is_none() {
                Self::RedirectUriUnregistered
            } else {
                Self::RedirectUri
            };
        };
        match difference {
            RedirectDifference::Scheme => Self::RedirectUriScheme,
            RedirectDifference::SchemeCase => Self::RedirectUriSchemeCase,
            RedirectDifference::Userinfo => Self::RedirectUriUserinfo,
            RedirectDifference::Host => Self::RedirectUriHost,
            RedirectDifference::HostCase => Self::RedirectUriHostCase,
            RedirectDifference::Port => Self::RedirectUriPort,
            RedirectDifference::Path => Self::RedirectUriPath,
            RedirectDifference::PathCase => Self::RedirectUriPathCase,
            RedirectDifference::TrailingSlash => Self::RedirectUriTrailingSlash,
            RedirectDifference::PercentEncoding => Self::RedirectUriPercentEncoding,
            RedirectDifference::Query => Self::RedirectUriQuery,
            RedirectDifference::Fragment => Self::RedirectUriFragment,
        }
    }
}
