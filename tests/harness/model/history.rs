//! What may be drawn: commands as they come to mind, and what goes wrong around them.

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::{
    command::{Change, Command, MemberChange, Role},
    registry::{ENVIRONMENTS, Member, NAMES, Registry, SCOPES, URIS},
};

/// One step of a history.
#[derive(Clone, Debug)]
pub enum Step {
    /// A command, answered.
    Do(Command),
    /// The same command by several at once: as if one after the other.
    AtOnce(Command, u8),
    /// The same request under one `Idempotency-Key` by several at once: it happens once.
    Repeat(Command, u8),
    /// A new member, with a token.
    Enrol(Role),
    /// A command by a member, who may or may not.
    By(usize, Command),
    /// A client authenticates.
    Authenticate(Use),
    /// The same, and `kill -9` as soon as it is answered.
    AuthenticateAndKill(Use),
    /// Somebody finds a secret where it must not be.
    ReportLeaked {
        /// Whose.
        client: usize,
        /// Which, from the oldest.
        secret: usize,
    },
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

/// A client that authenticates.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    /// Which client.
    pub client: usize,
    /// By which of its secrets, from the oldest.
    pub secret: usize,
    /// Whether it does so where it is not registered.
    pub elsewhere: bool,
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
        let (clients, members) = (registry.clients.len(), registry.members.len());
        let command = command(clients, members);
        let step = prop_oneof![
            12 => command.clone().prop_map(Step::Do),
            2 => (command.clone(), 2..6_u8).prop_map(|(command, times)| Step::AtOnce(command, times)),
            2 => (command.clone(), 2..6_u8).prop_map(|(command, times)| Step::Repeat(command, times)),
            1 => role().prop_map(Step::Enrol),
            1 => (command.clone(), 0..40_u8).prop_map(|(command, delay)| Step::KillDuring(command, delay)),
            1 => (command.clone(), prop_oneof![Just(Fault::Full), Just(Fault::NotDurable)])
                .prop_map(|(command, fault)| Step::FailDuring(command, fault)),
            1 => prop_oneof![Just(Step::Restart), Just(Step::DeleteViews)],
        ];
        let step = match members {
            0 => step.boxed(),
            _ => prop_oneof![
                6 => step,
                1 => (0..members, command).prop_map(|(member, command)| Step::By(member, command)),
            ]
            .boxed(),
        };
        match clients {
            0 => step,
            _ => prop_oneof![
                20 => step,
                1 => (0..clients, change(members))
                    .prop_map(|(client, change)| Step::Elsewhere(client, change)),
                4 => a_use(clients).prop_map(Step::Authenticate),
                1 => a_use(clients).prop_map(Step::AuthenticateAndKill),
                1 => (0..clients, 0..6_usize)
                    .prop_map(|(client, secret)| Step::ReportLeaked { client, secret }),
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
            Step::Enrol(role) => registry.members.push(Member::new(*role)),
            Step::By(member, command) => {
                registry.apply_by(*member, command);
            }
            Step::ReportLeaked { client, secret } => registry.report_leaked(*client, *secret),
            Step::Authenticate(_)
            | Step::AuthenticateAndKill(_)
            | Step::Elsewhere(..)
            | Step::Restart
            | Step::DeleteViews => {}
        }
        registry
    }

    fn preconditions(registry: &Registry, step: &Step) -> bool {
        let client_there = |client: usize| client < registry.clients.len();
        let member_there = |member: usize| member < registry.members.len();
        let change_can_be =
            |change: &Change| !matches!(change, Change::Responsible(member) if !member_there(*member));
        let can_be = |command: &Command| match command {
            Command::Create { .. } | Command::Scope { .. } | Command::ClientType { .. } => true,
            Command::On { client, change } => client_there(*client) && change_can_be(change),
            Command::Member { member, .. } => member_there(*member),
        };
        match step {
            Step::Do(command)
            | Step::AtOnce(command, _)
            | Step::Repeat(command, _)
            | Step::KillDuring(command, _)
            | Step::FailDuring(command, _) => can_be(command),
            Step::By(member, command) => member_there(*member) && can_be(command),
            Step::Authenticate(a_use) | Step::AuthenticateAndKill(a_use) => client_there(a_use.client),
            Step::ReportLeaked { client, .. } => client_there(*client),
            Step::Elsewhere(client, change) => client_there(*client) && change_can_be(change),
            Step::Enrol(_) | Step::Restart | Step::DeleteViews => true,
        }
    }
}

fn command(clients: usize, members: usize) -> BoxedStrategy<Command> {
    let create = (0..ENVIRONMENTS.len(), 0..NAMES.len(), scopes(), prop::bool::weighted(0.2)).prop_map(
        |(environment, name, scopes, public)| Command::Create { environment, name, scopes, public },
    );
    // Restored more often than deprecated, or nothing could be made after a while.
    let scope = (0..SCOPES.len(), prop::bool::weighted(0.4))
        .prop_map(|(scope, deprecated)| Command::Scope { scope, deprecated });
    let client_type = prop::bool::weighted(0.3).prop_map(|deprecated| Command::ClientType { deprecated });
    let any = prop_oneof![6 => create, 1 => scope, 1 => client_type].boxed();
    let any = match members {
        0 => any,
        _ => {
            let member =
                (0..members, member_change()).prop_map(|(member, change)| Command::Member { member, change });
            prop_oneof![3 => any, 1 => member].boxed()
        }
    };
    if clients == 0 {
        return any;
    }
    // Newer ones more often: histories go on, and do not only begin.
    let client = prop_oneof![0..clients, clients.saturating_sub(2)..clients];
    let on = (client, change(members)).prop_map(|(client, change)| Command::On { client, change });
    prop_oneof![1 => any, 4 => on].boxed()
}

fn member_change() -> impl Strategy<Value = MemberChange> + Clone {
    prop_oneof![
        2 => role().prop_map(MemberChange::Role),
        1 => Just(MemberChange::Deactivate),
        1 => Just(MemberChange::Enable),
    ]
}

fn role() -> impl Strategy<Value = Role> + Clone {
    prop::sample::select(&Role::ALL[..])
}

fn a_use(clients: usize) -> impl Strategy<Value = Use> + Clone {
    (0..clients, 0..4_usize, prop::bool::weighted(0.1)).prop_map(|(client, secret, elsewhere)| Use {
        client,
        secret,
        elsewhere,
    })
}

fn change(members: usize) -> BoxedStrategy<Change> {
    let change = prop_oneof![
        2 => (0..NAMES.len()).prop_map(Change::Rename),
        1 => scopes().prop_map(Change::Scopes),
        2 => (0..URIS.len()).prop_map(Change::AddRedirectUri),
        1 => (0..URIS.len()).prop_map(Change::RemoveRedirectUri),
        2 => Just(Change::IssueSecret),
        2 => Just(Change::ReplaceSecrets),
        2 => Just(Change::OverlapSecrets),
        3 => (0..6_usize, any::<bool>())
            .prop_map(|(secret, allow_lockout)| Change::RevokeSecret { secret, allow_lockout }),
        1 => (0..6_usize).prop_map(Change::CompleteRotation),
        1 => (0..6_usize).prop_map(Change::CancelRotation),
        1 => any::<bool>().prop_map(|overlap| Change::RotateSigningSecret { overlap }),
        1 => Just(Change::CompleteSigningSecretRotation),
        1 => Just(Change::RevealSigningSecret),
        2 => Just(Change::Deactivate),
        2 => Just(Change::Enable),
        1 => Just(Change::Delete),
        1 => any::<bool>().prop_map(Change::EncryptPayloads),
    ];
    match members {
        0 => change.boxed(),
        _ => prop_oneof![15 => change, 1 => (0..members).prop_map(Change::Responsible)].boxed(),
    }
}

/// A bit for each scope; seldom none.
fn scopes() -> impl Strategy<Value = u8> + Clone {
    prop_oneof![1 => Just(0), 12 => 1..1_u8 << SCOPES.len()]
}
