//! Signing out because a client asks for it, and where the member goes then (OpenID Connect RP-Initiated Logout 1.0).
//!
//! The member is asked whoever sends it here, so that a request proves nothing: an ID token only says which client it comes from.

use crypto::{ExposeSecret, JwtType, PresentedJwt, SecretString};
use domain::{
    ClientId, EnvironmentName,
    client::{Registration, Status},
    oauth::RedirectMismatch,
};
use serde::Deserialize;

use crate::{
    App, Inner, PageRefusal,
    activity::{Deed, SIGN_OUT},
    context::Source,
    error::{CommandError, Fault},
    look,
    refusals::page_refusals,
    signing_keys::jwt_algorithm,
};

/// The longest `state`, in bytes.
const LONGEST_STATE: usize = 2_000;

/// A request to sign a member out, and where it comes from.
#[derive(Debug)]
pub struct LogoutRequest {
    /// The environment that it is asked in.
    pub environment: EnvironmentName,
    /// The URL of that environment.
    pub issuer: String,
    /// `id_token_hint`: an ID token of the client; it may have expired.
    pub id_token_hint: Option<SecretString>,
    /// `client_id`.
    pub client_id: Option<String>,
    /// `post_logout_redirect_uri`.
    pub post_logout_redirect_uri: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// Whether a parameter stands twice.
    pub repeats: bool,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where it comes from.
    pub source: Option<Source>,
}

/// What a member is asked, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    /// The client that asks, if one does, and what it is called.
    pub client: Option<(ClientId, String)>,
    /// Where the member goes afterwards; registered, byte for byte, by a client that is active.
    pub redirect_uri: Option<String>,
    /// What goes along as it came.
    pub state: Option<String>,
}

/// The client that a member signed out at.
#[derive(Clone, Debug)]
pub struct LogoutClient {
    /// Its environment.
    pub environment: EnvironmentName,
    /// Its id.
    pub client_id: ClientId,
}

page_refusals! {
    /// Why a member is not signed out at a client's request, nor sent anywhere.
    pub enum LogoutRefusal;

    /// A parameter stands twice.
    Repeated = "repeated_parameter", "A parameter stands more than once.";
    /// `state` is too long.
    TooLong = "parameter_too_long", "state has at most 2000 bytes.";
    /// It is no ID token of this environment.
    Hint = "id_token_hint", "id_token_hint is no ID token that was issued here.";
    /// `client_id` and the ID token name two.
    ClientDiffers = "client_id_differs", "client_id is not the client that id_token_hint was issued to.";
    /// Nobody knows whose the address would be.
    NoClient = "client_id_missing", "post_logout_redirect_uri needs client_id beside it, or an id_token_hint whose key is still published here.";
    /// There is no such client in this environment.
    UnknownClient = "no_such_client", "There is no such client in this environment.";
}

/// Why a request to sign out is refused; the member is still signed in.
#[derive(Debug, thiserror::Error)]
pub enum LogoutError {
    /// What is wrong with it.
    #[error("the request is refused: {}", .0.as_str())]
    Refused(LogoutRefusal),
    /// The member would be sent where the client registered nothing.
    #[error("the address is not registered: {}", .0.detail())]
    Unregistered(RedirectMismatch),
    /// The service could not find out, or could not record it.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

impl From<Fault> for LogoutError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

/// A request that is sound.
struct Asked {
    logout: Logout,
    /// Whether its client is.
    is_active: bool,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
}

impl App {
    /// What comes of a request to sign out, if its member says yes.
    ///
    /// # Errors
    /// [`LogoutError`]; each refusal is recorded or counted before it is answered.
    pub async fn check_logout(&self, request: LogoutRequest) -> Result<Logout, LogoutError> {
        look::once(self.inner.check_logout(&request)).await
    }
}

impl Inner {
    async fn check_logout(&self, request: &LogoutRequest) -> Result<Logout, LogoutError> {
        let hinted = self.client_of_hint(request).await?;
        let named = hinted.as_ref().ok().cloned().flatten().or_else(|| request.client_id.clone());
        let judged = match hinted {
            Ok(hinted) => self.judge_logout(request, hinted).await,
            Err(refusal) => Err(LogoutError::Refused(refusal)),
        };
        let reason = match &judged {
            // The member may leave a client that is deactivated, and is not sent there.
            Ok(Asked { is_active: false, logout }) if logout.redirect_uri.is_some() => {
                Some(PageRefusal::InactiveClient.as_str())
            }
            Ok(_) | Err(LogoutError::Failed(_)) => None,
            Err(LogoutError::Refused(refusal)) => Some(refusal.as_str()),
            Err(LogoutError::Unregistered(mismatch)) => Some(PageRefusal::of_mismatch(mismatch).as_str()),
        };
        if let Some(reason) = reason {
            let client = named.and_then(|id| id.parse::<ClientId>().ok());
            let deed = Deed {
                kind: SIGN_OUT,
                environment: Some(request.environment.to_string()),
                client: client.map(|id| id.to_string()),
                request_id: request.request_id.clone(),
                source: request.source.clone(),
                ..Deed::default()
            };
            self.record_refused(deed, reason).await?;
        }
        let Asked { is_active, logout } = judged?;
        let redirect_uri = logout.redirect_uri.filter(|_| is_active);
        Ok(Logout { redirect_uri, ..logout })
    }

    async fn judge_logout(
        &self,
        request: &LogoutRequest,
        hinted: Option<String>,
    ) -> Result<Asked, LogoutError> {
        if request.repeats {
            return Err(LogoutError::Refused(LogoutRefusal::Repeated));
        }
        if request.state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(LogoutError::Refused(LogoutRefusal::TooLong));
        }
        let client_id = match (&request.client_id, hinted) {
            (Some(claimed), Some(hinted)) if *claimed != hinted => {
                return Err(LogoutError::Refused(LogoutRefusal::ClientDiffers));
            }
            (claimed, hinted) => claimed.clone().or(hinted),
        };
        let client = match &client_id {
            Some(id) => Some(self.known_client(&request.environment, id).await?),
            None => None,
        };
        if let Some(uri) = &request.post_logout_redirect_uri {
            let (_, registration) = client.as_ref().ok_or(LogoutError::Refused(LogoutRefusal::NoClient))?;
            RedirectMismatch::check(&registration.post_logout_redirect_uris, uri)
                .map_err(LogoutError::Unregistered)?;
        }
        let is_active = client.as_ref().is_none_or(|(_, registration)| registration.status == Status::Active);
        let logout = Logout {
            client: client.map(|(id, registration)| (id, registration.client_name)),
            redirect_uri: request.post_logout_redirect_uri.clone(),
            state: request.state.clone(),
        };
        Ok(Asked { logout, is_active })
    }

    async fn known_client(
        &self,
        environment: &EnvironmentName,
        id: &str,
    ) -> Result<(ClientId, Registration), LogoutError> {
        let unknown = || LogoutError::Refused(LogoutRefusal::UnknownClient);
        let client_id: ClientId = id.parse().map_err(|_| unknown())?;
        let loaded = self.clients.current(id).await?;
        let registration = loaded
            .aggregate
            .registration()
            .filter(|client| client.environment == *environment && client.status != Status::Deleted);
        Ok((client_id, registration.ok_or_else(unknown)?.clone()))
    }

    /// The client that an ID token was issued to; `None` if its key is published no more, so that nobody can say.
    async fn client_of_hint(
        &self,
        request: &LogoutRequest,
    ) -> Result<Result<Option<String>, LogoutRefusal>, Fault> {
        let Some(hint) = &request.id_token_hint else { return Ok(Ok(None)) };
        let Ok(presented) = PresentedJwt::parse(hint.expose_secret()) else {
            return Ok(Err(LogoutRefusal::Hint));
        };
        let Some(key_id) = presented.header().ok().and_then(|header| header.kid) else {
            return Ok(Err(LogoutRefusal::Hint));
        };
        let Some((algorithm, key)) = self.published_key(&request.environment, &key_id).await? else {
            return Ok(Ok(None));
        };
        let verified = presented.verified(jwt_algorithm(algorithm), JwtType::IdToken, &key).ok();
        let claims = verified.and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
        let own = claims.filter(|claims| claims.iss == request.issuer);
        Ok(own.map(|claims| Some(claims.aud)).ok_or(LogoutRefusal::Hint))
    }
}
