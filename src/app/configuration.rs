//! Commands on what clients are judged by: types, scopes, environments. They seal nothing and claim no name, so that one
//! way of deciding and appending serves them all.

use cqrs_es::Aggregate;
use domain::{
    ClientType, ClientTypeCommand, ClientTypeError, ClientTypeEvent, Environment, EnvironmentCommand,
    EnvironmentError, EnvironmentEvent, Event, ScopeCommand, ScopeDefinition, ScopeError, ScopeEvent,
};
use jiff::Timestamp;
use store::{AppendError, ExpectedRevision, Position, Revision, StreamName};

use crate::{
    App, Inner,
    aggregates::Loader,
    context::{Context, IfMatch},
    error::CommandError,
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream},
    idempotency::Replay,
};

/// A type, a scope or an environment after a command, or as it stands now.
#[derive(Clone, Debug)]
pub struct Configured<S> {
    /// Its name.
    pub name: String,
    /// What it is now.
    pub state: S,
    /// The revision it is at.
    pub revision: Revision,
    /// The position to wait for before reading what the command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request: nothing happened now.
    pub replayed: bool,
}

/// An aggregate of the configuration, as this module needs it.
pub(crate) trait Configuration: Aggregate<Error: Send + Sync> + Clone + 'static {
    /// What it is once it exists.
    type State: Clone + Send + 'static;
    /// What may be asked of it.
    type Ask: Clone + Send + Sync + 'static;
    /// What happens to it.
    type Fact: Clone + Into<Event> + Send + Sync;
    /// What it is called in an answer that says there is none.
    const WHAT: &'static str;

    fn loader(inner: &Inner) -> &Loader<Self>;
    fn state(&self) -> Option<&Self::State>;
    /// The command with the facts of other streams that it is judged by, as they stand now.
    fn informed(
        inner: &Inner,
        name: &str,
        ask: Self::Ask,
    ) -> impl Future<Output = Result<Informed<Self::Ask>, CommandError>> + Send;
    fn decided(&self, ask: Self::Ask, now: Timestamp) -> Result<Vec<Self::Fact>, CommandError>;
    fn folded(&mut self, fact: &Self::Fact, at: Timestamp);
    /// Whether this command must say why.
    fn reason_required(&self, operation: &str) -> bool;
    /// The environment of its stream.
    fn environment(name: &str) -> Option<String>;
}

/// A command with the facts of other streams that it is judged by, and those streams: they must not have moved when it
/// is recorded.
pub(crate) struct Informed<A> {
    pub(crate) ask: A,
    pub(crate) unmoved: Vec<(StreamName, Revision)>,
}

impl App {
    /// Runs a use case on a type, a scope or an environment that exists, or shall.
    pub(crate) async fn on_configuration<A: Configuration>(
        &self,
        context: Context,
        name: String,
        permission: domain::Permission,
        if_match: Result<Option<IfMatch>, CommandError>,
        ask: A::Ask,
    ) -> Result<Configured<A::State>, CommandError> {
        self.run(move |inner| async move {
            let work = async { inner.configure::<A>(&context, &name, if_match?, ask).await };
            let replayed = |replay: Replay| {
                let inner = &inner;
                async move {
                    let now = inner.configured::<A>(replay.stream().id()).await?;
                    Ok(Configured { position: replay.recorded.position, replayed: true, ..now })
                }
            };
            let subject = StreamName::new(A::TYPE, &name).ok();
            inner.guarded(&context, subject.as_ref(), context.demand(permission), work, replayed).await
        })
        .await
    }
}

impl Inner {
    /// What is there under this name now.
    pub(crate) async fn configured<A: Configuration>(
        &self,
        name: &str,
    ) -> Result<Configured<A::State>, CommandError> {
        if StreamName::new(A::TYPE, name).is_err() {
            return Err(CommandError::NotFound(A::WHAT));
        }
        let loaded = A::loader(self).current(name).await?;
        let state = loaded.aggregate.state().cloned().ok_or(CommandError::NotFound(A::WHAT))?;
        let position = self.log.head().await?;
        Ok(Configured { name: name.to_owned(), state, revision: loaded.revision, position, replayed: false })
    }

    /// Decides and appends, and decides again when another command was faster.
    pub(crate) async fn configure<A: Configuration>(
        &self,
        context: &Context,
        name: &str,
        if_match: Option<IfMatch>,
        ask: A::Ask,
    ) -> Result<Configured<A::State>, CommandError> {
        let Ok(stream) = StreamName::new(A::TYPE, name) else {
            // Nothing can be called so: what is wrong with the name is for what would have it to say.
            let decided = A::default().decided(A::informed(self, name, ask).await?.ask, self.log.now());
            with_violations(decided, context.violations(false))?;
            return Err(CommandError::NotFound(A::WHAT));
        };
        for _ in 0..MOST_ATTEMPTS {
            let loaded = A::loader(self).current(name).await?;
            self.check_if_match(if_match, loaded.revision, &stream).await?;
            let Informed { ask: informed, unmoved } = A::informed(self, name, ask.clone()).await?;
            let decided = loaded.aggregate.decided(informed, self.log.now());
            let facts = with_violations(
                decided,
                context.violations(loaded.aggregate.reason_required(context.operation)),
            )?;
            if facts.is_empty() {
                return self.configured::<A>(name).await;
            }
            let mut streams = vec![ProposedStream {
                stream: stream.clone(),
                expected: ExpectedRevision::Exact(loaded.revision),
                environment: A::environment(name),
                responsible: None,
                events: facts.iter().cloned().map(Into::into).collect(),
                private: Vec::new(),
            }];
            let unmoved = unmoved.into_iter();
            streams.extend(unmoved.map(|(stream, revision)| ProposedStream::unmoved(stream, revision)));
            match self.append(context, Proposal { streams, ..Proposal::default() }).await {
                Ok(receipt) => {
                    let mut aggregate = loaded.aggregate.clone();
                    for fact in &facts {
                        aggregate.folded(fact, receipt.at);
                    }
                    let state = aggregate.state().cloned().ok_or(CommandError::NotFound(A::WHAT))?;
                    let revision = Revision::new(loaded.revision.get() + facts.len() as u64);
                    let position = receipt.position;
                    A::loader(self).remember(name, aggregate, revision, position);
                    return Ok(Configured {
                        name: name.to_owned(),
                        state,
                        revision,
                        position,
                        replayed: false,
                    });
                }
                Err(NotAppended::ByLog(AppendError::WrongExpectedRevision { .. })) => {
                    A::loader(self).forget(name);
                }
                // Left to the guard, which answers it as the repeated request that it is.
                Err(NotAppended::ByLog(AppendError::DuplicateCommand(_))) => {
                    return Err(CommandError::Contended);
                }
                Err(NotAppended::ByLog(error)) => return Err(CommandError::Fault(error.into())),
                Err(NotAppended::Before(error)) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }
}

/// One answer for what is wrong with the command and with reason and ticket.
pub(crate) fn with_violations<T>(
    decided: Result<T, CommandError>,
    more: Vec<domain::Violation>,
) -> Result<T, CommandError> {
    match decided {
        Err(CommandError::Invalid(mut violations)) => {
            violations.extend(more);
            Err(CommandError::Invalid(violations))
        }
        Ok(_) if !more.is_empty() => Err(CommandError::Invalid(more)),
        decided => decided,
    }
}

macro_rules! configuration {
    ($aggregate:ty, $state:ty, $ask:ty, $fact:ty, $error:ident, $loader:ident, $what:literal, $existing:ident, $informed:ident) => {
        impl Configuration for $aggregate {
            type State = $state;
            type Ask = $ask;
            type Fact = $fact;
            const WHAT: &'static str = $what;

            fn loader(inner: &Inner) -> &Loader<Self> {
                &inner.$loader
            }

            fn state(&self) -> Option<&Self::State> {
                self.$existing()
            }

            async fn informed(
                inner: &Inner,
                name: &str,
                ask: Self::Ask,
            ) -> Result<Informed<Self::Ask>, CommandError> {
                inner.$informed(name, ask).await
            }

            fn decided(&self, ask: Self::Ask, now: Timestamp) -> Result<Vec<Self::Fact>, CommandError> {
                self.decide(ask, now).map_err(|error| match error {
                    $error::Invalid(violations) => CommandError::Invalid(violations),
                    $error::AlreadyExists => CommandError::Taken { pointer: "/name" },
                    $error::NotFound => CommandError::NotFound($what),
                })
            }

            fn folded(&mut self, fact: &Self::Fact, at: Timestamp) {
                self.apply(fact, at);
            }

            configuration!(@environment $loader);
        }
    };
    (@environment environments) => {
        fn reason_required(&self, operation: &str) -> bool {
            self.policy().is_some_and(|policy| policy.reason_required.covers(operation))
        }

        fn environment(name: &str) -> Option<String> {
            Some(name.to_owned())
        }
    };
    (@environment $catalog:ident) => {
        fn reason_required(&self, _operation: &str) -> bool {
            false
        }

        fn environment(_name: &str) -> Option<String> {
            None
        }
    };
}

configuration!(
    ClientType,
    domain::client_type::ListedType,
    ClientTypeCommand,
    ClientTypeEvent,
    ClientTypeError,
    client_types,
    "client_type",
    listed,
    informed_of_scopes
);
configuration!(
    ScopeDefinition,
    domain::scope::ListedScope,
    ScopeCommand,
    ScopeEvent,
    ScopeError,
    scopes,
    "scope",
    listed,
    informed_of_nothing
);
configuration!(
    Environment,
    domain::environment::OpenEnvironment,
    EnvironmentCommand,
    EnvironmentEvent,
    EnvironmentError,
    environments,
    "environment",
    open,
    informed_of_types
);
