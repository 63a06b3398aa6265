//! What must hold for every history, whatever was asked in whatever order.

use std::collections::{BTreeSet, HashSet};

use cqrs_es::{Aggregate, test::TestFramework};
use domain::{
    At, BuiltInRole, Claim, ClaimChange, Client, ClientCommand, ClientError, ClientEvent, EnvironmentName,
    Event, Member, MemberCommand, MemberEvent, MemberId, OwnRoles, Permission, PersonId, Reach, RoleGrant,
    RoleName, SecretId, Stamped,
    client::{
        ChangeClient, ChangeResponsible, ChangeSecret, ClientDraft, CreateClient, EndRotation, IssueSecret,
        NewSecret, NewSigningSecret, Registration, RevokeSecret, RotateSecret, RotateSigningSecret,
        SecretState, Status,
    },
    client_type::TypeRules,
    environment::Policy,
    member::{
        ChangeRoles, CreateMember, EnrolTotp, IssueToken, MemberDetail, MemberStatus, Membership,
        NewCredential, RegisterPasskey,
    },
    oauth::ScopeSet,
};
use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;

const NAMES: [&str; 7] = ["Matter sync", "MATTER SYNC", "Straße", "strasse", " Other ", "", "bad\u{0}name"];
const URIS: [&str; 5] =
    ["https://a.example/cb", "https://a.example/cb/", "http://localhost:1/cb", "http://a.example/", "/cb"];
const SCOPES: [&str; 5] = ["a", "b", "a b", "a b not:allowed", ""];
const LABELS: [&str; 3] = ["build server", " blanks\t", ""];

/// What is asked, with secrets named by the order in which they were minted.
#[derive(Clone, Debug)]
enum Ask {
    Create {
        name: &'static str,
        public: bool,
        singleton: bool,
        lifetime: Option<u32>,
    },
    Change {
        name: Option<&'static str>,
        description: Option<Option<&'static str>>,
        contacts: Option<u128>,
        uris: Option<Vec<&'static str>>,
        scope: Option<&'static str>,
    },
    Issue(Minted),
    Rotate(Minted, u32),
    Revoke {
        place: usize,
        allow_lockout: bool,
    },
    Complete(usize),
    Cancel(usize),
    ChangeSecret {
        place: usize,
        label: Option<&'static str>,
        ends_in: Option<i64>,
    },
    Leak(usize),
    Responsible(u128),
    RotateSigning(u32),
    CompleteSigning,
    Encryption(bool),
    Reveal,
    Deactivate,
    Enable,
    Delete,
}

#[derive(Clone, Debug)]
struct Minted {
    label: Option<&'static str>,
    starts_in: Option<i64>,
    lifetime: Option<u32>,
}

fn minted() -> impl Strategy<Value = Minted> {
    (
        option::weighted(0.2, select(&LABELS[..])),
        option::weighted(0.3, -50..400_i64),
        option::weighted(0.5, 0..600_u32),
    )
        .prop_map(|(label, starts_in, lifetime)| Minted { label, starts_in, lifetime })
}

fn ask() -> impl Strategy<Value = Ask> {
    let name = || select(&NAMES[..]);
    prop_oneof![
        1 => (name(), prop::bool::weighted(0.1), any::<bool>(), option::weighted(0.5, 0..600_u32))
            .prop_map(|(name, public, singleton, lifetime)| Ask::Create { name, public, singleton, lifetime }),
        4 => (
            option::of(name()),
            option::weighted(0.3, option::of(select(&LABELS[..]))),
            option::weighted(0.3, 0..3_u128),
            option::weighted(0.3, vec(select(&URIS[..]), 0..3)),
            option::weighted(0.3, select(&SCOPES[..])),
        )
            .prop_map(|(name, description, contacts, uris, scope)| Ask::Change { name, description, contacts, uris, scope }),
        6 => minted().prop_map(Ask::Issue),
        4 => (minted(), prop_oneof![Just(0), 1..700_u32]).prop_map(|(minted, overlap)| Ask::Rotate(minted, overlap)),
        4 => (0..12_usize, any::<bool>()).prop_map(|(place, allow_lockout)| Ask::Revoke { place, allow_lockout }),
        2 => (0..40_usize).prop_map(Ask::Complete),
        3 => (0..40_usize).prop_map(Ask::Cancel),
        2 => (0..40_usize, option::of(select(&LABELS[..])), option::of(-10..400_i64))
            .prop_map(|(place, label, ends_in)| Ask::ChangeSecret { place, label, ends_in }),
        1 => (0..40_usize).prop_map(Ask::Leak),
        1 => (6..9_u128).prop_map(Ask::Responsible),
        1 => prop_oneof![Just(0), 1..700_u32].prop_map(Ask::RotateSigning),
        1 => Just(Ask::CompleteSigning),
        2 => any::<bool>().prop_map(Ask::Encryption),
        1 => Just(Ask::Reveal),
        1 => Just(Ask::Deactivate),
        2 => Just(Ask::Enable),
        1 => prop::bool::weighted(0.2).prop_map(|delete| if delete { Ask::Delete } else { Ask::Enable }),
    ]
}

/// A creation that succeeds, then anything; each step so many seconds after the one before, recorded a little later
/// than decided.
fn asks() -> impl Strategy<Value = Vec<(u32, u32, Ask)>> {
    let create = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.1));
    (create, vec((0..60_u32, 0..3_u32, ask()), 0..40)).prop_map(|((named, singleton, public), mut asks)| {
        let name = if named { "Matter sync" } else { "Straße" };
        asks.insert(0, (0, 0, Ask::Create { name, public, singleton, lifetime: None }));
        asks
    })
}

fn environment() -> EnvironmentName {
    EnvironmentName::parse("sandbox").expect("a name")
}

fn policy() -> Policy {
    Policy {
        secret_lifetime_seconds: 300,
        max_secret_lifetime_seconds: 500,
        max_overlap_seconds: 600,
        ..Policy::default()
    }
}

fn rules(singleton: bool) -> TypeRules {
    TypeRules { scopes: ["a", "b"].into_iter().collect(), singleton, ..TypeRules::default() }
}

fn new_secret(place: usize, minted: &Minted, now: Timestamp) -> NewSecret {
    NewSecret {
        id: SecretId(format!("s{place}")),
        label: minted.label.map(str::to_owned),
        hint: format!("mcs_s{place}"),
        not_before: minted.starts_in.map(|seconds| now + SignedDuration::new(seconds, 999)),
        expires_in_seconds: minted.lifetime,
        commitment: format!("commitment {place}"),
    }
}

/// The command of the `step`th ask; the secret it mints, if any, is called after the step.
fn command(ask: &Ask, step: usize, now: Timestamp) -> ClientCommand {
    match ask {
        Ask::Create { name, public, singleton, lifetime } => {
            let first = Minted { label: None, starts_in: None, lifetime: *lifetime };
            ClientCommand::CreateClient(Box::new(CreateClient {
                environment: environment(),
                metadata: ClientDraft {
                    client_name: (*name).to_owned(),
                    description: None,
                    client_type: "standard".into(),
                    redirect_uris: vec![URIS[0].to_owned()],
                    post_logout_redirect_uris: Vec::new(),
                    scope: "a".into(),
                    grant_types: None,
                    token_endpoint_auth_method: public.then(|| "none".to_owned()),
                    jwks: Vec::new(),
                    access_token_format: None,
                    payload_encryption: false,
                },
                contacts: vec![PersonId(Uuid::from_u128(1))],
                responsible: MemberId(Uuid::from_u128(7)),
                terms_accepted: policy().terms.last().cloned(),
                secret: Some(new_secret(step, &first, now)),
                signing_secret: signing(step),
                policy: policy(),
                type_rules: Some(rules(*singleton)),
                self_registration: None,
            }))
        }
        Ask::Change { name, description, contacts, uris, scope } => {
            ClientCommand::ChangeClient(Box::new(ChangeClient {
                client_name: name.map(str::to_owned),
                description: description.map(|text| text.map(str::to_owned)),
                contacts: contacts
                    .map(|count| (0..count).map(|number| PersonId(Uuid::from_u128(number))).collect()),
                redirect_uris: uris.as_ref().map(|uris| uris.iter().map(|&uri| uri.to_owned()).collect()),
                scope: scope.map(str::to_owned),
                type_rules: Some(rules(false)),
                ..ChangeClient::default()
            }))
        }
        Ask::Issue(minted) => ClientCommand::IssueSecret(IssueSecret {
            secret: new_secret(step, minted, now),
            policy: policy(),
        }),
        Ask::Rotate(minted, overlap_seconds) => ClientCommand::RotateSecret(RotateSecret {
            secret: new_secret(step, minted, now),
            overlap_seconds: *overlap_seconds,
            policy: policy(),
        }),
        Ask::Revoke { place, allow_lockout } => ClientCommand::RevokeSecret(RevokeSecret {
            secret_id: SecretId(format!("s{place}")),
            allow_lockout: *allow_lockout,
        }),
        Ask::Complete(place) => ClientCommand::CompleteRotation(end_rotation(*place)),
        Ask::Cancel(place) => ClientCommand::CancelRotation(end_rotation(*place)),
        Ask::ChangeSecret { place, label, ends_in } => ClientCommand::ChangeSecret(ChangeSecret {
            secret_id: SecretId(format!("s{place}")),
            label: label.map(|label| Some(label.to_owned())),
            expires_at: ends_in.map(|seconds| now + SignedDuration::from_secs(seconds)),
        }),
        Ask::Leak(place) => ClientCommand::ReportLeakedSecret(SecretId(format!("s{place}"))),
        // The last of them is no member any more.
        Ask::Responsible(number) => ClientCommand::ChangeResponsible(ChangeResponsible {
            responsible: MemberId(Uuid::from_u128(*number)),
            status: (*number < 8).then_some(MemberStatus::Active),
        }),
        Ask::RotateSigning(overlap_seconds) => ClientCommand::RotateSigningSecret(RotateSigningSecret {
            secret: signing(step),
            overlap_seconds: *overlap_seconds,
            policy: policy(),
        }),
        Ask::CompleteSigning => ClientCommand::CompleteSigningSecretRotation,
        Ask::Encryption(on) => ClientCommand::ChangeClient(Box::new(ChangeClient {
            payload_encryption: Some(*on),
            ..ChangeClient::default()
        })),
        Ask::Reveal => ClientCommand::RevealSigningSecret,
        Ask::Deactivate => ClientCommand::Deactivate,
        Ask::Enable => ClientCommand::Enable,
        Ask::Delete => ClientCommand::Delete,
    }
}

fn end_rotation(place: usize) -> EndRotation {
    EndRotation { secret_id: SecretId(format!("s{place}")), allow_lockout: false }
}

fn signing(step: usize) -> NewSigningSecret {
    NewSigningSecret { id: SecretId(format!("sign{step}")), commitment: format!("signing commitment {step}") }
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00.000007Z".parse().expect("a time")
}

fn seconds(seconds: u32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(seconds))
}

/// The event as a reader of the log gets it, through both doors: ours, and that of cqrs-es.
fn stored(stamped: &Stamped<ClientEvent>) -> Stamped<ClientEvent> {
    let event = Event::from(stamped.event.clone());
    let data = serde_json_canonicalizer::to_string(&event.data().expect("json")).expect("canonical json");
    assert_eq!(Event::decode(event.event_type(), event.event_version(), &data).expect("readable"), event);
    let entry = format!(
        r#"{{"at":"{}","data":{data},"outcome":"done","revision":1,"type":"{}","v":{}}}"#,
        domain::time::to_wire(stamped.at),
        event.event_type(),
        event.event_version()
    );
    serde_json::from_str(&entry).expect("an entry")
}

/// One client, everything that was recorded of it, and what it holds.
#[derive(Default)]
struct Walk {
    client: Client,
    history: Vec<Stamped<ClientEvent>>,
    claims: HashSet<Claim>,
}

impl Walk {
    /// Asks, and checks what must hold for this one step.
    fn step(&mut self, ask: &Ask, step: usize, now: Timestamp, at: Timestamp) {
        let before = self.client.clone();
        let decision = before.decide(command(ask, step, now), now);
        self.decides_the_same_from_its_history(ask, step, now, &decision);
        let Ok(events) = decision else { return };
        self.moves_claims(&events);
        for event in events {
            self.client.apply(&event, at);
            let stamped = Stamped { at, event };
            let read = stored(&stamped);
            assert_eq!(read, stamped, "what is read is what was recorded");
            self.history.push(read);
        }
        self.holds_what_its_state_says();
        if let (Some(before), Some(after)) = (before.registration(), self.client.registration()) {
            secrets_only_end(ask, before, after);
            leaves_a_secret_that_works(ask, before, after, now);
            if before.status == Status::Deleted {
                assert_eq!(before, after, "a deleted client does not change");
            }
        }
    }

    fn decides_the_same_from_its_history(
        &self,
        ask: &Ask,
        step: usize,
        now: Timestamp,
        decision: &Result<Vec<ClientEvent>, ClientError>,
    ) {
        let mut folded = Client::default();
        for stamped in &self.history {
            Aggregate::apply(&mut folded, stamped.clone());
        }
        assert_eq!(folded, self.client, "the adapter folds as we do");
        let json = serde_json::to_string(&folded).expect("json");
        assert_eq!(serde_json::from_str::<Client>(&json).expect("a client"), folded);
        let again = TestFramework::<Client>::with(())
            .given(self.history.clone())
            .when(At { now, command: command(ask, step, now) })
            .inspect_result()
            .map(|events| events.into_iter().map(|stamped| stamped.event).collect::<Vec<_>>());
        assert_eq!(&again, decision);
    }

    fn moves_claims(&mut self, events: &[ClientEvent]) {
        for change in self.client.claims(events) {
            match change {
                ClaimChange::Take(claim) => {
                    assert!(self.claims.insert(claim.clone()), "takes what it has: {claim:?}");
                }
                ClaimChange::Release { namespace } => {
                    self.claims.retain(|claim| claim.namespace != namespace);
                }
            }
        }
    }

    fn holds_what_its_state_says(&self) {
        let mut held = HashSet::new();
        if let Some(client) = self.client.registration().filter(|client| client.status != Status::Deleted) {
            held.insert(Claim::client_name(&client.environment, &client.client_name));
            if client.singleton {
                held.insert(Claim::singleton(&client.environment, &client.client_type));
            }
        }
        // Those of secrets are held for ever, whatever became of secret and client.
        let secrets = self.client.registration().map(|client| client.secrets.as_slice()).unwrap_or_default();
        held.extend(secrets.iter().map(|secret| Claim::client_secret(&secret.id)));
        assert_eq!(self.claims, held);
    }
}

/// No secret is forgotten, none comes back to life, none lives longer than it was told, unless the rotation that took
/// time from it is taken back.
fn secrets_only_end(ask: &Ask, before: &Registration, after: &Registration) {
    assert!(after.secrets.len() >= before.secrets.len());
    for (old, new) in before.secrets.iter().zip(&after.secrets) {
        assert_eq!((&old.id, old.created_at, old.not_before), (&new.id, new.created_at, new.not_before));
        if old.revoked_at.is_some() {
            assert_eq!(old, new, "a revoked secret is over");
            assert!(
                [Timestamp::MIN, start(), Timestamp::MAX]
                    .iter()
                    .all(|at| new.state(*at) == SecretState::Revoked)
            );
        }
        let end = |at: Option<Timestamp>| at.unwrap_or(Timestamp::MAX);
        let given_back = matches!(ask, Ask::Cancel(_));
        assert!(given_back || end(new.expires_at) <= end(old.expires_at), "{old:?} became {new:?}");
    }
}

/// Unless a lock-out was meant, a command leaves a secret that works if there was one.
fn leaves_a_secret_that_works(ask: &Ask, before: &Registration, after: &Registration, now: Timestamp) {
    let working = |client: &Registration| {
        client.secrets.iter().filter(|secret| secret.state(now) == SecretState::Active).count()
    };
    let meant = matches!(ask, Ask::Revoke { allow_lockout: true, .. } | Ask::Leak(_));
    if working(before) > 0 && !meant {
        assert!(working(after) > 0, "{ask:?} locks the client out");
    }
    if matches!(ask, Ask::Rotate(_, 0)) {
        let usable: Vec<_> = after.secrets.iter().filter(|secret| secret.usable(now)).collect();
        assert_eq!(usable, [after.secrets.last().expect("the new one")]);
    }
    assert!(after.secrets.iter().filter(|secret| secret.usable(now)).count() <= 10);
    let live = after.live_secrets(now).count();
    assert_eq!(live, if after.status == Status::Active { working(after) } else { 0 });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a8_any_history_of_a_client_means_the_same_to_every_reader(asks in asks()) {
        let mut walk = Walk::default();
        let mut now = start();
        for (step, (later, lag, ask)) in asks.iter().enumerate() {
            now += seconds(*later);
            let at = now + seconds(*lag);
            walk.step(ask, step, now, at);
            now = at;
        }
        prop_assert!(walk.client.registration().is_some());
    }

    #[test]
    fn a8_any_history_of_a_member_means_the_same_to_every_reader(
        asks in vec((0..60_u32, prop_oneof![
            (vec((select(BuiltInRole::ALL), any::<bool>()), 0..3), any::<bool>())
                .prop_map(|(roles, another)| MemberAsk::Roles(roles, another)),
            (select(Permission::ALL), 0..400_u32).prop_map(|(permission, lifetime)| MemberAsk::Issue(permission, lifetime)),
            (0..12_usize, any::<bool>()).prop_map(|(place, another)| MemberAsk::Revoke(place, another)),
            any::<bool>().prop_map(MemberAsk::Deactivate),
            Just(MemberAsk::Enable),
            Just(MemberAsk::Rename),
            Just(MemberAsk::SetPassword),
            Just(MemberAsk::RemovePassword),
            Just(MemberAsk::EnrolTotp),
            Just(MemberAsk::RemoveTotp),
            any::<bool>().prop_map(MemberAsk::RegisterPasskey),
            (0..12_usize).prop_map(MemberAsk::RemovePasskey),
        ], ), 0..30)
    ) {
        member_walk(&asks);
    }
}

#[derive(Clone, Debug)]
enum MemberAsk {
    Roles(Vec<(BuiltInRole, bool)>, bool),
    Issue(Permission, u32),
    Revoke(usize, bool),
    Deactivate(bool),
    Enable,
    Rename,
    SetPassword,
    RemovePassword,
    EnrolTotp,
    RemoveTotp,
    RegisterPasskey(bool),
    RemovePasskey(usize),
}

impl MemberAsk {
    /// Whether somebody else can administer, so that this member need not.
    fn another_administrator(&self) -> bool {
        match self {
            Self::Roles(_, another) | Self::Revoke(_, another) | Self::Deactivate(another) => *another,
            Self::Issue(..)
            | Self::Enable
            | Self::Rename
            | Self::SetPassword
            | Self::RemovePassword
            | Self::EnrolTotp
            | Self::RemoveTotp
            | Self::RegisterPasskey(_)
            | Self::RemovePasskey(_) => false,
        }
    }
}

fn member_walk(asks: &[(u32, MemberAsk)]) {
    let mut now = start();
    let mut member = Member::Absent;
    let mut history: Vec<Stamped<MemberEvent>> = Vec::new();
    let create = MemberCommand::CreateMember(CreateMember {
        roles: vec![BuiltInRole::Administrator.into()],
        own_roles: OwnRoles::new(),
        token: None,
        password: None,
    });
    let first = (0, create, false);
    let commands = asks
        .iter()
        .enumerate()
        .map(|(step, (later, ask))| (*later, member_command(ask, step), ask.another_administrator()));
    for (later, command, another) in std::iter::once(first).chain(commands) {
        now += seconds(later);
        let before = member.clone();
        let decision = member.decide(command.clone(), now);
        let again = TestFramework::<Member>::with(())
            .given(history.clone())
            .when(At { now, command })
            .inspect_result();
        let again = again.map(|events| events.into_iter().map(|stamped| stamped.event).collect::<Vec<_>>());
        assert_eq!(again, decision);
        for event in decision.unwrap_or_default() {
            member.apply(&event, now);
            let event = Event::from(event);
            let data = event.data().expect("json").to_string();
            let read = Event::decode(event.event_type(), event.event_version(), &data).expect("readable");
            assert_eq!(read, event);
            let Event::Member(event) = read else { panic!("of another aggregate: {read:?}") };
            history.push(Stamped { at: now, event });
        }
        let mut folded = Member::Absent;
        history.iter().cloned().for_each(|stamped| Aggregate::apply(&mut folded, stamped));
        assert_eq!(folded, member);
        if let (Some(before), Some(after)) = (before.membership(), member.membership()) {
            for (old, new) in before.tokens.iter().zip(&after.tokens) {
                assert_eq!((&old.id, old.expires_at), (&new.id, new.expires_at));
                assert!(old.revoked_at.is_none() || old == new, "a revoked token is over");
            }
            let ids: BTreeSet<_> = after.tokens.iter().map(|token| &token.id).collect();
            assert_eq!(ids.len(), after.tokens.len());
            assert!(!after.roles.is_empty());
            let lost = before.can_administer(now) && !after.can_administer(now);
            assert!(!lost || another, "the last administrator locked everybody out");
            let administers = |state: &Membership| {
                state.status == MemberStatus::Active
                    && state.roles.contains(&BuiltInRole::Administrator.into())
            };
            assert!(!administers(before) || administers(after) || another, "the last administrator is none");
        }
    }
}

fn member_command(ask: &MemberAsk, step: usize) -> MemberCommand {
    match ask {
        MemberAsk::Roles(roles, another_administrator) => MemberCommand::ChangeRoles(ChangeRoles {
            roles: roles.iter().map(|(role, limited)| grant(*role, *limited)).collect(),
            own_roles: OwnRoles::new(),
            another_administrator: *another_administrator,
        }),
        MemberAsk::Deactivate(another_administrator) => {
            MemberCommand::Deactivate { another_administrator: *another_administrator }
        }
        MemberAsk::Enable => MemberCommand::Enable,
        MemberAsk::Rename => MemberCommand::ChangeDetails { details: [MemberDetail::Name].into() },
        MemberAsk::SetPassword => MemberCommand::SetPassword(NewCredential {
            id: SecretId(format!("p{step}")),
            commitment: format!("commitment {step}"),
        }),
        MemberAsk::RemovePassword => MemberCommand::RemovePassword,
        MemberAsk::EnrolTotp => MemberCommand::EnrolTotp(EnrolTotp {
            totp: NewCredential {
                id: SecretId(format!("d{step}")),
                commitment: format!("commitment {step}"),
            },
            recovery_codes: NewCredential {
                id: SecretId(format!("c{step}")),
                commitment: format!("commitment {step}"),
            },
        }),
        MemberAsk::RemoveTotp => MemberCommand::RemoveTotp,
        MemberAsk::RegisterPasskey(with_codes) => {
            let new = |kind: char| NewCredential {
                id: SecretId(format!("{kind}{step}")),
                commitment: format!("commitment {step}"),
            };
            let recovery_codes = with_codes.then(|| new('r'));
            MemberCommand::RegisterPasskey(RegisterPasskey { passkey: new('k'), recovery_codes })
        }
        MemberAsk::RemovePasskey(place) => {
            MemberCommand::RemovePasskey { passkey_id: SecretId(format!("k{place}")) }
        }
        MemberAsk::Issue(permission, lifetime) => MemberCommand::IssueToken(IssueToken {
            id: SecretId(format!("t{step}")),
            label: "laptop".into(),
            hint: format!("mpt_t{step}"),
            permissions: [*permission].into(),
            reach: Reach::Everywhere,
            expires_in_seconds: *lifetime,
            commitment: format!("commitment {step}"),
            made_with: None,
            own_roles: OwnRoles::new(),
        }),
        MemberAsk::Revoke(place, another_administrator) => MemberCommand::RevokeToken {
            token_id: SecretId(format!("t{place}")),
            allow_lockout: false,
            another_administrator: *another_administrator,
        },
    }
}

fn grant(role: BuiltInRole, limited: bool) -> RoleGrant {
    let sandbox = EnvironmentName::parse("sandbox").expect("a name");
    let reach = if limited { Reach::Within([sandbox].into()) } else { Reach::Everywhere };
    RoleGrant { role: role.name(), reach }
}

#[test]
fn a1_the_largest_grants_fit_into_an_entry() {
    let name =
        |letter: &str, number: usize, length: usize| format!("{number:x<length$}").replace('x', letter);
    let named = |letter: &str, number: usize| {
        EnvironmentName::parse(&format!("e{}", name(letter, number, 31))).expect("a name")
    };
    let grants = |letter: &str| -> Vec<RoleGrant> {
        let reach = Reach::Within((0..20).map(|number| named(letter, number)).collect());
        let role = |number| RoleName::parse(&format!("r{}", name(letter, number, 63))).expect("a name");
        (0..20).map(|number| RoleGrant { role: role(number), reach: reach.clone() }).collect()
    };
    let own_roles: OwnRoles = grants("a")
        .into_iter()
        .chain(grants("b"))
        .map(|grant| (grant.role, [Permission::ClientsRead].into()))
        .collect();
    let create =
        CreateMember { roles: grants("a"), own_roles: own_roles.clone(), token: None, password: None };
    let mut member = Member::Absent;
    let created = member.decide(MemberCommand::CreateMember(create), start()).expect("a member");
    member.apply(&created[0], start());
    let change = ChangeRoles { roles: grants("b"), own_roles, another_administrator: false };
    let changed = member.decide(MemberCommand::ChangeRoles(change), start()).expect("other roles");
    assert!(data_bytes(changed[0].clone()) <= MOST_DATA_BYTES, "{}", data_bytes(changed[0].clone()));
}

/// What an entry holds beside its data is a few kilobytes: ids, actor, ticket, and a digest for each private part.
const MOST_DATA_BYTES: usize = 65_535 - 8_192;

fn data_bytes(event: impl Into<Event>) -> usize {
    serde_json_canonicalizer::to_string(&event.into().data().expect("json")).expect("canonical json").len()
}

#[test]
fn a1_the_largest_events_fit_into_an_entry() {
    let uris = |letter: &str| -> Vec<String> {
        (0..50).map(|n| format!("https://a.example/{n:0>2}{}", letter.repeat(380))).collect()
    };
    let names =
        |letter: &str| -> Vec<String> { (0..100).map(|n| format!("{n:0>2}{}", letter.repeat(98))).collect() };
    let all: ScopeSet = names("x").iter().chain(&names("y")).map(String::as_str).collect();
    let type_rules = Some(TypeRules { scopes: all, singleton: true, ..TypeRules::default() });
    let now = start();
    let ask = Ask::Create { name: "Matter sync", public: false, singleton: true, lifetime: None };
    let ClientCommand::CreateClient(mut create) = command(&ask, 0, now) else { panic!("a creation") };
    create.metadata.client_name = "\u{1F4BB}".repeat(120);
    create.metadata.redirect_uris = uris("x");
    create.metadata.scope = names("x").join(" ");
    create.contacts = (0..20).map(|number| PersonId(Uuid::from_u128(number))).collect();
    create.type_rules.clone_from(&type_rules);
    if let Some(secret) = &mut create.secret {
        secret.label = Some("\u{1F4BB}".repeat(100));
    }
    let mut client = Client::Absent;
    let created = client.decide(ClientCommand::CreateClient(create), now).expect("a client");
    for event in &created {
        client.apply(event, now);
    }
    let change = ChangeClient {
        client_name: Some("\"".repeat(120)),
        contacts: Some((0..20).map(|number| PersonId(Uuid::from_u128(100 + number))).collect()),
        redirect_uris: Some(uris("y")),
        scope: Some(names("y").join(" ")),
        type_rules,
        ..ChangeClient::default()
    };
    let changed = client.decide(ClientCommand::ChangeClient(Box::new(change)), now).expect("four changes");
    assert_eq!(changed.len(), 4);
    for event in created.into_iter().chain(changed) {
        let bytes = data_bytes(event.clone());
        assert!(bytes <= MOST_DATA_BYTES, "{bytes} bytes: {event:?}");
    }
}
