//! `/api/v2/oauth/clients`: the API that another product's client library uses, in that product's words and errors.
//!
//! It has no environment in its paths, and sends less than a client needs: `environment` says where a request acts, and
//! what stands for the rest is a matter of the environment's policy.

pub(crate) mod clients;
pub(crate) mod error;
mod representation;

use app::{Actor, Context};
use domain::{EnvironmentName, Permission, Reach};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    problem::{Kind, Problem},
    service::Service,
};

/// What every path of it begins with.
const PREFIX: &str = "/api/v2";

/// `[compatibility]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompatibilityConfig {
    /// Where requests of the compatibility API act, unless their token is limited to one environment.
    pub environment: EnvironmentName,
}

impl Default for CompatibilityConfig {
    fn default() -> Self {
        Self { environment: EnvironmentName::production() }
    }
}

/// Whether errors at this path are told in its dialect, and tokens come without a scheme.
pub(crate) fn is_spoken_at(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where a request acts: where its token reaches clients, if that is in one environment alone; else what is set. It is one
/// place for all that a token asks, reads and commands alike.
pub(crate) fn environment(service: &Service, actor: &Actor) -> EnvironmentName {
    let reach = match actor {
        Actor::Member(principal) => {
            let of_clients = [Permission::ClientsRead, Permission::ClientsWrite].into();
            principal.rights.limited_to(&of_clients, &Reach::Everywhere).reach()
        }
        Actor::Host { .. } | Actor::Client { .. } | Actor::System | Actor::Anonymous => Reach::Everywhere,
    };
    let mut within = reach.environments().into_iter().flatten();
    match (within.next(), within.next()) {
        (Some(only), None) => only.clone(),
        _ => service.compatibility.environment.clone(),
    }
}

/// The environment that a request acts in.
fn acting_in(context: &Context) -> Result<EnvironmentName, Problem> {
    context.environment.clone().ok_or_else(|| Problem::new(Kind::Internal))
}

/// `_accountId`: the same for all clients of an environment as long as it lives, on every node and wherever its log is.
async fn account_id(service: &Service, environment: &EnvironmentName) -> Result<Uuid, Problem> {
    let opened = service.app.environment(environment.as_str()).await?;
    let name = format!("{environment} {}", opened.state.created_at);
    Ok(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
}
