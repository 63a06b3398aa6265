//! What may be asked of a client. A command carries the facts its decision needs beyond the client's own stream;
//! whoever builds it commits the revisions those facts were read at.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{metadata::ClientDraft, software::Software};
use crate::oauth::{RedirectRule, RedirectScheme};
use crate::{
    EnvironmentName, MemberId, PersonId, SecretId,
    client_type::TypeRules,
    environment::{AccessTokenFormat, Policy},
    member::MemberStatus,
};

/// A request to change one client.
#[derive(Clone, Debug)]
pub enum ClientCommand {
    /// Register it.
    CreateClient(Box<CreateClient>),
    /// Change name, description, contacts, redirect URIs, scopes, keys, the format of its tokens, or whether payloads are encrypted.
    ChangeClient(Box<ChangeClient>),
    /// Let another member answer for it.
    ChangeResponsible(ChangeResponsible),
    /// Let it be sent to a scheme of its own.
    GrantRedirectException {
        /// The scheme, as it came in.
        scheme: String,
    },
    /// Let it be sent to that scheme no longer.
    WithdrawRedirectException {
        /// The scheme.
        scheme: RedirectScheme,
    },
    /// A further secret beside those it has.
    IssueSecret(IssueSecret),
    /// A new secret in place of those it has.
    RotateSecret(RotateSecret),
    /// Stop one secret.
    RevokeSecret(RevokeSecret),
    /// End the secrets that a rotation replaces, now.
    CompleteRotation(EndRotation),
    /// Take the new secret of a rotation back.
    CancelRotation(EndRotation),
    /// Another label, or an earlier end, for one secret.
    ChangeSecret(ChangeSecret),
    /// Register anew what registered itself (RFC 7592 section 2.2).
    ReplaceRegistration(Box<ReplaceRegistration>),
    /// Stop one secret that strangers have seen.
    ReportLeakedSecret(SecretId),
    /// A new signing secret in place of the old one.
    RotateSigningSecret(RotateSigningSecret),
    /// End the signing secret that was replaced, now.
    CompleteSigningSecretRotation,
    /// Show the signing secret to someone.
    RevealSigningSecret,
    /// Let no token be good any more that it got so far.
    RevokeTokens,
    /// No tokens until enabled.
    Deactivate,
    /// Tokens again.
    Enable,
    /// Gone for good.
    Delete,
}

/// A secret that was minted for this command; its verifier goes into the vault in the same commit.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// Its id.
    pub id: SecretId,
    /// What its maker calls it.
    pub label: Option<String>,
    /// The beginning of its text.
    pub hint: String,
    /// It does not authenticate before.
    pub not_before: Option<Timestamp>,
    /// How long it lives; `None` takes the environment's default.
    pub expires_in_seconds: Option<u32>,
    /// Digest of the verifier's disclosure.
    pub commitment: String,
}

/// A signing secret that was minted for this command.
#[derive(Clone, Debug)]
pub struct NewSigningSecret {
    /// Its id.
    pub id: SecretId,
    /// Digest of the value's disclosure.
    pub commitment: String,
}

/// Register a client.
#[derive(Clone, Debug)]
pub struct CreateClient {
    /// The island it shall live on.
    pub environment: EnvironmentName,
    /// What its maker asked for, as it came in: the decision reads it, so that one answer names all that is wrong.
    pub metadata: ClientDraft,
    /// Pseudonyms of its contacts, in the order given.
    pub contacts: Vec<PersonId>,
    /// The admin who makes it.
    pub responsible: MemberId,
    /// The version of the developer terms that was accepted, if one was.
    pub terms_accepted: Option<String>,
    /// Its first secret; left out by whoever knows that the client is public.
    pub secret: Option<NewSecret>,
    /// The secret that signs its payloads.
    pub signing_secret: NewSigningSecret,
    /// The rules of its environment.
    pub policy: Policy,
    /// The rules of its type, if the catalog has it.
    pub type_rules: Option<TypeRules>,
    /// How it registers itself, if it does.
    pub self_registration: Option<SelfRegistration>,
}

/// How a client registers itself (RFC 7591).
#[derive(Clone, Debug)]
pub struct SelfRegistration {
    /// The initial access token that it comes with; `None` where anybody may register.
    pub initial_access_token_id: Option<SecretId>,
    /// What it will manage its registration with.
    pub token: NewRegistrationToken,
    /// What it says of its software.
    pub software: Software,
    /// Whether it names contacts; else somebody stands for them.
    pub names_contacts: bool,
}

/// A registration access token that was minted for this command.
#[derive(Clone, Debug)]
pub struct NewRegistrationToken {
    /// Its id.
    pub id: SecretId,
    /// Digest of the verifier's disclosure.
    pub commitment: String,
}

/// Register anew what registered itself.
#[derive(Clone, Debug)]
pub struct ReplaceRegistration {
    /// What it is from now on.
    pub change: ChangeClient,
    /// `grant_types`, if it says any: they cannot change.
    pub grant_types: Option<Vec<String>>,
    /// `token_endpoint_auth_method`, if it says one: it cannot change.
    pub token_endpoint_auth_method: Option<String>,
    /// What it says of its software.
    pub software: Software,
    /// Whether it names contacts.
    pub names_contacts: bool,
    /// What it will manage its registration with from now on.
    pub token: NewRegistrationToken,
}

/// Change what is given, leave what is not.
#[derive(Clone, Debug, Default)]
pub struct ChangeClient {
    /// The new friendly name.
    pub client_name: Option<String>,
    /// The new description, or none from now on.
    pub description: Option<Option<String>>,
    /// The new contacts.
    pub contacts: Option<Vec<PersonId>>,
    /// The new redirect URIs, as text.
    pub redirect_uris: Option<Vec<String>>,
    /// The new addresses for members who have signed out, as text.
    pub post_logout_redirect_uris: Option<Vec<String>>,
    /// The new scopes, in the wire form.
    pub scope: Option<String>,
    /// The keys that it signs its assertions with from now on.
    pub jwks: Option<Vec<Map<String, Value>>>,
    /// What its access tokens are from now on; `Some(None)` leaves it to the environment.
    pub access_token_format: Option<Option<AccessTokenFormat>>,
    /// Whether payloads are encrypted from now on.
    pub payload_encryption: Option<bool>,
    /// The rule of its environment for redirect URIs that are new.
    pub redirect_rule: RedirectRule,
    /// The rules of its type; needed to add scopes.
    pub type_rules: Option<TypeRules>,
}

/// Let another member answer for it.
#[derive(Clone, Debug)]
pub struct ChangeResponsible {
    /// Who shall.
    pub responsible: MemberId,
    /// What that member is; `None` if there is no such member.
    pub status: Option<MemberStatus>,
}

/// A further secret.
#[derive(Clone, Debug)]
pub struct IssueSecret {
    /// The new one.
    pub secret: NewSecret,
    /// The rules of its environment.
    pub policy: Policy,
}

/// A new secret in place of the others.
#[derive(Clone, Debug)]
pub struct RotateSecret {
    /// The new one.
    pub secret: NewSecret,
    /// How long the others go on working; 0 is not at all.
    pub overlap_seconds: u32,
    /// The rules of its environment.
    pub policy: Policy,
}

/// Stop one secret.
#[derive(Clone, Debug)]
pub struct RevokeSecret {
    /// Which one.
    pub secret_id: SecretId,
    /// Whether it may be the last one that works.
    pub allow_lockout: bool,
}

/// End a rotation before its time.
#[derive(Clone, Debug)]
pub struct EndRotation {
    /// The new secret, which names the rotation.
    pub secret_id: SecretId,
    /// Whether it may leave no secret that works.
    pub allow_lockout: bool,
}

/// Change what is given of one secret, leave what is not.
#[derive(Clone, Debug)]
pub struct ChangeSecret {
    /// Which one.
    pub secret_id: SecretId,
    /// The new label, or none from now on.
    pub label: Option<Option<String>>,
    /// The new, earlier end.
    pub expires_at: Option<Timestamp>,
}

/// A new signing secret in place of the old one.
#[derive(Clone, Debug)]
pub struct RotateSigningSecret {
    /// The new one.
    pub secret: NewSigningSecret,
    /// How long the old one goes on being good for verifying; 0 is not at all.
    pub overlap_seconds: u32,
    /// The rules of its environment.
    pub policy: Policy,
}
