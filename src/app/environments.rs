//! The use cases of environments: opening one, its policy, its developer terms.

use std::collections::BTreeMap;

use domain::{
    ClientType, Environment, EnvironmentCommand, Permission,
    environment::{ChangePolicy, CreateEnvironment, OpenEnvironment},
    oauth::ScopeSet,
};
use store::{Revision, StreamName};

use crate::{
    App, Inner,
    aggregates::Loader,
    configuration::{Configured, Informed},
    context::{Context, IfMatch},
    error::CommandError,
};

impl App {
    /// Opens an environment. Needs `environments:write`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Taken`] if there is one of this name.
    pub async fn create_environment(
        &self,
        context: Context,
        create: CreateEnvironment,
    ) -> Result<Configured<OpenEnvironment>, CommandError> {
        let name = create.name.clone();
        self.on_environment(context, name, Ok(None), EnvironmentCommand::CreateEnvironment(create)).await
    }

    /// Changes what an environment demands. Needs `environments:write` and `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::PreconditionFailed`] says what changed in the meantime.
    pub async fn change_policy(
        &self,
        context: Context,
        name: String,
        if_match: Option<IfMatch>,
        change: ChangePolicy,
    ) -> Result<Configured<OpenEnvironment>, CommandError> {
        let needed = if_match.ok_or(CommandError::PreconditionRequired);
        self.on_environment(context, name, needed.map(Some), EnvironmentCommand::ChangePolicy(change)).await
    }

    /// Publishes a version of the developer terms, which new clients must accept from now on. Needs
    /// `environments:write`, never `If-Match`: no version takes another one's place unseen.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn publish_terms(
        &self,
        context: Context,
        name: String,
        terms: String,
    ) -> Result<Configured<OpenEnvironment>, CommandError> {
        self.on_environment(context, name, Ok(None), EnvironmentCommand::PublishTerms { terms }).await
    }

    /// An environment as the log stands now. Whether the member may look is asked by the route.
    ///
    /// # Errors
    /// [`CommandError::NotFound`], or a fault.
    pub async fn environment(&self, name: &str) -> Result<Configured<OpenEnvironment>, CommandError> {
        self.inner.configured::<Environment>(name).await
    }

    async fn on_environment(
        &self,
        context: Context,
        name: String,
        if_match: Result<Option<IfMatch>, CommandError>,
        command: EnvironmentCommand,
    ) -> Result<Configured<OpenEnvironment>, CommandError> {
        let permission = Permission::EnvironmentsWrite;
        self.on_configuration::<Environment>(context, name, permission, if_match, command).await
    }
}

impl Inner {
    /// A policy is judged by the types that it names.
    pub(crate) async fn informed_of_types(
        &self,
        name: &str,
        ask: EnvironmentCommand,
    ) -> Result<Informed<EnvironmentCommand>, CommandError> {
        Ok(match ask {
            EnvironmentCommand::CreateEnvironment(create) => {
                let (policy, unmoved) = self.with_types(name, create.policy).await?;
                let create = CreateEnvironment { policy, ..create };
                Informed { ask: EnvironmentCommand::CreateEnvironment(create), unmoved }
            }
            EnvironmentCommand::ChangePolicy(change) => {
                let (change, unmoved) = self.with_types(name, change).await?;
                Informed { ask: EnvironmentCommand::ChangePolicy(change), unmoved }
            }
            ask @ EnvironmentCommand::PublishTerms { .. } => Informed { ask, unmoved: Vec::new() },
        })
    }

    /// The change with the rules of the types that the policy names before or after it, and the streams that say so.
    async fn with_types(
        &self,
        environment: &str,
        change: ChangePolicy,
    ) -> Result<(ChangePolicy, Vec<(StreamName, Revision)>), CommandError> {
        let draft = &change.draft;
        let mut names: Vec<String> = draft.named_types().map(str::to_owned).collect();
        if draft.compatibility_defaults.scope.is_some() || draft.registration_defaults.scope.is_some() {
            let now = self.configured::<Environment>(environment).await.map(|now| now.state.policy);
            if let Ok(policy) = now {
                names.extend(policy.compatibility_defaults.client_type);
                names.extend(policy.registration_defaults.client_type);
            }
        }
        names.sort_unstable();
        names.dedup();
        let mut types = BTreeMap::new();
        let mut streams = Vec::new();
        for name in names.into_iter().filter(|name| domain::client_type::is_type_name(name)) {
            let loaded = self.client_types.current(&name).await?;
            let Some(listed) = loaded.aggregate.listed() else { continue };
            let rules = listed.rules(ScopeSet::default());
            streams.push((Loader::<ClientType>::stream(&name)?, loaded.revision));
            types.insert(name, rules);
        }
        Ok((ChangePolicy { types, ..change }, streams))
    }
}
