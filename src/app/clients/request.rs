//! What is asked of a client, as it came in: text that only the domain may judge.

use crypto::Personal;
use domain::{client::ClientDraft, environment::AccessTokenFormat, oauth::RedirectUri};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Channel;
use crate::error::CommandError;

/// A person or team to turn to: personal, so it never gets further than the vault.
#[derive(Clone, Debug)]
pub struct Contact {
    /// What they are called.
    pub name: Personal<String>,
    /// Where mail reaches them.
    pub email: Personal<String>,
}

/// A new client.
#[derive(Clone, Debug, Default)]
pub struct CreateClientRequest {
    /// Its metadata.
    pub metadata: ClientDraft,
    /// Whom to turn to.
    pub contacts: Vec<Contact>,
    /// The version of the developer terms that was accepted.
    pub terms_accepted: Option<String>,
    /// How long its first secret lives, in seconds; `None` takes the environment's default.
    pub expires_in_seconds: Option<u32>,
    /// What its first secret is called.
    pub label: Option<String>,
    /// The channel by which it came, if that one does not send type, scopes, contacts and terms.
    pub channel: Option<Channel>,
}

/// A change of a client: what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ChangeClientRequest {
    /// The new name.
    pub client_name: Option<String>,
    /// The new description, or none from now on.
    pub description: Option<Option<String>>,
    /// The new contacts.
    pub contacts: Option<Vec<Contact>>,
    /// All redirect URIs from now on.
    pub redirect_uris: Option<Vec<String>>,
    /// All addresses for members who have signed out, from now on.
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// One redirect URI more or less, in place of `redirect_uris`.
    pub redirect_uri_edit: Option<RedirectUriEdit>,
    /// The new scopes, in the wire form.
    pub scope: Option<String>,
    /// The keys that it signs its assertions with from now on.
    pub jwks: Option<Vec<Map<String, Value>>>,
    /// What its access tokens are from now on; `Some(None)` leaves it to the environment.
    pub access_token_format: Option<Option<AccessTokenFormat>>,
    /// Whether payloads are encrypted from now on.
    pub payload_encryption: Option<bool>,
}

/// What an edit makes of a client: what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientEdit {
    /// The new name.
    pub client_name: Option<String>,
    /// The new description, or none from now on.
    pub description: Option<Option<String>>,
    /// All redirect URIs from now on.
    pub redirect_uris: Option<Vec<String>>,
}

/// One redirect URI more or less.
#[derive(Clone, Debug)]
pub enum RedirectUriEdit {
    /// Add it at the end.
    Add(String),
    /// Take it away.
    Remove(String),
}

impl RedirectUriEdit {
    /// All redirect URIs after it.
    ///
    /// # Errors
    /// [`CommandError::NotFound`] if there is no such URI to take away.
    pub(super) fn applied(&self, now: &[RedirectUri]) -> Result<Vec<String>, CommandError> {
        let texts = now.iter().map(|uri| uri.as_str().to_owned());
        match self {
            Self::Add(uri) => Ok(texts.chain([uri.clone()]).collect()),
            Self::Remove(uri) if !now.iter().any(|known| known.as_str() == uri) => {
                Err(CommandError::NotFound("redirect_uri"))
            }
            Self::Remove(uri) => Ok(texts.filter(|text| text != uri).collect()),
        }
    }
}

/// A new secret for a client.
#[derive(Clone, Debug, Default)]
pub struct IssueSecretRequest {
    /// `None` leaves the other secrets alone; 0 stops them at once; more stops them after so many seconds.
    pub overlap_seconds: Option<u32>,
    /// How long it lives, in seconds; `None` takes the environment's default.
    pub expires_in_seconds: Option<u32>,
    /// It does not authenticate before.
    pub not_before: Option<Timestamp>,
    /// What it is called.
    pub label: Option<String>,
}
