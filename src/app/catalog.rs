//! The use cases of the catalog: scopes and client types.

use domain::{
    ClientType, ClientTypeCommand, Permission, ScopeCommand, ScopeDefinition,
    client_type::{ChangeClientType, CreateClientType, ListedType, TypeRules, is_type_name},
    oauth::{ScopeSet, ScopeToken},
    scope::{KnownScopes, ListedScope, is_scope_name},
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
    /// Puts a scope into the catalog. Needs `catalog:write`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Taken`] if it is there.
    pub async fn create_scope(
        &self,
        context: Context,
        name: String,
        description: String,
    ) -> Result<Configured<ListedScope>, CommandError> {
        let command = ScopeCommand::CreateScope { name: name.clone(), description };
        self.on_scope(context, name, Ok(None), command).await
    }

    /// Describes a scope in other words. Needs `catalog:write` and `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::PreconditionFailed`] says what changed in the meantime.
    pub async fn change_scope(
        &self,
        context: Context,
        name: String,
        if_match: Option<IfMatch>,
        description: Option<String>,
    ) -> Result<Configured<ListedScope>, CommandError> {
        let needed = if_match.ok_or(CommandError::PreconditionRequired);
        self.on_scope(context, name, needed.map(Some), ScopeCommand::ChangeScope { description }).await
    }

    /// Gives a scope to no more clients; those that hold it keep it. Needs `catalog:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn deprecate_scope(
        &self,
        context: Context,
        name: String,
    ) -> Result<Configured<ListedScope>, CommandError> {
        self.on_scope(context, name, Ok(None), ScopeCommand::DeprecateScope).await
    }

    /// Lets a scope be given to clients again. Needs `catalog:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn restore_scope(
        &self,
        context: Context,
        name: String,
    ) -> Result<Configured<ListedScope>, CommandError> {
        self.on_scope(context, name, Ok(None), ScopeCommand::RestoreScope).await
    }

    /// A scope as the log stands now. Whether the member may look is asked by the route.
    ///
    /// # Errors
    /// [`CommandError::NotFound`], or a fault.
    pub async fn scope(&self, name: &str) -> Result<Configured<ListedScope>, CommandError> {
        self.inner.configured::<ScopeDefinition>(name).await
    }

    /// Puts a client type into the catalog. Needs `catalog:write`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Taken`] if it is there.
    pub async fn create_client_type(
        &self,
        context: Context,
        create: CreateClientType,
    ) -> Result<Configured<ListedType>, CommandError> {
        let name = create.name.clone();
        self.on_type(context, name, Ok(None), ClientTypeCommand::CreateClientType(create)).await
    }

    /// Changes description, scopes or quota of a type. Needs `catalog:write` and `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::PreconditionFailed`] says what changed in the meantime.
    pub async fn change_client_type(
        &self,
        context: Context,
        name: String,
        if_match: Option<IfMatch>,
        change: ChangeClientType,
    ) -> Result<Configured<ListedType>, CommandError> {
        let needed = if_match.ok_or(CommandError::PreconditionRequired);
        let command = ClientTypeCommand::ChangeClientType(change);
        self.on_type(context, name, needed.map(Some), command).await
    }

    /// Takes no new clients of a type; those there are live on. Needs `catalog:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn deprecate_client_type(
        &self,
        context: Context,
        name: String,
    ) -> Result<Configured<ListedType>, CommandError> {
        self.on_type(context, name, Ok(None), ClientTypeCommand::DeprecateClientType).await
    }

    /// Takes new clients of a type again. Needs `catalog:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn restore_client_type(
        &self,
        context: Context,
        name: String,
    ) -> Result<Configured<ListedType>, CommandError> {
        self.on_type(context, name, Ok(None), ClientTypeCommand::RestoreClientType).await
    }

    /// A client type as the log stands now. Whether the member may look is asked by the route.
    ///
    /// # Errors
    /// [`CommandError::NotFound`], or a fault.
    pub async fn client_type(&self, name: &str) -> Result<Configured<ListedType>, CommandError> {
        self.inner.configured::<ClientType>(name).await
    }

    async fn on_scope(
        &self,
        context: Context,
        name: String,
        if_match: Result<Option<IfMatch>, CommandError>,
        command: ScopeCommand,
    ) -> Result<Configured<ListedScope>, CommandError> {
        self.on_configuration::<ScopeDefinition>(context, name, Permission::CatalogWrite, if_match, command)
            .await
    }

    async fn on_type(
        &self,
        context: Context,
        name: String,
        if_match: Result<Option<IfMatch>, CommandError>,
        command: ClientTypeCommand,
    ) -> Result<Configured<ListedType>, CommandError> {
        self.on_configuration::<ClientType>(context, name, Permission::CatalogWrite, if_match, command).await
    }
}

impl Inner {
    /// A scope is judged by its own stream alone.
    pub(crate) async fn informed_of_nothing(
        &self,
        _name: &str,
        ask: ScopeCommand,
    ) -> Result<Informed<ScopeCommand>, CommandError> {
        Ok(Informed { ask, unmoved: Vec::new() })
    }

    /// A type is judged by the scopes that it names.
    pub(crate) async fn informed_of_scopes(
        &self,
        _name: &str,
        ask: ClientTypeCommand,
    ) -> Result<Informed<ClientTypeCommand>, CommandError> {
        Ok(match ask {
            ClientTypeCommand::CreateClientType(create) => {
                let (known_scopes, unmoved) = self.known_scopes(&create.scopes).await?;
                let create = CreateClientType { known_scopes, ..create };
                Informed { ask: ClientTypeCommand::CreateClientType(create), unmoved }
            }
            ClientTypeCommand::ChangeClientType(change) => {
                let (known_scopes, unmoved) =
                    self.known_scopes(change.scopes.as_deref().unwrap_or_default()).await?;
                let change = ChangeClientType { known_scopes, ..change };
                Informed { ask: ClientTypeCommand::ChangeClientType(change), unmoved }
            }
            ask @ (ClientTypeCommand::DeprecateClientType | ClientTypeCommand::RestoreClientType) => {
                Informed { ask, unmoved: Vec::new() }
            }
        })
    }

    /// What the catalog has of these scopes, and the streams that say so.
    pub(crate) async fn known_scopes(
        &self,
        names: &[String],
    ) -> Result<(KnownScopes, Vec<(StreamName, Revision)>), CommandError> {
        let mut known = KnownScopes::default();
        let mut streams = Vec::new();
        let tokens: ScopeSet =
            ScopeSet(names.iter().filter_map(|name| ScopeToken::parse(name).ok()).collect());
        for token in tokens.0 {
            if !is_scope_name(token.as_str()) {
                continue;
            }
            let loaded = self.scopes.current(token.as_str()).await?;
            let stream = Loader::<ScopeDefinition>::stream(token.as_str())?;
            streams.push((stream, loaded.revision));
            if let Some(scope) = loaded.aggregate.listed() {
                if scope.deprecated {
                    known.deprecated.0.insert(token.clone());
                }
                known.listed.0.insert(token);
            }
        }
        Ok((known, streams))
    }

    /// What a type demands of a client that asks for `scope`, and the streams that say so; `None` if there is no such
    /// type.
    pub(crate) async fn type_rules(
        &self,
        client_type: &str,
        scope: &str,
    ) -> Result<Option<(TypeRules, Vec<(StreamName, Revision)>)>, CommandError> {
        if !is_type_name(client_type) {
            return Ok(None);
        }
        let loaded = self.client_types.current(client_type).await?;
        let Some(listed) = loaded.aggregate.listed() else { return Ok(None) };
        // Of a scope that the type does not allow, nothing more needs to be known.
        let allowed = |name: &&str| listed.scopes.0.iter().any(|token| token.as_str() == *name);
        let named: Vec<_> = scope.split(' ').filter(allowed).map(str::to_owned).collect();
        let (known, mut streams) = self.known_scopes(&named).await?;
        let stream = Loader::<ClientType>::stream(client_type)?;
        streams.push((stream, loaded.revision));
        Ok(Some((listed.rules(known.deprecated), streams)))
    }
}
