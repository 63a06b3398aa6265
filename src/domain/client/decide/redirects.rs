//! The decisions about schemes of native apps.

use super::{
    super::{
        ClientError, ClientEvent, RedirectExceptionGranted, RedirectExceptionWithdrawn, RedirectUrisChanged,
        Registration,
    },
    post_logout_redirect_uris,
};
use crate::{
    Change, Rule,
    oauth::{RedirectScheme, RedirectUri},
    violation::Violations,
};

/// More schemes than any app has.
const MOST_REDIRECT_EXCEPTIONS: usize = 10;

impl Registration {
    pub(super) fn grant_redirect_exception(&self, scheme: &str) -> Result<Vec<ClientEvent>, ClientError> {
        let mut wrong = Violations::default();
        let scheme = wrong.keep("/scheme", RedirectScheme::parse(scheme));
        if self.redirect_exceptions.len() >= MOST_REDIRECT_EXCEPTIONS {
            wrong.add("/scheme", Rule::TooMany, format!("at most {MOST_REDIRECT_EXCEPTIONS} for one client"));
        }
        match scheme {
            Some(scheme) if self.redirect_exceptions.contains(&scheme) => Ok(Vec::new()),
            Some(scheme) if wrong.0.is_empty() => {
                Ok(vec![ClientEvent::RedirectExceptionGranted(RedirectExceptionGranted { scheme })])
            }
            Some(_) | None => Err(ClientError::Invalid(wrong.0)),
        }
    }

    /// At once, with the redirect URIs that live by it: an exception is withdrawn because its scheme is no longer safe.
    pub(super) fn withdraw_redirect_exception(&self, scheme: RedirectScheme) -> Vec<ClientEvent> {
        if !self.redirect_exceptions.contains(&scheme) {
            return Vec::new();
        }
        let kept = |uris: &[RedirectUri]| -> Vec<RedirectUri> {
            let of_scheme = |uri: &&RedirectUri| {
                uri.as_str().split_once(':').is_some_and(|(written, _)| written == scheme.as_str())
            };
            uris.iter().filter(|uri| !of_scheme(uri)).cloned().collect()
        };
        let (old, after) = (&self.post_logout_redirect_uris, kept(&self.post_logout_redirect_uris));
        let after = (after != *old).then(|| post_logout_redirect_uris(old.clone(), after));
        let kept = kept(&self.redirect_uris);
        let removed = (kept != self.redirect_uris).then(|| {
            let redirect_uris = Change::new(self.redirect_uris.clone(), kept);
            ClientEvent::RedirectUrisChanged(RedirectUrisChanged { redirect_uris })
        });
        let withdrawn = ClientEvent::RedirectExceptionWithdrawn(RedirectExceptionWithdrawn { scheme });
        removed.into_iter().chain(after).chain([withdrawn]).collect()
    }
}
