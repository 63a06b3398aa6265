//! The decisions about a client's secrets: issuing, rotating, revoking, and what ends a rotation before its time.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Change, Rule, SecretId,
    client::{
        ChangeSecret, ClientError, ClientEvent, EndRotation, ExpiryChanged, ExpiryMoved, ExpiryRestored,
        IssueSecret, IssuedSecret, IssuedSigningSecret, NewSecret, NewSigningSecret, Registration,
        RevokeSecret, RotateSecret, RotateSigningSecret, Rotation, RotationCancelled, RotationCompleted,
        Secret, SecretChanged, SecretIssued, SecretLeakReported, SecretRevoked, SecretRotated,
        SigningSecretRotated, SigningSecretRotationCompleted,
    },
    environment::Policy,
    time::truncated,
    violation::Violations,
};

/// More secrets at a time than anyone can tell apart.
const MOST_USABLE_SECRETS: usize = 10;
const LONGEST_LABEL: usize = 100;

impl Registration {
    pub(super) fn issue_secret(
        &self,
        issue: &IssueSecret,
        now: Timestamp,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        let wrong = self.check_new_secret(&issue.secret, &issue.policy, now)?;
        wrong.refuse(ClientError::Invalid)?;
        if self.usable(now).count() >= MOST_USABLE_SECRETS {
            return Err(ClientError::TooManySecrets { most: MOST_USABLE_SECRETS });
        }
        let secret = issue.secret.clone().issued(&issue.policy, now);
        Ok(vec![ClientEvent::SecretIssued(SecretIssued { secret })])
    }

    pub(super) fn rotate_secret(
        &self,
        rotate: &RotateSecret,
        now: Timestamp,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        let mut wrong = self.check_new_secret(&rotate.secret, &rotate.policy, now)?;
        let overlap_seconds = rotate.overlap_seconds;
        check_overlap(&mut wrong, overlap_seconds, &rotate.policy);
        let end = later(now, overlap_seconds);
        if rotate.secret.not_before.is_some_and(|start| start > end) && self.working(now).next().is_some() {
            let detail = "must not be after the overlap: no secret would work in between";
            wrong.add("/not_before", Rule::Contradiction, detail);
        }
        wrong.refuse(ClientError::Invalid)?;
        let usable = self.usable(now);
        let (revoked, expiring) = if overlap_seconds == 0 {
            (usable.map(|secret| secret.id.clone()).collect(), Vec::new())
        } else {
            if let Some(Rotation { secret_id, ends_at, .. }) = self.rotation(now) {
                return Err(ClientError::RotationUnderWay {
                    secret_id: secret_id.clone(),
                    ends_at: *ends_at,
                });
            }
            if self.usable(now).count() >= MOST_USABLE_SECRETS {
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

    /// Ends the replaced secrets now instead of at the end of the overlap.
    pub(super) fn complete_rotation(
        &self,
        complete: EndRotation,
        now: Timestamp,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        let EndRotation { secret_id, allow_lockout } = complete;
        let rotation = self.rotation_to(&secret_id, now)?;
        let replaced = self.usable(now).filter(|secret| rotation.replaces.contains(&secret.id));
        let ended: Vec<_> = replaced.map(|secret| secret.id.clone()).collect();
        let lockout = self.locks_out(&ended, allow_lockout, now)?;
        Ok(vec![ClientEvent::RotationCompleted(RotationCompleted { secret_id, ended, lockout })])
    }

    /// Takes the new secret back, and gives those that it replaced the time that they had.
    pub(super) fn cancel_rotation(
        &self,
        cancel: EndRotation,
        now: Timestamp,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        let EndRotation { secret_id, allow_lockout } = cancel;
        let rotation = self.rotation_to(&secret_id, now)?;
        // An end that somebody has moved since is theirs, not the rotation's.
        let still_moved = |moved: &&ExpiryMoved| {
            self.usable(now).any(|secret| secret.id == moved.id && secret.expires_at == Some(moved.new))
        };
        let restored = rotation.moved.iter().filter(still_moved);
        let restored = restored
            .map(|moved| ExpiryRestored { id: moved.id.clone(), old: moved.new, new: moved.old })
            .collect();
        let lockout = self.locks_out(std::slice::from_ref(&secret_id), allow_lockout, now)?;
        Ok(vec![ClientEvent::RotationCancelled(RotationCancelled { secret_id, restored, lockout })])
    }

    pub(super) fn revoke_secret(
        &self,
        revoke: RevokeSecret,
        now: Timestamp,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        let RevokeSecret { secret_id, allow_lockout } = revoke;
        self.usable_secret(&secret_id, now)?;
        let lockout = self.locks_out(std::slice::from_ref(&secret_id), allow_lockout, now)?;
        Ok(vec![ClientEvent::SecretRevoked(SecretRevoked { secret_id, lockout })])
    }

    /// Another label, or an earlier end; never a later one, which is what a new secret is for.
    pub(super) fn change_secret(
        &self,
        change: ChangeSecret,
        now: Timestamp,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        let ChangeSecret { secret_id, label, expires_at } = change;
        let secret = self.usable_secret(&secret_id, now)?;
        let mut wrong = Violations::default();
        let label = label.map(|label| label.map(|label| label.trim().to_owned()));
        if let Some(Some(label)) = &label {
            check_label(&mut wrong, label);
        }
        let expires_at = expires_at.map(truncated).filter(|end| secret.expires_at != Some(*end));
        if let Some(end) = expires_at {
            if secret.expires_at.is_some_and(|now| end > now) {
                wrong.add("/expires_at", Rule::OutOfRange, "can only be moved to an earlier time");
            } else if end <= now {
                wrong.add(
                    "/expires_at",
                    Rule::OutOfRange,
                    "must be in the future: revoke what shall end now",
                );
            } else if secret.not_before.is_some_and(|start| start >= end) {
                let detail = "must be after `not_before`, or the secret never works";
                wrong.add("/expires_at", Rule::Contradiction, detail);
            }
        }
        wrong.refuse(ClientError::Invalid)?;
        let label =
            label.filter(|new| *new != secret.label).map(|new| Change::new(secret.label.clone(), new));
        let expires_at = expires_at.map(|new| ExpiryChanged { old: secret.expires_at, new });
        if label.is_none() && expires_at.is_none() {
            return Ok(Vec::new());
        }
        Ok(vec![ClientEvent::SecretChanged(SecretChanged { secret_id, label, expires_at })])
    }

    /// Stops a secret that strangers have seen, the last one too: a client that cannot work is better than one that
    /// anybody can be. What has ended leaks nothing.
    pub(super) fn report_leaked_secret(
        &self,
        secret_id: &SecretId,
        now: Timestamp,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        self.usable_secret(secret_id, now)?;
        let lockout = self.locks_out(std::slice::from_ref(secret_id), true, now)?;
        let secret_id = secret_id.clone();
        Ok(vec![
            ClientEvent::SecretLeakReported(SecretLeakReported { secret_id: secret_id.clone() }),
            ClientEvent::SecretRevoked(SecretRevoked { secret_id, lockout }),
        ])
    }

    pub(super) fn rotate_signing_secret(
        &self,
        rotate: RotateSigningSecret,
        now: Timestamp,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        let RotateSigningSecret { secret, overlap_seconds, policy } = rotate;
        let mut wrong = Violations::default();
        check_overlap(&mut wrong, overlap_seconds, &policy);
        wrong.refuse(ClientError::Invalid)?;
        if overlap_seconds > 0
            && let Some(previous) = self.previous_signing_secret(now)
        {
            let (secret_id, ends_at) = (self.signing_secret.id.clone(), previous.expires_at);
            return Err(ClientError::RotationUnderWay { secret_id, ends_at });
        }
        Ok(vec![ClientEvent::SigningSecretRotated(SigningSecretRotated {
            signing_secret: secret.issued(),
            replaced_id: self.signing_secret.id.clone(),
            overlap_seconds,
            replaced_expires_at: (overlap_seconds > 0).then(|| later(now, overlap_seconds)),
        })])
    }

    pub(super) fn complete_signing_secret_rotation(
        &self,
        now: Timestamp,
    ) -> Result<Vec<ClientEvent>, ClientError> {
        let previous = self.previous_signing_secret(now).ok_or(ClientError::NoRotation)?;
        Ok(vec![ClientEvent::SigningSecretRotationCompleted(SigningSecretRotationCompleted {
            signing_secret_id: self.signing_secret.id.clone(),
            ended_id: previous.secret.id.clone(),
        })])
    }

    fn usable_secret(&self, secret_id: &SecretId, now: Timestamp) -> Result<&Secret, ClientError> {
        match self.secrets.iter().find(|secret| secret.id == *secret_id) {
            None => Err(ClientError::NoSuchSecret(secret_id.clone())),
            Some(secret) if !secret.usable(now) => Err(ClientError::SecretNotUsable(secret_id.clone())),
            Some(secret) => Ok(secret),
        }
    }

    fn rotation_to(&self, secret_id: &SecretId, now: Timestamp) -> Result<&Rotation, ClientError> {
        if !self.secrets.iter().any(|secret| secret.id == *secret_id) {
            return Err(ClientError::NoSuchSecret(secret_id.clone()));
        }
        let rotation = self.rotation(now).filter(|rotation| rotation.secret_id == *secret_id);
        rotation.ok_or(ClientError::NoRotation)
    }

    /// Whether no secret works once these have ended, although one does now; refused unless that is meant.
    fn locks_out(
        &self,
        ending: &[SecretId],
        allow_lockout: bool,
        now: Timestamp,
    ) -> Result<bool, ClientError> {
        let Some(last) = self.working(now).next() else { return Ok(false) };
        let lockout = self.working(now).all(|secret| ending.contains(&secret.id));
        if lockout && !allow_lockout {
            return Err(ClientError::LastSecret(last.id.clone()));
        }
        Ok(lockout)
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
}

impl NewSecret {
    fn end(&self, policy: &Policy, now: Timestamp) -> Timestamp {
        later(now, self.expires_in_seconds.unwrap_or(policy.secret_lifetime_seconds))
    }

    pub(super) fn issued(self, policy: &Policy, now: Timestamp) -> IssuedSecret {
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
    pub(super) fn issued(self) -> IssuedSigningSecret {
        IssuedSigningSecret { id: self.id, commitment: self.commitment }
    }
}

/// Saturates at the end of time rather than failing: a lifetime is bounded by policy long before.
fn later(now: Timestamp, seconds: u32) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(i64::from(seconds))).unwrap_or(now)
}

fn check_overlap(wrong: &mut Violations, overlap_seconds: u32, policy: &Policy) {
    if overlap_seconds > policy.max_overlap_seconds {
        let detail = format!("at most {} in this environment", policy.max_overlap_seconds);
        wrong.add("/overlap_seconds", Rule::OutOfRange, detail);
    }
}

fn check_label(wrong: &mut Violations, label: &str) {
    if let Err((rule, detail)) = crate::violation::plain_text(label, LONGEST_LABEL) {
        wrong.add("/label", rule, detail);
    }
}

pub(super) fn check_secret(wrong: &mut Violations, secret: &NewSecret, policy: &Policy, now: Timestamp) {
    if let Some(label) = &secret.label {
        check_label(wrong, label);
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
