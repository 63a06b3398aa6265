//! The decisions: what each command does to a client, or which rule refuses it.

mod redirects;
mod registration;
mod secrets;

use jiff::Timestamp;

use super::{
    AccessTokenFormatChanged, ChangeClient, ChangeResponsible, Client, ClientCommand, ClientCreated,
    ClientError, ClientEvent, ClientNameChanged, ContactsChanged, CreateClient, DescriptionChanged,
    KeysChanged, PayloadEncryptionChanged, PostLogoutRedirectUrisChanged, RedirectUrisChanged, Registration,
    ResponsibleChanged, ScopeChanged, SelfRegistration, SigningSecretRevealed, Status, StatusChanged,
    TokensRevoked, metadata, metadata::ClientMetadata,
};
use crate::{
    Change, PersonId, Rule, Violation,
    client_type::TypeRules,
    environment::{AccessTokenFormat, Policy},
    member::MemberStatus,
    oauth::{PublicKey, RedirectLimits, RedirectUri, ScopeSet},
    violation::Violations,
};
use secrets::check_secret;

const MOST_CONTACTS: usize = 20;

impl Client {
    /// What `command` does at `now`. No events is an answer too: nothing would change.
    ///
    /// # Errors
    /// The rule that refuses it; [`ClientError::Invalid`] names every field at fault at once.
    pub fn decide(&self, command: ClientCommand, now: Timestamp) -> Result<Vec<ClientEvent>, ClientError> {
        if let ClientCommand::CreateClient(create) = command {
            return match self {
                Self::Absent => create.events(now),
                Self::Registered(_) => Err(ClientError::AlreadyExists),
            };
        }
        let client = self.registration().ok_or(ClientError::NotFound)?;
        if client.status == Status::Deleted {
            return Err(ClientError::Deleted);
        }
        match command {
            ClientCommand::CreateClient(_) => Err(ClientError::AlreadyExists),
            ClientCommand::ChangeClient(change) => client.change(&change),
            ClientCommand::ChangeResponsible(change) => client.change_responsible(&change),
            ClientCommand::GrantRedirectException { scheme } => client.grant_redirect_exception(&scheme),
            ClientCommand::WithdrawRedirectException { scheme } => {
                Ok(client.withdraw_redirect_exception(scheme))
            }
            ClientCommand::IssueSecret(issue) => client.issue_secret(&issue, now),
            ClientCommand::RotateSecret(rotate) => client.rotate_secret(&rotate, now),
            ClientCommand::RevokeSecret(revoke) => client.revoke_secret(revoke, now),
            ClientCommand::CompleteRotation(complete) => client.complete_rotation(complete, now),
            ClientCommand::CancelRotation(cancel) => client.cancel_rotation(cancel, now),
            ClientCommand::ChangeSecret(change) => client.change_secret(change, now),
            ClientCommand::ReplaceRegistration(replace) => client.replace_registration(*replace),
            ClientCommand::ReportLeakedSecret(secret_id) => client.report_leaked_secret(&secret_id, now),
            ClientCommand::RotateSigningSecret(rotate) => client.rotate_signing_secret(rotate, now),
            ClientCommand::CompleteSigningSecretRotation => client.complete_signing_secret_rotation(now),
            ClientCommand::RevealSigningSecret => {
                Ok(vec![ClientEvent::SigningSecretRevealed(SigningSecretRevealed {
                    signing_secret_id: client.signing_secret.id.clone(),
                })])
            }
            ClientCommand::RevokeTokens => {
                let generation = client.token_generation;
                let token_generation = Change::new(generation, generation + 1);
                Ok(vec![ClientEvent::TokensRevoked(TokensRevoked { token_generation })])
            }
            ClientCommand::Deactivate if client.status != Status::Active => Err(ClientError::NotActive),
            ClientCommand::Deactivate => Ok(vec![ClientEvent::Deactivated(client.becomes(Status::Inactive))]),
            ClientCommand::Enable if client.status != Status::Inactive => Err(ClientError::NotInactive),
            ClientCommand::Enable => Ok(vec![ClientEvent::Enabled(client.becomes(Status::Active))]),
            ClientCommand::Delete => Ok(vec![ClientEvent::Deleted(client.becomes(Status::Deleted))]),
        }
    }
}

/// What a client begins with.
struct Begun {
    created: ClientCreated,
    description: Option<String>,
    post_logout_redirect_uris: Vec<RedirectUri>,
    keys: Vec<PublicKey>,
}

impl CreateClient {
    fn events(self, now: Timestamp) -> Result<Vec<ClientEvent>, ClientError> {
        let encryption = self.metadata.payload_encryption.then(|| payload_encryption(false, true));
        let format = self.metadata.access_token_format.map(|new| access_token_format(None, Some(new)));
        let self_registration = self.self_registration.clone();
        let Begun { created, description, post_logout_redirect_uris: after, keys } = self.decide(now)?;
        let description = description.map(|new| described(None, Some(new)));
        let keys = (!keys.is_empty()).then(|| keys_changed(Vec::new(), keys));
        let registered = self_registration.map(SelfRegistration::event).transpose()?;
        let after = (!after.is_empty()).then(|| post_logout_redirect_uris(Vec::new(), after));
        let beside = description
            .into_iter()
            .chain(after)
            .chain(encryption)
            .chain(keys)
            .chain(format)
            .chain(registered);
        Ok([ClientEvent::Created(created)].into_iter().chain(beside).collect())
    }

    fn decide(self, now: Timestamp) -> Result<Begun, ClientError> {
        let (metadata, mut wrong) = match ClientMetadata::parse(&self.metadata, self.policy.redirect_rule) {
            Ok(metadata) => (Some(metadata), Violations::default()),
            Err(violations) => (None, Violations(violations)),
        };
        check_terms(&mut wrong, self.terms_accepted.as_deref(), &self.policy);
        check_contacts(&mut wrong, &self.contacts);
        match &self.type_rules {
            None if wrong.at("/client_type") => {}
            None => wrong.add("/client_type", Rule::Unknown, "no such type in the catalog"),
            Some(rules) => {
                if rules.deprecated {
                    wrong.add(
                        "/client_type",
                        Rule::Deprecated,
                        "the type is deprecated and takes no new clients",
                    );
                }
                // Read apart from the rest, so that a bad scope is named even beside a bad name.
                if let Ok(scope) = metadata::scope(&self.metadata.scope) {
                    check_scope(&mut wrong, &scope, rules);
                }
            }
        }
        if let Some(secret) = &self.secret {
            check_secret(&mut wrong, secret, &self.policy, now);
        }
        if let Some(Err(violations)) = self.self_registration.as_ref().map(|one| one.software.checked()) {
            wrong.0.extend(violations);
        }
        let metadata = match metadata {
            Some(metadata) if wrong.0.is_empty() => metadata,
            _ => return Err(ClientError::Invalid(wrong.0)),
        };
        let has_secret = metadata.token_endpoint_auth_method.has_secret();
        let created = ClientCreated {
            environment: self.environment,
            client_name: metadata.client_name,
            client_type: metadata.client_type,
            singleton: self.type_rules.is_some_and(|rules| rules.singleton),
            redirect_uris: metadata.redirect_uris,
            scope: metadata.scope,
            contacts: self.contacts,
            grant_types: metadata.grant_types,
            token_endpoint_auth_method: metadata.token_endpoint_auth_method,
            responsible: self.responsible,
            terms_accepted: self.terms_accepted.unwrap_or_default(),
            secret: self.secret.filter(|_| has_secret).map(|secret| secret.issued(&self.policy, now)),
            signing_secret: self.signing_secret.issued(),
        };
        Ok(Begun {
            created,
            description: metadata.description,
            post_logout_redirect_uris: metadata.post_logout_redirect_uris,
            keys: metadata.keys,
        })
    }
}

impl Registration {
    fn change(&self, change: &ChangeClient) -> Result<Vec<ClientEvent>, ClientError> {
        let mut wrong = Violations::default();
        let mut events = Vec::new();
        if let Some(text) = &change.client_name
            && let Some(new) = wrong.keep("/client_name", metadata::client_name(text))
            && new != self.client_name
        {
            let client_name = Change::new(self.client_name.clone(), new);
            events.push(ClientEvent::NameChanged(ClientNameChanged { client_name }));
        }
        if let Some(text) = &change.description
            && let Some(new) = wrong.keep("/description", metadata::description(text.as_deref()))
            && new != self.description
        {
            events.push(described(self.description.clone(), new));
        }
        if let Some(new) = &change.contacts {
            check_contacts(&mut wrong, new);
            // Even for the same people: their names are private parts, and may have changed unseen from here.
            let contacts = Change::new(self.contacts.clone(), new.clone());
            events.push(ClientEvent::ContactsChanged(ContactsChanged { contacts }));
        }
        if let Some(texts) = &change.redirect_uris {
            if texts.is_empty() && self.grant_types.contains(&crate::oauth::GrantType::AuthorizationCode) {
                wrong.add(
                    "/redirect_uris",
                    Rule::Required,
                    "the grant type authorization_code needs at least one",
                );
            }
            let limits = RedirectLimits { rule: change.redirect_rule, exceptions: &self.redirect_exceptions };
            match metadata::uris(metadata::REDIRECT_URIS, texts, &self.redirect_uris, limits) {
                Ok(new) if new != self.redirect_uris => {
                    let redirect_uris = Change::new(self.redirect_uris.clone(), new);
                    events.push(ClientEvent::RedirectUrisChanged(RedirectUrisChanged { redirect_uris }));
                }
                Ok(_) => {}
                Err(violations) => wrong.0.extend(violations),
            }
        }
        if let Some(texts) = &change.post_logout_redirect_uris {
            let limits = RedirectLimits { rule: change.redirect_rule, exceptions: &self.redirect_exceptions };
            let old = &self.post_logout_redirect_uris;
            match metadata::uris(metadata::POST_LOGOUT_REDIRECT_URIS, texts, old, limits) {
                Ok(new) if new != *old => events.push(post_logout_redirect_uris(old.clone(), new)),
                Ok(_) => {}
                Err(violations) => wrong.0.extend(violations),
            }
        }
        if let Some(text) = &change.scope {
            match metadata::scope(text) {
                Ok(new) => {
                    // A scope that the client holds already stays its own, whatever the type says today.
                    let added = added(&self.scope, &new);
                    match &change.type_rules {
                        Some(rules) => check_scope(&mut wrong, &added, rules),
                        None if added.is_empty() => {}
                        None => wrong.add(
                            "/scope",
                            Rule::Unknown,
                            "the client's type is no longer in the catalog",
                        ),
                    }
                    if new != self.scope {
                        let scope = Change::new(self.scope.clone(), new);
                        events.push(ClientEvent::ScopeChanged(ScopeChanged { scope }));
                    }
                }
                Err(violations) => wrong.0.extend(violations),
            }
        }
        if let Some(keys) = &change.jwks {
            match PublicKey::parse_set(keys, metadata::KEYS) {
                Ok(new) => {
                    metadata::check_keys(&mut wrong, self.token_endpoint_auth_method, new.is_empty());
                    if new != self.keys {
                        events.push(keys_changed(self.keys.clone(), new));
                    }
                }
                Err(violations) => wrong.0.extend(violations),
            }
        }
        if let Some(new) = change.access_token_format
            && new != self.access_token_format
        {
            events.push(access_token_format(self.access_token_format, new));
        }
        if let Some(new) = change.payload_encryption
            && new != self.payload_encryption
        {
            events.push(payload_encryption(self.payload_encryption, new));
        }
        wrong.refuse(ClientError::Invalid)?;
        Ok(events)
    }

    fn change_responsible(&self, change: &ChangeResponsible) -> Result<Vec<ClientEvent>, ClientError> {
        if let Some(violation) = check_responsible(change.status, "/member_id") {
            return Err(ClientError::Invalid(vec![violation]));
        }
        if change.responsible == self.responsible {
            return Ok(Vec::new());
        }
        let responsible = Change::new(self.responsible, change.responsible);
        Ok(vec![ClientEvent::ResponsibleChanged(ResponsibleChanged { responsible })])
    }

    fn becomes(&self, new: Status) -> StatusChanged {
        StatusChanged { status: Change::new(self.status, new) }
    }
}

fn described(old: Option<String>, new: Option<String>) -> ClientEvent {
    ClientEvent::DescriptionChanged(DescriptionChanged { description: Change::new(old, new) })
}

pub(super) fn post_logout_redirect_uris(old: Vec<RedirectUri>, new: Vec<RedirectUri>) -> ClientEvent {
    ClientEvent::PostLogoutRedirectUrisChanged(PostLogoutRedirectUrisChanged {
        post_logout_redirect_uris: Change::new(old, new),
    })
}

fn payload_encryption(old: bool, new: bool) -> ClientEvent {
    ClientEvent::PayloadEncryptionChanged(PayloadEncryptionChanged {
        payload_encryption: Change::new(old, new),
    })
}

fn keys_changed(old: Vec<PublicKey>, new: Vec<PublicKey>) -> ClientEvent {
    ClientEvent::KeysChanged(KeysChanged { keys: Change::new(old, new) })
}

fn access_token_format(old: Option<AccessTokenFormat>, new: Option<AccessTokenFormat>) -> ClientEvent {
    ClientEvent::AccessTokenFormatChanged(AccessTokenFormatChanged {
        access_token_format: Change::new(old, new),
    })
}

/// What is wrong at `pointer` with a member of this status, or with none, as the one who answers for a client.
pub fn check_responsible(status: Option<MemberStatus>, pointer: &str) -> Option<Violation> {
    match status {
        Some(MemberStatus::Active) => None,
        Some(MemberStatus::Inactive) => {
            Some(Violation::new(pointer, Rule::NotActive, "the member is deactivated"))
        }
        None => Some(Violation::new(pointer, Rule::Unknown, "there is no such member")),
    }
}

fn added(old: &ScopeSet, new: &ScopeSet) -> ScopeSet {
    ScopeSet(new.0.difference(&old.0).cloned().collect())
}

fn check_terms(wrong: &mut Violations, accepted: Option<&str>, policy: &Policy) {
    let Some(current) = policy.terms.last() else {
        wrong.add(
            "/terms_accepted",
            Rule::TermsNotAccepted,
            "the environment has published no developer terms yet",
        );
        return;
    };
    match accepted {
        Some(accepted) if accepted == current => {}
        Some(_) => {
            wrong.add(
                "/terms_accepted",
                Rule::TermsNotAccepted,
                format!("the current terms are `{current}`"),
            );
        }
        None => {
            wrong.add("/terms_accepted", Rule::Required, format!("accept the developer terms `{current}`"));
        }
    }
}

fn check_contacts(wrong: &mut Violations, contacts: &[PersonId]) {
    if contacts.is_empty() {
        wrong.add("/contacts", Rule::Required, "name at least one person or team with an e-mail address");
    }
    if contacts.len() > MOST_CONTACTS {
        wrong.add("/contacts", Rule::TooMany, format!("at most {MOST_CONTACTS}"));
    } else if contacts.iter().enumerate().any(|(place, person)| contacts[..place].contains(person)) {
        wrong.add("/contacts", Rule::Duplicate, "the same address stands twice");
    }
}

fn check_scope(wrong: &mut Violations, scope: &ScopeSet, rules: &TypeRules) {
    for token in scope.0.difference(&rules.scopes.0) {
        let detail =
            format!("`{}` is not among the scopes of the type: {}", token.as_str(), rules.scopes.to_wire());
        wrong.add("/scope", Rule::NotAllowedByType, detail);
    }
    for token in scope.0.intersection(&rules.deprecated_scopes.0) {
        let detail = format!("`{}` is deprecated and given to no more clients", token.as_str());
        wrong.add("/scope", Rule::Deprecated, detail);
    }
}
