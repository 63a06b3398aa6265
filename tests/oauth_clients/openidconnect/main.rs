//! Every flow through the `openidconnect` crate. It says on standard output, a line each, where its member is sent, and is
//! told on standard input where the member came back (it revokes nothing: for that the library insists on TLS): `openidconnect-client <what there is, as JSON>`.

use std::{
    collections::HashMap,
    io::{BufRead, Read, stdin},
};

use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AuthType, AuthorizationCode, ClientId,
    ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IntrospectionUrl, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadata, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardErrorResponse,
    SubjectIdentifier, TokenIntrospectionResponse, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
        CoreClientAuthMethod, CoreErrorResponseType, CoreGrantType, CoreJsonWebKey,
        CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
        CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
    },
    http,
    ureq::{self, AgentBuilder},
    url::Url,
};
use serde::{Deserialize, Serialize};

type Failure = Box<dyn std::error::Error>;

/// What there is for it.
#[derive(Deserialize)]
struct Given {
    issuer: String,
    redirect_uri: String,
    member: Member,
    applications: HashMap<String, Application>,
}

#[derive(Deserialize)]
struct Member {
    name: String,
    email: String,
}

#[derive(Deserialize)]
struct Application {
    id: String,
    secret: String,
}

/// What discovery tells beyond what every provider has.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct More {
    introspection_endpoint: IntrospectionUrl,
}

impl AdditionalProviderMetadata for More {}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;
type Library =
    CoreClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;
type Error = StandardErrorResponse<CoreErrorResponseType>;

struct Client {
    library: Library,
    redirect_uri: String,
}

/// One request, over the library's own HTTP client. That hides the body of a refusal, in which the protocol says why.
fn send(request: HttpRequest) -> Result<HttpResponse, Box<ureq::Error>> {
    let (head, body) = request.into_parts();
    let mut sent =
        AgentBuilder::new().redirects(0).build().request(head.method.as_str(), &head.uri.to_string());
    for (name, value) in &head.headers {
        sent = sent.set(name.as_str(), value.to_str().unwrap_or_default());
    }
    let answer = match if body.is_empty() { sent.call() } else { sent.send_bytes(&body) } {
        Ok(answer) | Err(ureq::Error::Status(_, answer)) => answer,
        Err(error) => return Err(Box::new(error)),
    };
    let mut built = http::Response::builder().status(answer.status());
    for name in answer.headers_names() {
        built = built.header(&name, answer.header(&name).unwrap_or_default());
    }
    let mut body = Vec::new();
    answer.into_reader().read_to_end(&mut body).map_err(|error| Box::new(error.into()))?;
    Ok(built.body(body).expect("an answer that was an answer"))
}

/// What was begun with a member.
struct Begun {
    url: Url,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl Client {
    fn connect(given: &Given, method: &str, application: &Application) -> Result<Self, Failure> {
        let metadata = Metadata::discover(&IssuerUrl::new(given.issuer.clone())?, &send)?;
        let more = metadata.additional_metadata().clone();
        let secret = (method != "none").then(|| ClientSecret::new(application.secret.clone()));
        let by = if method == "client_secret_basic" { AuthType::BasicAuth } else { AuthType::RequestBody };
        let library =
            CoreClient::from_provider_metadata(metadata, ClientId::new(application.id.clone()), secret)
                .set_auth_type(by)
                .set_redirect_uri(RedirectUrl::new(given.redirect_uri.clone())?)
                .set_introspection_url(more.introspection_endpoint);
        Ok(Self { library, redirect_uri: given.redirect_uri.clone() })
    }

    fn begin(&self, scope: &str) -> Begun {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let asked = self.library.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let scopes = scope.split(' ').map(|scope| Scope::new(scope.to_owned()));
        let (url, state, nonce) = asked.add_scopes(scopes).set_pkce_challenge(challenge).url();
        Begun { url, state, nonce, verifier }
    }

    /// What the member comes back with.
    fn returned(&self, begun: &Begun, decision: &str) -> Result<HashMap<String, String>, Failure> {
        println!("{decision} {}", begun.url);
        let mut line = String::new();
        stdin().lock().read_line(&mut line)?;
        let returned = Url::parse(line.trim())?;
        assert!(returned.as_str().starts_with(&self.redirect_uri), "{returned}");
        let answer: HashMap<String, String> = returned.query_pairs().into_owned().collect();
        assert_eq!(answer.get("state"), Some(begun.state.secret()));
        Ok(answer)
    }

    fn redeem(&self, code: &str, verifier: PkceCodeVerifier) -> Result<CoreTokenResponse, Failure> {
        let code = self.library.exchange_code(AuthorizationCode::new(code.to_owned()))?;
        Ok(code.set_pkce_verifier(verifier).request(&send)?)
    }

    fn refresh(&self, token: &RefreshToken) -> Result<CoreTokenResponse, Failure> {
        Ok(self.library.exchange_refresh_token(token)?.request(&send)?)
    }

    fn own(&self, scope: &str) -> Result<CoreTokenResponse, Failure> {
        let asked = self.library.exchange_client_credentials()?;
        Ok(asked.add_scope(Scope::new(scope.to_owned())).request(&send)?)
    }

    fn userinfo(
        &self,
        token: &AccessToken,
        subject: &SubjectIdentifier,
    ) -> Result<CoreUserInfoClaims, Failure> {
        Ok(self.library.user_info(token.clone(), Some(subject.clone()))?.request(&send)?)
    }

    fn is_active(&self, token: &AccessToken) -> Result<bool, Failure> {
        Ok(self.library.introspect(token).request(&send)?.active())
    }
}

/// Expects the library to fail with this error of the protocol.
fn refused<T>(expected: &str, found: Result<T, Failure>) {
    let Err(error) = found else { panic!("it was not refused with {expected}") };
    type Told = RequestTokenError<Box<ureq::Error>, Error>;
    match error.downcast_ref::<Told>() {
        Some(RequestTokenError::ServerResponse(told)) => assert_eq!(told.error().as_ref(), expected),
        other => panic!("refused otherwise than with {expected}: {other:?}, {error}"),
    }
}

const SCOPE: &str = "profile email offline_access matters:read";

fn members(given: &Given, client: &Client) -> Result<(), Failure> {
    let allowed = || -> Result<_, Failure> {
        let begun = client.begin(SCOPE);
        let answer = client.returned(&begun, "allow")?;
        assert_eq!(answer.get("iss"), Some(&given.issuer));
        Ok((answer["code"].clone(), begun))
    };

    // A member signs in; the application learns who that is, and stays in touch.
    let (code, begun) = allowed()?;
    let tokens = client.redeem(&code, begun.verifier)?;
    let id_token = tokens.id_token().ok_or("an ID token")?;
    let verifier = client.library.id_token_verifier();
    let claims = id_token.claims(&verifier, &begun.nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let hash = AccessTokenHash::from_token(
            tokens.access_token(),
            id_token.signing_alg()?,
            id_token.signing_key(&verifier)?,
        )?;
        assert_eq!(&hash, expected);
    }
    let subject = claims.subject().clone();
    let known = client.userinfo(tokens.access_token(), &subject)?;
    assert_eq!(known.email().map(|email| email.as_str()), Some(given.member.email.as_str()));
    let name = known.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    assert_eq!(name, Some(given.member.name.as_str()));
    let first = tokens.refresh_token().ok_or("a refresh token")?;
    let next = client.refresh(first)?;
    client.userinfo(next.access_token(), &subject)?;

    // A refresh token that comes twice was stolen once: it ends what came of its grant.
    refused("invalid_grant", client.refresh(first));
    refused("invalid_grant", client.refresh(next.refresh_token().ok_or("another")?));
    assert!(client.userinfo(next.access_token(), &subject).is_err());

    // A code is for one verifier, once; another nonce is seen.
    let (code, its) = allowed()?;
    let (_, verifier) = PkceCodeChallenge::new_random_sha256();
    refused("invalid_grant", client.redeem(&code, verifier));
    let tokens = client.redeem(&code, its.verifier)?;
    let (_, again) = PkceCodeChallenge::new_random_sha256();
    refused("invalid_grant", client.redeem(&code, again));
    let id_token = tokens.id_token().ok_or("an ID token")?;
    assert!(id_token.claims(&client.library.id_token_verifier(), &Nonce::new_random()).is_err());
    assert!(client.userinfo(tokens.access_token(), &subject).is_err(), "the code came twice");

    // The member says no, or is asked for what the application cannot have.
    let denied = client.begin(SCOPE);
    let answer = client.returned(&denied, "deny")?;
    assert_eq!(answer.get("error").map(String::as_str), Some("access_denied"));
    let beyond = client.begin("matters:burn");
    let answer = client.returned(&beyond, "allow")?;
    assert_eq!(answer.get("error").map(String::as_str), Some("invalid_scope"));
    Ok(())
}

fn machines(client: &Client) -> Result<(), Failure> {
    let own = client.own("matters:read")?;
    assert!(own.refresh_token().is_none() && own.id_token().is_none());
    assert!(client.is_active(own.access_token())?);
    assert!(!client.is_active(&AccessToken::new("of nobody".to_owned()))?);
    refused("invalid_scope", client.own("matters:burn"));
    Ok(())
}

fn main() -> Result<(), Failure> {
    let given: Given = serde_json::from_str(&std::env::args().nth(1).ok_or("what there is")?)?;
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let application = &given.applications[method];
        let client = Client::connect(&given, method, application)?;
        members(&given, &client)?;
        if method == "none" {
            refused("unauthorized_client", client.own("matters:read"));
            continue;
        }
        machines(&client)?;
        let wrong = Application { id: application.id.clone(), secret: format!("{}x", application.secret) };
        let impostor = Client::connect(&given, method, &wrong)?;
        refused("invalid_client", impostor.own("matters:read"));
        assert!(impostor.is_active(&AccessToken::new("of nobody".to_owned())).is_err());
    }
    Ok(())
}
