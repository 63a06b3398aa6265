//! What happened to a client.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Software, Status};
use crate::{
    Change, Claim, ClaimChange, EnvironmentName, MemberId, PersonId, SecretId,
    environment::AccessTokenFormat,
    event::events,
    oauth::{GrantType, PublicKey, RedirectScheme, RedirectUri, ScopeSet, TokenEndpointAuthMethod},
};

events! {
    /// The events of a `client-<id>` stream.
    ClientEvent {
        /// It exists.
        Created(ClientCreated) = "client.created", 1;
        /// Its friendly name changed.
        NameChanged(ClientNameChanged) = "client.name_changed", 1;
        /// It is described otherwise, or no longer.
        DescriptionChanged(DescriptionChanged) = "client.description_changed", 1;
        /// Other people answer for it; who they are is a private part.
        ContactsChanged(ContactsChanged) = "client.contacts_changed", 1;
        /// Redirect URIs were added, removed or reordered.
        RedirectUrisChanged(RedirectUrisChanged) = "client.redirect_uris_changed", 1;
        /// Members who have signed out may be sent elsewhere.
        PostLogoutRedirectUrisChanged(PostLogoutRedirectUrisChanged) = "client.post_logout_redirect_uris_changed", 1;
        /// It may be sent to a scheme of its own, by an exception of an admin.
        RedirectExceptionGranted(RedirectExceptionGranted) = "client.redirect_exception_granted", 1;
        /// It may be sent there no longer.
        RedirectExceptionWithdrawn(RedirectExceptionWithdrawn) = "client.redirect_exception_withdrawn", 1;
        /// It may ask for other scopes.
        ScopeChanged(ScopeChanged) = "client.scope_changed", 1;
        /// Another member answers for it.
        ResponsibleChanged(ResponsibleChanged) = "client.responsible_changed", 1;
        /// A further secret; those it had are not touched.
        SecretIssued(SecretIssued) = "client.secret_issued", 1;
        /// A new secret in place of those it had, at once or after an overlap.
        SecretRotated(SecretRotated) = "client.secret_rotated", 1;
        /// One secret stopped working.
        SecretRevoked(SecretRevoked) = "client.secret_revoked", 1;
        /// The secrets that a rotation replaced ended before the overlap did.
        RotationCompleted(RotationCompleted) = "client.rotation_completed", 1;
        /// The new secret of a rotation was taken back.
        RotationCancelled(RotationCancelled) = "client.rotation_cancelled", 1;
        /// Another label, or an earlier end, of one secret.
        SecretChanged(SecretChanged) = "client.secret_changed", 1;
        /// Someone found a secret where it must not be; its revocation is the next event.
        SecretLeakReported(SecretLeakReported) = "client.secret_leak_reported", 1;
        /// A new signing secret in place of the old one, at once or after an overlap.
        SigningSecretRotated(SigningSecretRotated) = "client.signing_secret_rotated", 2;
        /// The signing secret that was replaced ended before the overlap did.
        SigningSecretRotationCompleted(SigningSecretRotationCompleted) = "client.signing_secret_rotation_completed", 1;
        /// It asks for its payloads to be encrypted, or no longer.
        PayloadEncryptionChanged(PayloadEncryptionChanged) = "client.payload_encryption_changed", 1;
        /// It signs its assertions with other keys.
        KeysChanged(KeysChanged) = "client.keys_changed", 1;
        /// Its access tokens are something else to whoever holds them.
        AccessTokenFormatChanged(AccessTokenFormatChanged) = "client.access_token_format_changed", 1;
        /// Someone saw the signing secret.
        SigningSecretRevealed(SigningSecretRevealed) = "client.signing_secret_revealed", 1;
        /// All tokens that it got so far are good no longer.
        TokensRevoked(TokensRevoked) = "client.tokens_revoked", 1;
        /// It gets no token until it is enabled.
        Deactivated(StatusChanged) = "client.deactivated", 1;
        /// It gets tokens again.
        Enabled(StatusChanged) = "client.enabled", 1;
        /// It is gone for good; its name is free again.
        Deleted(StatusChanged) = "client.deleted", 1;
        /// It was created because it registered itself (RFC 7591).
        SelfRegistered(ClientSelfRegistered) = "client.self_registered", 1;
        /// It registered anew, and manages itself with another token (RFC 7592).
        RegistrationReplaced(RegistrationReplaced) = "client.registration_replaced", 1;
    }
}

impl ClientEvent {
    /// The events after which a client is what it was: somebody only looked.
    pub const LOOKS: [&'static str; 1] = ["client.signing_secret_revealed"];

    /// What it does to what its client holds, in the environment of that client.
    pub fn claims(&self, environment: &EnvironmentName) -> Vec<ClaimChange> {
        let release = |namespace| ClaimChange::Release { namespace };
        let name = |name: &str| ClaimChange::Take(Claim::client_name(environment, name));
        let secret = |secret: &IssuedSecret| ClaimChange::Take(Claim::client_secret(&secret.id));
        match self {
            Self::Created(created) => {
                let singleton =
                    created.singleton.then(|| Claim::singleton(environment, &created.client_type));
                let named = [name(&created.client_name)].into_iter();
                named
                    .chain(singleton.map(ClaimChange::Take))
                    .chain(created.secret.iter().map(secret))
                    .collect()
            }
            Self::NameChanged(change) => {
                vec![release(Claim::client_names(environment)), name(&change.client_name.new)]
            }
            Self::SecretIssued(issued) => vec![secret(&issued.secret)],
            Self::SecretRotated(rotated) => vec![secret(&rotated.secret)],
            Self::Deleted(_) => {
                vec![release(Claim::client_names(environment)), release(Claim::singletons(environment))]
            }
            Self::DescriptionChanged(_)
            | Self::ContactsChanged(_)
            | Self::RedirectUrisChanged(_)
            | Self::PostLogoutRedirectUrisChanged(_)
            | Self::RedirectExceptionGranted(_)
            | Self::RedirectExceptionWithdrawn(_)
            | Self::ScopeChanged(_)
            | Self::ResponsibleChanged(_)
            | Self::SecretRevoked(_)
            | Self::RotationCompleted(_)
            | Self::RotationCancelled(_)
            | Self::SecretChanged(_)
            | Self::SecretLeakReported(_)
            | Self::SigningSecretRotated(_)
            | Self::SigningSecretRotationCompleted(_)
            | Self::PayloadEncryptionChanged(_)
            | Self::KeysChanged(_)
            | Self::AccessTokenFormatChanged(_)
            | Self::SigningSecretRevealed(_)
            | Self::TokensRevoked(_)
            | Self::Deactivated(_)
            | Self::Enabled(_)
            | Self::SelfRegistered(_)
            | Self::RegistrationReplaced(_) => Vec::new(),
        }
    }
}

/// Everything a client begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientCreated {
    /// The island it lives on.
    pub environment: EnvironmentName,
    /// The friendly name.
    pub client_name: String,
    /// The name of its type.
    pub client_type: String,
    /// Whether the type allows one client an environment.
    pub singleton: bool,
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask for.
    pub scope: ScopeSet,
    /// Pseudonyms of its contacts; the people are private parts.
    pub contacts: Vec<PersonId>,
    /// How it may ask for tokens.
    pub grant_types: Vec<GrantType>,
    /// How it authenticates.
    pub token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// The admin who answers for it.
    pub responsible: MemberId,
    /// The version of the developer terms that was accepted with this event.
    pub terms_accepted: String,
    /// Its first secret; a public client has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<IssuedSecret>,
    /// The secret that signs its payloads.
    pub signing_secret: IssuedSigningSecret,
}

/// A secret as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedSecret {
    /// Its id.
    pub id: SecretId,
    /// What its maker called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The beginning of its text.
    pub hint: String,
    /// It does not authenticate before.
    #[serde(default, with = "crate::time::micros::option", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// It does not authenticate from here on.
    #[serde(default, with = "crate::time::micros::option", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Digest of the verifier's disclosure in the vault.
    pub commitment: String,
}

/// A signing secret as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedSigningSecret {
    /// Its id.
    pub id: SecretId,
    /// Digest of the value's disclosure in the vault.
    pub commitment: String,
}

/// Which tokens are good: those of the present generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokensRevoked {
    /// The generation that a token is issued in.
    pub token_generation: Change<u32>,
}

/// Old and new name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientNameChanged {
    /// The friendly name.
    pub client_name: Change<String>,
}

/// Old and new description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DescriptionChanged {
    /// What the client is for; null is nothing said.
    pub description: Change<Option<String>>,
}

/// Old and new contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactsChanged {
    /// Pseudonyms.
    pub contacts: Change<Vec<PersonId>>,
}

/// Old and new redirect URIs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectUrisChanged {
    /// The whole lists.
    pub redirect_uris: Change<Vec<RedirectUri>>,
}

/// Where members are sent who have signed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostLogoutRedirectUrisChanged {
    /// The whole lists.
    pub post_logout_redirect_uris: Change<Vec<RedirectUri>>,
}

/// A scheme of a native app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectExceptionGranted {
    /// Which one.
    pub scheme: RedirectScheme,
}

/// A scheme no longer; the redirect URIs that had it are gone by an event of the same commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedirectExceptionWithdrawn {
    /// Which one.
    pub scheme: RedirectScheme,
}

/// Old and new scopes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeChanged {
    /// The whole sets.
    pub scope: Change<ScopeSet>,
}

/// Old and new member who answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponsibleChanged {
    /// The members.
    pub responsible: Change<MemberId>,
}

/// A further secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretIssued {
    /// The new one.
    pub secret: IssuedSecret,
}

/// A new secret and what it does to the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRotated {
    /// The new one.
    pub secret: IssuedSecret,
    /// How long the others go on working, in seconds; 0 is not at all.
    pub overlap_seconds: u32,
    /// Those that stopped at once.
    pub revoked: Vec<SecretId>,
    /// Those that stop when the overlap ends.
    pub expiring: Vec<ExpiryMoved>,
}

/// A secret that now expires earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiryMoved {
    /// Which one.
    pub id: SecretId,
    /// When it would have expired.
    #[serde(default, with = "crate::time::micros::option", skip_serializing_if = "Option::is_none")]
    pub old: Option<Timestamp>,
    /// When it does.
    #[serde(with = "crate::time::micros")]
    pub new: Timestamp,
}

/// One secret revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRevoked {
    /// Which one.
    pub secret_id: SecretId,
    /// Whether it was the last one that worked at that moment; others may have been pending.
    pub lockout: bool,
}

/// A rotation that was ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationCompleted {
    /// The new secret, which goes on.
    pub secret_id: SecretId,
    /// Those that stopped.
    pub ended: Vec<SecretId>,
    /// Whether no secret worked at that moment any more; the new one may have been pending.
    pub lockout: bool,
}

/// A rotation that was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotationCancelled {
    /// The new secret, which stopped.
    pub secret_id: SecretId,
    /// Those that have the time again which the rotation took from them.
    pub restored: Vec<ExpiryRestored>,
    /// Whether no secret worked at that moment any more.
    pub lockout: bool,
}

/// A secret that expires as late again as before a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiryRestored {
    /// Which one.
    pub id: SecretId,
    /// When it would have expired.
    #[serde(with = "crate::time::micros")]
    pub old: Timestamp,
    /// When it does.
    #[serde(default, with = "crate::time::micros::option", skip_serializing_if = "Option::is_none")]
    pub new: Option<Timestamp>,
}

/// What is otherwise about one secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretChanged {
    /// Which one.
    pub secret_id: SecretId,
    /// Old and new label; null is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Change<Option<String>>>,
    /// Old and new end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<ExpiryChanged>,
}

/// An earlier end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiryChanged {
    /// When it would have expired.
    #[serde(default, with = "crate::time::micros::option", skip_serializing_if = "Option::is_none")]
    pub old: Option<Timestamp>,
    /// When it does.
    #[serde(with = "crate::time::micros")]
    pub new: Timestamp,
}

/// A secret found where it must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretLeakReported {
    /// Which one.
    pub secret_id: SecretId,
}

/// A new signing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningSecretRotated {
    /// The new one.
    pub signing_secret: IssuedSigningSecret,
    /// The one it replaced.
    pub replaced_id: SecretId,
    /// How long the one it replaced goes on verifying, in seconds; 0 is not at all.
    pub overlap_seconds: u32,
    /// When that one ends; left out if it did at once.
    #[serde(default, with = "crate::time::micros::option", skip_serializing_if = "Option::is_none")]
    pub replaced_expires_at: Option<Timestamp>,
}

/// The end of an overlap of signing secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningSecretRotationCompleted {
    /// The one that goes on.
    pub signing_secret_id: SecretId,
    /// The one that ended.
    pub ended_id: SecretId,
}

/// Whether payloads are encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadEncryptionChanged {
    /// Old and new.
    pub payload_encryption: Change<bool>,
}

/// Old and new keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysChanged {
    /// All of its public keys; a token that was got with one that is gone is good no longer.
    pub keys: Change<Vec<PublicKey>>,
}

/// Old and new format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessTokenFormatChanged {
    /// What its access tokens are; nothing leaves it to the environment.
    pub access_token_format: Change<Option<AccessTokenFormat>>,
}

/// Someone saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningSecretRevealed {
    /// Which one.
    pub signing_secret_id: SecretId,
}

/// Old and new status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusChanged {
    /// Whether it gets tokens.
    pub status: Change<Status>,
}

/// How a client registered itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSelfRegistered {
    /// The initial access token that it came with; left out where anybody may register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_access_token_id: Option<SecretId>,
    /// What it manages its registration with.
    pub registration_access_token: IssuedRegistrationToken,
    /// What it says of its software.
    pub software: Software,
    /// Whether it named contacts; else somebody stands for them.
    pub names_contacts: bool,
}

/// A registration access token as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedRegistrationToken {
    /// Its id.
    pub id: SecretId,
    /// Digest of the verifier's disclosure in the vault.
    pub commitment: String,
}

/// A client that registered anew; what became of its name and the like are events of the same commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationReplaced {
    /// What it manages its registration with from now on.
    pub registration_access_token: IssuedRegistrationToken,
    /// What it did until now.
    pub replaced_id: SecretId,
    /// What it says of its software; left out if that is as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software: Option<Change<Software>>,
    /// Whether it names contacts; left out if that is as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names_contacts: Option<Change<bool>>,
}
