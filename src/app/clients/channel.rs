//! Channels that do not send all that a client needs: what is missing comes from the environment's policy, the acting
//! admin, and the catalog.

use std::borrow::Cow;

use domain::{
    EnvironmentName, MemberId, Rule, Violation,
    environment::{ChannelDefaults, Policy},
    oauth::{RedirectUri, ScopeSet},
};

use super::{Contact, CreateClientRequest};
use crate::{Inner, error::CommandError};

/// A way in that does not send all that a client needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The API that another product's client library uses.
    Compatibility,
}

impl Channel {
    /// The setting of a policy that speaks of it, and what it says.
    fn defaults(self, policy: &Policy) -> (&'static str, &ChannelDefaults) {
        match self {
            Self::Compatibility => ("compatibility_defaults", &policy.compatibility_defaults),
        }
    }

    /// What is wrong with redirect URIs that come by it, beyond what the environment demands; one that is `registered`
    /// stays good.
    pub(super) fn check_redirect_uris(self, texts: &[String], registered: &[RedirectUri]) -> Vec<Violation> {
        let known = |text: &&String| registered.iter().any(|uri| uri.as_str() == text.as_str());
        let broken = |(place, text): (usize, &String)| match self {
            Self::Compatibility if known(&text) => None,
            Self::Compatibility => {
                let (rule, detail) = RedirectUri::parse_without_query(text).err()?;
                Some(Violation::new(format!("/redirect_uris/{place}"), rule, detail))
            }
        };
        texts.iter().enumerate().filter_map(broken).collect()
    }
}

impl Inner {
    /// The request with what its channel does not send.
    ///
    /// # Errors
    /// Each setting of the policy that keeps the channel from making clients.
    pub(super) async fn completed<'a>(
        &self,
        request: &'a CreateClientRequest,
        environment: &EnvironmentName,
        policy: &Policy,
        acting: MemberId,
    ) -> Result<Cow<'a, CreateClientRequest>, CommandError> {
        let Some(channel) = request.channel else { return Ok(Cow::Borrowed(request)) };
        let (setting, defaults) = channel.defaults(policy);
        let mut wrong = Vec::new();
        let mut demand = |missing: bool, pointer: &str, key: &str, value: &str| {
            if missing {
                let detail = format!(
                    "cannot be sent here, and the environment `{environment}` does not say what stands for it: set \
                     `{setting}.{key}` of its policy to {value}"
                );
                wrong.push(Violation::new(pointer, Rule::Required, detail));
            }
        };
        demand(defaults.client_type.is_none(), "/client_type", "client_type", "a type of the catalog");
        demand(defaults.contacts_required, "/contacts", "contacts_required", "false");
        demand(defaults.terms_required, "/terms_accepted", "terms_required", "false");
        let client_type = match &defaults.client_type {
            Some(client_type) if wrong.is_empty() => client_type.clone(),
            Some(_) | None => return Err(CommandError::Invalid(wrong)),
        };
        let mut completed = request.clone();
        completed.metadata.scope = match defaults.scope.is_empty() {
            true => self.all_scopes(&client_type).await?.to_wire(),
            false => defaults.scope.to_wire(),
        };
        completed.metadata.client_type = client_type;
        completed.terms_accepted = policy.terms.last().cloned();
        completed.contacts = vec![self.acting_contact(acting).await?];
        Ok(Cow::Owned(completed))
    }

    /// All that a new client of the type may ask for.
    pub(super) async fn all_scopes(&self, client_type: &str) -> Result<ScopeSet, CommandError> {
        let Some((rules, _)) = self.type_rules(client_type, "").await? else {
            return Ok(ScopeSet::default());
        };
        let all = self.type_rules(client_type, &rules.scopes.to_wire()).await?;
        let deprecated = all.map(|(rules, _)| rules.deprecated_scopes).unwrap_or_default();
        Ok(ScopeSet(rules.scopes.0.difference(&deprecated.0).cloned().collect()))
    }

    /// The member who acts, as the one to turn to.
    pub(super) async fn acting_contact(&self, acting: MemberId) -> Result<Contact, CommandError> {
        let details = self.member_details(acting).await?;
        details.map(|(name, email)| Contact { name, email }).ok_or(CommandError::NotFound("member"))
    }
}
