//! What may be drawn: commands as they come to mind, and what goes wrong around them.

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::registry::{Change, Command, ENVIRONMENTS, NAMES, Registry, SCOPES, URIS};

/// One step of a history.
#[derive(Clone, Debug)]
pub enum Step {
    /// A command, answered.
    Do(Command),
    /// The same command by several at once: as if one after the other.
    AtOnce(Command, u8),
    /// The same request under one `Idempotency-Key` by several at once: it happens once.
    Repeat(Command, u8),
    /// A command by someone who may not.
    Forbidden(Command),
    /// A command under another environment's path: an island knows nothing of it.
    Elsewhere(usize, Change),
    /// `kill -9` so many milliseconds after a command was sent, and the same request again.
    KillDuring(Command, u8),
    /// A disk that is full, or does not make durable what it is told, while a command is sent; and the same request again.
    FailDuring(Command, Fault),
    /// A stop as a service manager does it, and a start.
    Restart,
    /// The views are deleted under the running service.
    DeleteViews,
}

/// What the disk does not do.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It takes no more.
    Full,
    /// It cannot say that it has kept what it took.
    NotDurable,
}

/// The histories of a registry.
#[derive(Debug)]
pub struct History;

impl ReferenceStateMachine for History {
    type State = Registry;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Registry> {
        Just(Registry::default()).boxed()
    }

    fn transitions(registry: &Registry) -> BoxedStrategy<Step> {
        let command = command(registry.clients.len());
        let step = prop_oneof![
            12 => command.clone().prop_map(Step::Do),
            2 => (command.clone(), 2..6_u8).prop_map(|(command, times)| Step::AtOnce(command, times)),
            2 => (command.clone(), 2..6_u8).prop_map(|(command, times)| Step::Repeat(command, times)),
            1 => command.clone().prop_map(Step::Forbidden),
            1 => (command.clone(), 0..40_u8).prop_map(|(command, delay)| Step::KillDuring(command, delay)),
            1 => (command, prop_oneof![Just(Fault::Full), Just(Fault::NotDurable)])
                .prop_map(|(command, fault)| Step::FailDuring(command, fault)),
            1 => prop_oneof![Just(Step::Restart), Just(Step::DeleteViews)],
        ];
        match registry.clients.len() {
            0 => step.boxed(),
            clients => prop_oneof![
                20 => step,
                1 => (0..clients, change()).prop_map(|(client, change)| Step::Elsewhere(client, change)),
            ]
            .boxed(),
        }
    }

    fn apply(mut registry: Registry, step: &Step) -> Registry {
        match step {
            Step::Do(command)
            | Step::Repeat(command, _)
            | Step::KillDuring(command, _)
            | Step::FailDuring(command, _) => {
                registry.apply(command);
            }
            Step::AtOnce(command, times) => {
                for _ in 0..*times {
                    registry.apply(command);
                }
            }
            Step::Forbidden(_) | Step::Elsewhere(..) | Step::Restart | Step::DeleteViews => {}
        }
        registry
    }

    fn preconditions(registry: &Registry, step: &Step) -> bool {
        let there = |client: usize| client < registry.clients.len();
        match step {
            Step::Do(command)
            | Step::AtOnce(command, _)
            | Step::Repeat(command, _)
            | Step::Forbidden(command)
            | Step::KillDuring(command, _)
            | Step::FailDuring(command, _) => match command {
                Command::Create { .. } => true,
                Command::On { client, .. } => there(*client),
            },
            Step::Elsewhere(client, _) => there(*client),
            Step::Restart | Step::DeleteViews => true,
        }
    }
}

fn command(clients: usize) -> BoxedStrategy<Command> {
    let create = (0..ENVIRONMENTS.len(), 0..NAMES.len(), scopes(), prop::bool::weighted(0.2)).prop_map(
        |(environment, name, scopes, public)| Command::Create { environment, name, scopes, public },
    );
    if clients == 0 {
        return create.boxed();
    }
    // Newer ones more often: histories go on, and do not only begin.
    let client = prop_oneof![0..clients, clients.saturating_sub(2)..clients];
    let on = (client, change()).prop_map(|(client, change)| Command::On { client, change });
    prop_oneof![1 => create, 5 => on].boxed()
}

fn change() -> impl Strategy<Value = Change> + Clone {
    prop_oneof![
        2 => (0..NAMES.len()).prop_map(Change::Rename),
        1 => scopes().prop_map(Change::Scopes),
        2 => (0..URIS.len()).prop_map(Change::AddRedirectUri),
        1 => (0..URIS.len()).prop_map(Change::RemoveRedirectUri),
        2 => Just(Change::IssueSecret),
        2 => Just(Change::ReplaceSecrets),
        2 => Just(Change::OverlapSecrets),
        3 => (0..6_usize, any::<bool>())
            .prop_map(|(secret, allow_lockout)| Change::RevokeSecret { secret, allow_lockout }),
        1 => Just(Change::RotateSigningSecret),
        1 => Just(Change::RevealSigningSecret),
        2 => Just(Change::Deactivate),
        2 => Just(Change::Enable),
        1 => Just(Change::Delete),
    ]
}

/// A bit for each scope; seldom none.
fn scopes() -> impl Strategy<Value = u8> + Clone {
    prop_oneof![1 => Just(0), 12 => 1..1_u8 << SCOPES.len()]
}
