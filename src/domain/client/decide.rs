//! The decisions: what each command does to a client, or which rule refuses it.

use jiff::{SignedDuration, Timestamp};

use super::{
    ChangeClient, Client, ClientCommand, ClientCreated, ClientError, ClientEvent, ClientNameChanged,
    ContactsChanged, CreateClient, ExpiryMoved, IssueSecret, IssuedSecret, IssuedSigningSecret, NewSecret,
    NewSigningSecret, RedirectUrisChanged, Registration, RevokeSecret, RotateSecret, ScopeChanged,
    SecretIssued, SecretRevoked, SecretRotated, SigningSecretRevealed, SigningSecretRotated, Status,
    StatusChanged, metadata, metadata::ClientMetadata,
};
use crate::{
    Change, PersonId, Rule, client_type::TypeRules, environment::Policy, oauth::ScopeSet, time::truncated,
    violation::Violations,
};

/// More secrets at a time than anyone can tell apart.
const MOST_USABLE_SECRETS: usize = 10;
const MOST_CONTACTS: usize = 20;
const LONGEST_LABEL: usize = 100;

impl Client {
    /// What `command` does at `now`. No events is an answer too: nothing would change.
    ///
    /// # Errors
    /// The rule that refuses it; [`ClientError::Invalid`] names every field at fault at once.
    pub fn decide(&self, command: ClientCommand, now: Timestamp) -> Result<Vec<ClientEvent>, ClientError> {
        if let ClientCommand::CreateClient(create) = command {
            return match self {
                Self::Absent => Ok(vec![ClientEvent::Created(create.decide(now)?)]),
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
            ClientCommand::IssueSecret(issue) => client.issue_secret(&issue, now),
            ClientCommand::RotateSecret(rotate) => client.rotate_secret(&rotate, now),
            ClientCommand::RevokeSecret(revoke) => client.revoke_secret(revoke, now),
            ClientCommand::RotateSigningSecret(secret) => Ok(vec![client.rotate_signing_secret(secret)]),
            ClientCommand::RevealSigningSecret => {
                Ok(vec![ClientEvent::SigningSecretRevealed(SigningSecretRevealed {
                    signing_secret_id: client.signing_secret.id.clone(),
                })])
            }
            ClientCommand::Deactivate if client.status != Status::Active => Err(ClientError::NotActive),
            ClientCommand::Deactivate => Ok(vec![ClientEvent::Deactivated(client.becomes(Status::Inactive))]),
            ClientCommand::Enable if client.status != Status::Inactive => Err(ClientError::NotInactive),
            ClientCommand::Enable => Ok(vec![ClientEvent::Enabled(client.becomes(Status::Active))]),
            ClientCommand::Delete => Ok(vec![ClientEvent::Deleted(client.becomes(Status::Deleted))]),
        }
    }
}

impl CreateClient {
    fn decide(self, now: Timestamp) -> Result<ClientCreated, ClientError> {
        let (metadata, mut wrong) = match ClientMetadata::parse(&self.metadata) {
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
        let metadata = match metadata {
            Some(metadata) if wrong.0.is_empty() => metadata,
            _ => return Err(ClientError::Invalid(wrong.0)),
        };
        let has_secret = metadata.token_endpoint_auth_method.has_secret();
        Ok(ClientCreated {
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
            match metadata::redirect_uris(texts) {
                Ok(new) if new != self.redirect_uris => {
                    let redirect_uris = Change::new(self.redirect_uris.clone(), new);
                    events.push(ClientEvent::RedirectUrisChanged(RedirectUrisChanged { redirect_uris }));
                }
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
        wrong.refuse(ClientError::Invalid)?;
        Ok(events)
    }

    fn issue_secret(&self, issue: &IssueSecret, now: Timestamp) -> Result<Vec<ClientEvent>, ClientError> {
        let wrong = self.check_new_secret(&issue.secret, &issue.policy, now)?;
        wrong.refuse(ClientError::Invalid)?;
        if self.secrets.iter().filter(|secret| secret.usable(now)).count() >= MOST_USABLE_SECRETS {
            return Err(ClientError::TooManySecrets { most: MOST_USABLE_SECRETS });
        }
        let secret = issue.secret.clone().issued(&issue.policy, now);
        Ok(vec![ClientEvent::SecretIssued(SecretIssued { secret })])
    }

    fn rotate_secret(&self, rotate: &RotateSecret, now: Timestamp) -> Result<Vec<ClientEvent>, ClientError> {
        let mut wrong = self.check_new_secret(&rotate.secret, &rotate.policy, now)?;
        let overlap_seconds = rotate.overlap_seconds;
        if overlap_seconds > rotate.policy.max_overlap_seconds {
            let detail = format!("at most {} in this environment", rotate.policy.max_overlap_seconds);
            wrong.add("/overlap_seconds", Rule::OutOfRange, detail);
        }
        let end = later(now, overlap_seconds);
        if rotate.secret.not_before.is_some_and(|start| start > end) && self.working(now).next().is_some() {
            let detail = "must not be after the overlap: no secret would work in between";
            wrong.add("/not_before", Rule::Contradiction, detail);
        }
        wrong.refuse(ClientError::Invalid)?;
        let usable = self.secrets.iter().filter(|secret| secret.usable(now));
        let (revoked, expiring) = if overlap_seconds == 0 {
            (usable.map(|secret| secret.id.clone()).collect(), Vec::new())
        } else {
            if usable.clone().count() >= MOST_USABLE_SECRETS {
                return Err(ClientError::TooManySecrets { most: MOST_USABLE_SECRETS });
            }
            let earlier = usable.filter(|secret| secret.expires_at.is_none_or(|expiry| expiry > end));
            (
                Vec::new(),
                earlier
                    .map(|secret| ExpiryMoved { id: secret.id.clone(), old: secret.expires_at, new: end })
                    .collect(),
            )
        };
        let secret = rotate.secret.clone().issued(&rotate.policy, now);
        Ok(vec![ClientEvent::SecretRotated(SecretRotated { secret, overlap_seconds, revoked, expiring })])
    }

    fn revoke_secret(&self, revoke: RevokeSecret, now: Timestamp) -> Result<Vec<ClientEvent>, ClientError> {
        let RevokeSecret { secret_id, allow_lockout } = revoke;
        let secret = self.secrets.iter().find(|secret| secret.id == secret_id);
        match secret {
            None => return Err(ClientError::NoSuchSecret(secret_id)),
            Some(secret) if !secret.usable(now) => return Err(ClientError::SecretNotUsable(secret_id)),
            Some(_) => {}
        }
        let works = self.working(now).any(|secret| secret.id == secret_id);
        let lockout = works && self.working(now).all(|secret| secret.id == secret_id);
        if lockout && !allow_lockout {
            return Err(ClientError::LastSecret(secret_id));
        }
        Ok(vec![ClientEvent::SecretRevoked(SecretRevoked { secret_id, lockout })])
    }

    fn rotate_signing_secret(&self, secret: NewSigningSecret) -> ClientEvent {
        ClientEvent::SigningSecretRotated(SigningSecretRotated {
            signing_secret: secret.issued(),
            replaced_id: self.signing_secret.id.clone(),
        })
    }

    fn check_new_secret(
        &self,
        secret: &NewSecret,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Violations, ClientError> {
        if !self.token_endpoint_auth_method.has_secret() {
            return Err(ClientError::PublicClient);
        }
        let mut wrong = Violations::default();
        check_secret(&mut wrong, secret, policy, now);
        Ok(wrong)
    }

    fn becomes(&self, new: Status) -> StatusChanged {
        StatusChanged { status: Change::new(self.status, new) }
    }
}

impl NewSecret {
    fn end(&self, policy: &Policy, now: Timestamp) -> Timestamp {
        later(now, self.expires_in_seconds.unwrap_or(policy.secret_lifetime_seconds))
    }

    fn issued(self, policy: &Policy, now: Timestamp) -> IssuedSecret {
        IssuedSecret {
            expires_at: Some(self.end(policy, now)),
            id: self.id,
            label: self.label.map(|label| label.trim().to_owned()),
            hint: self.hint,
            // A start that has passed is no condition.
            not_before: self.not_before.map(truncated).filter(|start| *start > now),
            commitment: self.commitment,
        }
    }
}

impl NewSigningSecret {
    fn issued(self) -> IssuedSigningSecret {
        IssuedSigningSecret { id: self.id, commitment: self.commitment }
    }
}

/// Saturates at the end of time rather than failing: a lifetime is bounded by policy long before.
fn later(now: Timestamp, seconds: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(now)
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
}

fn check_secret(wrong: &mut Violations, secret: &NewSecret, policy: &Policy, now: Timestamp) {
    if let Some(label) = &secret.label
        && let Err((rule, detail)) = crate::violation::plain_text(label, LONGEST_LABEL)
    {
        wrong.add("/label", rule, detail);
    }
    if let Some(seconds) = secret.expires_in_seconds
        && !(1..=policy.max_secret_lifetime_seconds).contains(&seconds)
    {
        let detail = format!("must be 1 to {} in this environment", policy.max_secret_lifetime_seconds);
        wrong.add("/expires_in_seconds", Rule::OutOfRange, detail);
    } else if secret.not_before.is_some_and(|start| start >= secret.end(policy, now)) {
        wrong.add("/not_before", Rule::Contradiction, "must be before the secret expires, or it never works");
    }
}
