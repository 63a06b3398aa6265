//! What a client does not say that registers itself, and what it may not say.

use domain::{
    ClientId, EnvironmentName, Rule, Violation,
    environment::Policy,
    oauth::{ScopeSet, ScopeToken},
};

use super::register::Registering;
use crate::{Inner, clients::CreateClientRequest, error::CommandError, execute::claim_key};

/// The part of an id that is random.
const TAIL: usize = 6;
/// The longest name with such a part behind it.
const LONGEST_NAME: usize = 120 - TAIL - 3;

impl Inner {
    /// The request with what the client does not say: its type, and whatever else the environment has something for. What
    /// it wants beyond what it may have is refused.
    ///
    /// # Errors
    /// Each setting of the policy that keeps clients from registering themselves, and each scope beyond.
    pub(in crate::clients) async fn completed_by_itself(
        &self,
        request: &CreateClientRequest,
        registering: &Registering,
        environment: &EnvironmentName,
        policy: &Policy,
        client_id: ClientId,
    ) -> Result<CreateClientRequest, CommandError> {
        let defaults = &policy.registration_defaults;
        let mut wrong = Vec::new();
        let Some(client_type) = &defaults.client_type else {
            let detail = format!(
                "cannot be sent here, and the environment `{environment}` does not say what stands for it: set \
                 `registration_defaults.client_type` of its policy to a type of the catalog"
            );
            return Err(CommandError::Invalid(vec![Violation::new("/client_type", Rule::Required, detail)]));
        };
        let limit = self.scope_limit(policy, client_type, registering.scope.as_ref()).await?;
        let mut completed = request.clone();
        completed.metadata.client_type.clone_from(client_type);
        if registering.says_scope {
            wrong.extend(beyond(&completed.metadata.scope, &limit));
        } else {
            completed.metadata.scope = limit.to_wire();
        }
        if completed.contacts.is_empty() && !defaults.contacts_required {
            completed.contacts = vec![self.acting_contact(registering.responsible).await?];
        }
        if completed.terms_accepted.is_none() && !defaults.terms_required {
            completed.terms_accepted = policy.terms.last().cloned();
        }
        completed.metadata.client_name =
            self.free_name(environment, &completed.metadata.client_name, client_id).await?;
        if wrong.is_empty() { Ok(completed) } else { Err(CommandError::Invalid(wrong)) }
    }

    /// All that clients may ask for which register themselves, by a token with this limit.
    pub(super) async fn scope_limit(
        &self,
        policy: &Policy,
        client_type: &str,
        of_token: Option<&ScopeSet>,
    ) -> Result<ScopeSet, CommandError> {
        let of_environment = match policy.registration_defaults.scope.is_empty() {
            true => self.all_scopes(client_type).await?,
            false => policy.registration_defaults.scope.clone(),
        };
        Ok(match of_token {
            Some(limit) => ScopeSet(of_environment.0.intersection(&limit.0).cloned().collect()),
            None => of_environment,
        })
    }

    /// A name that no other client of the environment has. Instances of one software come with one name, and names are
    /// unique here: who comes later gets a part of its id behind it.
    pub(super) async fn free_name(
        &self,
        environment: &EnvironmentName,
        wanted: &str,
        client_id: ClientId,
    ) -> Result<String, CommandError> {
        let id = client_id.to_string();
        let tail = &id[id.len() - TAIL..];
        if wanted.trim().is_empty() {
            return Ok(format!("Client {tail}"));
        }
        let claim = claim_key(&domain::Claim::client_name(environment, wanted));
        let holder = self.log.claim_holder(&claim).await?;
        if holder.is_none_or(|holder| holder.id() == id) {
            return Ok(wanted.to_owned());
        }
        let shortened: String = wanted.trim().chars().take(LONGEST_NAME).collect();
        Ok(format!("{shortened} ({tail})"))
    }
}

/// Each scope that is asked for and may not be had; what is no scope is the domain's to refuse.
pub(super) fn beyond(asked: &str, limit: &ScopeSet) -> Vec<Violation> {
    let Ok(asked) = ScopeSet::parse(asked, "/scope") else { return Vec::new() };
    let refused = |token: &ScopeToken| {
        let detail = format!(
            "`{}` is not among the scopes of clients that register themselves: {}",
            token.as_str(),
            limit.to_wire()
        );
        Violation::new("/scope", Rule::NotAllowedByType, detail)
    };
    asked.0.difference(&limit.0).map(refused).collect()
}
