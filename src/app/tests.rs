//! The write side in process, on a real log: what HTTP cannot reach or show.

mod authentication;
mod meanwhile;
mod nodes;

use std::{
    num::NonZeroUsize,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crypto::{ExposeSecret, MasterKey, Personal, SecretString, SeededEntropy};
use domain::{
    ClientId, EnvironmentName, Permission,
    client::ClientDraft,
    environment::{ChangePolicy, PolicyDraft, ReasonRequired},
    oauth::RedirectRule,
};
use jiff::{SignedDuration, Timestamp};
use store::{
    DataDirectory, EventLog, KeyStore, ManualClock, Position, Revision, SqliteActivity, SqliteKeys,
    SqliteLog, StreamName, TokenPage,
};
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::*;

/// One instance in a directory of its own.
struct Node {
    app: App,
    log: Arc<SqliteLog>,
    keys: Arc<SqliteKeys>,
    activity: Arc<SqliteActivity>,
    clock: Arc<ManualClock>,
    token: SecretString,
    folder: TempDir,
}

/// Keeps what it is given, as a file would.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl TokenSink for Kept {
    fn keep(&mut self, token: &SecretString) -> std::io::Result<()> {
        self.0.lock().expect("a lock").push(token.expose_secret().to_owned());
        Ok(())
    }
}

struct Full;

impl TokenSink for Full {
    fn keep(&mut self, _token: &SecretString) -> std::io::Result<()> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

fn master_key() -> MasterKey {
    MasterKey::random(&SeededEntropy::new(7)).expect("a key")
}

async fn open(
    folder: &TempDir,
    clock: &Arc<ManualClock>,
) -> (App, Arc<SqliteLog>, Arc<SqliteKeys>, Arc<SqliteActivity>) {
    let directory = DataDirectory::open(&folder.path().join("data")).expect("a directory");
    let log =
        Arc::new(SqliteLog::open(&directory, Arc::clone(clock) as Arc<dyn store::Clock>).expect("a log"));
    let keys = Arc::new(SqliteKeys::open(&directory).expect("keys"));
    let activity = Arc::clone(clock) as Arc<dyn store::Clock>;
    let activity = Arc::new(SqliteActivity::open(&directory, activity).expect("an activity log"));
    let app = app_on(Arc::clone(&log) as _, Arc::clone(&activity) as _, Arc::clone(&keys) as _).await;
    (app, log, keys, activity)
}

async fn app_on(
    log: Arc<dyn EventLog>,
    activity: Arc<dyn store::ActivityLog>,
    keys: Arc<dyn KeyStore>,
) -> App {
    let parts = Parts {
        log,
        activity,
        keys,
        master_key: master_key(),
        entropy: Arc::new(crypto::SystemEntropy),
        commands: Handle::current(),
        argon2_workers: NonZeroUsize::MIN,
    };
    App::open(parts).await.expect("an app")
}

impl Node {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
        let clock = Arc::new(ManualClock::new(now));
        let (app, log, keys, activity) = open(&folder, &clock).await;
        let first = app
            .bootstrap(host(), Box::new(Kept::default()))
            .await
            .expect("a bootstrap")
            .expect("an empty log");
        Self { app, log, keys, activity, clock, token: first.token, folder }
    }

    /// A further administrator, who can sign in.
    async fn enrol_administrator(&self) {
        let request = CreateMemberRequest {
            name: Personal::new("Grace Hopper".into()),
            email: Personal::new("grace@members.example".into()),
            roles: vec![RoleRequest { role: "administrator".into(), environments: None }],
        };
        let member = self.app.create_member(host(), request).await.expect("a member").member_id;
        let token = IssueTokenRequest {
            label: "first".into(),
            permissions: None,
            environments: None,
            expires_in_seconds: 600,
        };
        self.app.issue_token(host(), member, token).await.expect("a token");
    }

    /// A second app on the same log, whose appends can be interfered with.
    async fn unsure(&self) -> (App, Arc<Unsure>) {
        let (next, meanwhile) = (Mutex::new(Vec::new()), Mutex::new(None));
        let unsure =
            Arc::new(Unsure { log: Arc::clone(&self.log), next, meanwhile, looks: AtomicU64::new(0) });
        (self.beside(Arc::clone(&unsure) as Arc<dyn EventLog>).await, unsure)
    }

    /// A second app on the same keys and activity.
    async fn beside(&self, log: Arc<dyn EventLog>) -> App {
        let activity = Arc::clone(&self.activity) as Arc<dyn store::ActivityLog>;
        app_on(log, activity, Arc::clone(&self.keys) as Arc<dyn KeyStore>).await
    }

    async fn admin(&self) -> Context {
        let principal = self.app.authenticate(self.token.expose_secret()).await.expect("the first admin");
        Context { actor: Actor::Member(principal), ..host() }
    }

    async fn create(&self, client_name: &str) -> CreatedClient {
        self.app.create_client(self.admin().await, sandbox(), request(client_name)).await.expect("a client")
    }
}

fn host() -> Context {
    Context {
        actor: Actor::Host { uid: 0 },
        operation: "Test",
        environment: None,
        request_id: "test".into(),
        correlation_id: Uuid::nil(),
        source: None,
        reason: None,
        ticket: None,
        idempotency: None,
        malformed: Vec::new(),
    }
}

fn sandbox() -> EnvironmentName {
    EnvironmentName::parse("sandbox").expect("a name")
}

fn request(client_name: &str) -> CreateClientRequest {
    CreateClientRequest {
        metadata: ClientDraft {
            client_name: client_name.into(),
            client_type: "standard".into(),
            redirect_uris: vec!["https://app.example.com/cb".into()],
            scope: "matters:read".into(),
            ..ClientDraft::default()
        },
        contacts: vec![Contact {
            name: Personal::new("Ops".into()),
            email: Personal::new("ops@example.com".into()),
        }],
        terms_accepted: Some("2026-01".into()),
        ..CreateClientRequest::default()
    }
}

fn stream(client_id: ClientId) -> StreamName {
    StreamName::new("client", &client_id.to_string()).expect("a name")
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_the_first_start_fills_the_log_once_and_a_lost_token_file_fills_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let (app, log, ..) = open(&folder, &clock).await;
    let failed = app.bootstrap(host(), Box::new(Full)).await.expect_err("no room for the token");
    assert_eq!(failed.slug(), "unavailable");
    assert_eq!(log.head().await.expect("a head"), Position::ORIGIN, "nothing was committed");
    let kept = Kept::default();
    let first =
        app.bootstrap(host(), Box::new(kept.clone())).await.expect("a bootstrap").expect("an empty log");
    assert_eq!(*kept.0.lock().expect("a lock"), [first.token.expose_secret().to_owned()]);
    assert!(app.bootstrap(host(), Box::new(Full)).await.expect("a look").is_none(), "filled before");
    let principal = app.authenticate(first.token.expose_secret()).await.expect("the first admin");
    assert_eq!(principal.rights.permissions().len(), Permission::ALL.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_a_verifier_swapped_in_the_vault_is_caught_at_its_next_use() {
    let node = Node::start().await;
    let one = node.create("One").await.client;
    let two = node.create("Two").await.client;
    let context = node.admin().await;
    node.app.reveal_signing_secret(context.clone(), sandbox(), one.client_id).await.expect("the right value");
    // Somebody with the database in hand puts the one's sealed value where the other's was.
    let (from, to) = (&two.registration.signing_secret.id.0, &one.registration.signing_secret.id.0);
    let sealed = node.log.credential(from).await.expect("a read").expect("a value");
    node.log.close().await;
    drop((node.app, node.log, node.keys, node.activity));
    let raw = rusqlite::Connection::open(node.folder.path().join("data/log.db")).expect("the file");
    raw.execute_batch("DROP TRIGGER IF EXISTS credentials_update").expect("who owns the file can");
    let triggers: Vec<String> = raw
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'credentials'")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .expect("the triggers");
    for trigger in triggers {
        raw.execute_batch(&format!("DROP TRIGGER \"{trigger}\"")).expect("a trigger");
    }
    assert_eq!(
        raw.execute("UPDATE credentials SET sealed = ?1 WHERE id = ?2", rusqlite::params![sealed, to])
            .expect("a swap"),
        1
    );
    drop(raw);
    let (app, ..) = open(&node.folder, &node.clock).await;
    let caught =
        app.reveal_signing_secret(context, sandbox(), one.client_id).await.expect_err("a swapped value");
    assert_eq!(caught.slug(), "internal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_deleting_a_persons_key_erases_what_was_said_and_nothing_else() {
    let node = Node::start().await;
    let created = node.create("Matter sync").await.client;
    let context = node.admin().await;
    let opened =
        node.app.open_contacts(context.clone(), created.client_id, created.revision).await.expect("contacts");
    assert_eq!(opened[0]["email"], "ops@example.com");
    let before =
        node.log.read_stream(&stream(created.client_id), Revision::NONE, 10).await.expect("the stream");
    let person = created.registration.contacts[0];
    node.app.erase_person(context.clone(), person).await.expect("an erasure");
    assert!(
        node.app
            .open_contacts(context.clone(), created.client_id, created.revision)
            .await
            .expect("a look")
            .is_empty()
    );
    node.app.erase_person(context.clone(), person).await.expect("erasing twice is no error");
    // Another process, or this one after a restart: keys that were in memory are gone too.
    node.log.close().await;
    drop((node.app, node.log, node.keys, node.activity));
    let (app, log, ..) = open(&node.folder, &node.clock).await;
    assert!(app.is_erased(person));
    assert!(
        app.open_contacts(context.clone(), created.client_id, created.revision)
            .await
            .expect("a look")
            .is_empty()
    );
    let after = log.read_stream(&stream(created.client_id), Revision::NONE, 10).await.expect("the stream");
    assert_eq!(before, after, "the entry stays what it was");
    let again = app.create_client(context, sandbox(), request("After")).await.expect("the same person again");
    assert_ne!(again.client.registration.contacts, created.registration.contacts, "under a new pseudonym");
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_the_same_person_has_one_pseudonym() {
    let node = Node::start().await;
    let one = node.create("One").await.client;
    let mut other = request("Two");
    other.contacts[0].email = Personal::new(" OPS@example.com".trim().to_uppercase());
    let two = node.app.create_client(node.admin().await, sandbox(), other).await.expect("a client").client;
    assert_eq!(one.registration.contacts, two.registration.contacts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_an_expired_token_stays_expired_when_the_clock_goes_back() {
    let node = Node::start().await;
    node.clock.advance(SignedDuration::from_hours(24 * 90 + 1));
    let expired = node.app.authenticate(node.token.expose_secret()).await.expect_err("90 days are over");
    assert!(matches!(expired, AuthenticationError::NotLive));
    // Something is recorded at that time; from then on a clock that is set back brings nothing to life again.
    let kept = Kept::default();
    let member: domain::MemberId = {
        let events = node.log.read_all(Position::ORIGIN, 1_000).await.expect("the log");
        let member =
            events.iter().find(|event| event.stream.category() == "member").expect("the first admin");
        member.stream.id().parse().expect("an id")
    };
    node.app.recover(host(), member, Box::new(kept.clone())).await.expect("a new token");
    node.clock.advance(SignedDuration::from_hours(-48));
    let again = node.app.authenticate(node.token.expose_secret()).await.expect_err("still over");
    assert!(matches!(again, AuthenticationError::NotLive));
    let fresh = kept.0.lock().expect("a lock")[0].clone();
    node.app.authenticate(&fresh).await.expect("the new token");
}

#[tokio::test(flavor = "multi_thread")]
async fn o5_verifiers_that_nothing_checks_any_more_are_gone_from_the_vault() {
    let node = Node::start().await;
    let created = node.create("Matter sync").await.client;
    let first = created.registration.secrets[0].id.0.clone();
    assert!(node.log.credential(&first).await.expect("a read").is_some());
    let at_once = IssueSecretRequest { overlap_seconds: Some(0), ..IssueSecretRequest::default() };
    let issued = node
        .app
        .issue_secret(node.admin().await, sandbox(), created.client_id, at_once)
        .await
        .expect("a rotation");
    assert!(node.log.credential(&first).await.expect("a read").is_none(), "revoked");
    node.app.delete_client(node.admin().await, sandbox(), created.client_id).await.expect("a deletion");
    for id in [&issued.secret_id.0, &created.registration.signing_secret.id.0] {
        assert!(node.log.credential(id).await.expect("a read").is_none(), "deleted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o6_a_lost_race_is_decided_again() {
    let node = Node::start().await;
    let client_id = node.create("Matter sync").await.client.client_id;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (app, context) = (node.app.clone(), node.admin().await);
        tasks.spawn(async move {
            app.rotate_signing_secret(context, sandbox(), client_id, 0)
                .await
                .map(|(client, _)| client.revision)
        });
    }
    let mut revisions: Vec<u64> = tasks
        .join_all()
        .await
        .into_iter()
        .map(|rotated| rotated.expect("every rotation happens").get())
        .collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [2, 3, 4, 5, 6, 7]);
}

/// A log whose next appends are done, or not, and answered as if nobody knew.
struct Unsure {
    log: Arc<SqliteLog>,
    next: Mutex<Vec<bool>>,
    /// What somebody else does right before the next append.
    meanwhile: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// How often it was asked where it ends.
    looks: AtomicU64,
}

#[async_trait::async_trait]
impl EventLog for Unsure {
    async fn append(&self, commit: store::Commit) -> Result<store::Receipt, store::AppendError> {
        let meanwhile = self.meanwhile.lock().expect("a lock").take();
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
        let done = self.next.lock().expect("a lock").pop();
        if done != Some(false) {
            let receipt = self.log.append(commit).await?;
            if done.is_none() {
                return Ok(receipt);
            }
        }
        let source = Arc::new(std::io::Error::other("the answer was lost"));
        Err(store::AppendError::Unavailable { outcome_unknown: true, source })
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<store::RecordedEvent>, store::ReadError> {
        self.log.read_stream(stream, after, limit).await
    }

    async fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<store::RecordedEvent>, store::ReadError> {
        self.log.read_all(after, limit).await
    }

    fn scan(
        &self,
        after: Position,
        visit: &mut dyn FnMut(store::ScannedEvent<'_>) -> std::ops::ControlFlow<()>,
    ) -> Result<Position, store::ReadError> {
        self.log.scan(after, visit)
    }

    async fn head(&self) -> Result<Position, store::ReadError> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.log.head().await
    }

    async fn stream_revision(&self, stream: &StreamName) -> Result<Revision, store::ReadError> {
        self.log.stream_revision(stream).await
    }

    async fn credential_ids(&self) -> Result<Vec<String>, store::ReadError> {
        self.log.credential_ids().await
    }

    async fn leads(&self) -> bool {
        self.log.leads().await
    }

    async fn close(&self) {
        self.log.close().await;
    }

    fn claims(&self, visit: &mut dyn FnMut(store::ClaimKey, StreamName)) -> Result<(), store::ReadError> {
        self.log.claims(visit)
    }

    async fn streams(
        &self,
        category: &str,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamName>, store::ReadError> {
        self.log.streams(category, after, limit).await
    }

    async fn claim_holder(&self, key: &store::ClaimKey) -> Result<Option<StreamName>, store::ReadError> {
        self.log.claim_holder(key).await
    }

    async fn find_command(
        &self,
        command_id: Uuid,
    ) -> Result<Option<store::RecordedCommand>, store::ReadError> {
        self.log.find_command(command_id).await
    }

    async fn credential(&self, id: &str) -> Result<Option<Vec<u8>>, store::ReadError> {
        self.log.credential(id).await
    }

    async fn disclosures(
        &self,
        wanted: &[store::DisclosureRef],
    ) -> Result<Vec<store::Disclosure>, store::ReadError> {
        self.log.disclosures(wanted).await
    }

    async fn last_event_key_slot(&self) -> Result<u64, store::ReadError> {
        self.log.last_event_key_slot().await
    }

    async fn positions_by_token(
        &self,
        token: &[u8; 16],
        page: TokenPage,
    ) -> Result<Vec<Position>, store::ReadError> {
        self.log.positions_by_token(token, page).await
    }

    async fn newest_persons(&self, most: usize) -> Result<Vec<Uuid>, store::ReadError> {
        self.log.newest_persons(most).await
    }

    fn subscribe(&self, after: Position) -> store::Subscription {
        self.log.subscribe(after)
    }

    fn now(&self) -> Timestamp {
        self.log.now()
    }

    fn write_probe(&self) -> store::WriteProbe {
        self.log.write_probe()
    }

    fn verify(
        &self,
        progress: &mut dyn FnMut(Position),
        report: &mut dyn FnMut(store::Defect),
    ) -> Result<store::Verified, store::ReadError> {
        self.log.verify(progress, report)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_a_commit_whose_answer_was_lost_is_answered_by_what_the_log_says() {
    let node = Node::start().await;
    let client_id = node.create("Matter sync").await.client.client_id;
    let context = node.admin().await;
    let (app, unsure) = node.unsure().await;

    unsure.next.lock().expect("a lock").push(true);
    let done = app.deactivate_client(context.clone(), sandbox(), client_id).await.expect("it happened");
    assert_eq!((done.revision, done.position), (Revision::new(2), node.log.head().await.expect("a head")));

    unsure.next.lock().expect("a lock").push(false);
    let lost = app.enable_client(context.clone(), sandbox(), client_id).await.expect_err("it did not happen");
    assert!(matches!(lost, CommandError::Fault(Fault { outcome_unknown: false, .. })), "{lost:?}");
    let again = app.enable_client(context, sandbox(), client_id).await.expect("so it can be done again");
    assert_eq!(again.revision, Revision::new(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_looks_once_where_the_log_ends() {
    let node = Node::start().await;
    let client_id = node.create("Matter sync").await.client.client_id;
    let context = node.admin().await;
    let (app, unsure) = node.unsure().await;
    let before = unsure.looks.load(Ordering::Relaxed);
    for _ in 0..10 {
        app.deactivate_client(context.clone(), sandbox(), client_id).await.expect("it is inactive");
        app.enable_client(context.clone(), sandbox(), client_id).await.expect("it is active");
    }
    // Housekeeping looks, too.
    let looks = unsure.looks.load(Ordering::Relaxed) - before;
    assert!((20..30).contains(&looks), "{looks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn l4_a_policy_that_changes_meanwhile_is_seen_by_every_command_that_it_judges() {
    let node = Node::start().await;
    let client_id = node.create("Matter sync").await.client.client_id;
    let context = node.admin().await;
    let (app, unsure) = node.unsure().await;
    let meanwhile = |draft: PolicyDraft| {
        let (other, context) = (node.app.clone(), context.clone());
        *unsure.meanwhile.lock().expect("a lock") = Some(Box::pin(async move {
            let change = ChangePolicy { draft, ..ChangePolicy::default() };
            other
                .change_policy(context, "sandbox".into(), Some(IfMatch::Any), change)
                .await
                .expect("another policy");
        }));
    };

    meanwhile(PolicyDraft { max_overlap_seconds: Some(10), ..PolicyDraft::default() });
    let request = IssueSecretRequest { overlap_seconds: Some(11), ..IssueSecretRequest::default() };
    let refused =
        app.issue_secret(context.clone(), sandbox(), client_id, request).await.expect_err("too long");
    assert!(matches!(&refused, CommandError::Invalid(wrong) if wrong[0].pointer == "/overlap_seconds"));

    meanwhile(PolicyDraft { redirect_rule: Some(RedirectRule::HttpsOnly), ..PolicyDraft::default() });
    let edit = RedirectUriEdit::Add("http://localhost/cb".into());
    let request = ChangeClientRequest { redirect_uri_edit: Some(edit), ..ChangeClientRequest::default() };
    let any = Some(IfMatch::Any);
    let refused = app.change_client(context.clone(), sandbox(), client_id, any, request).await;
    assert!(matches!(refused, Err(CommandError::Invalid(_))), "{refused:?}");

    meanwhile(PolicyDraft { reason_required: Some(ReasonRequired::Always(true)), ..PolicyDraft::default() });
    let refused = app.deactivate_client(context.clone(), sandbox(), client_id).await.expect_err("no reason");
    assert!(matches!(&refused, CommandError::Invalid(wrong) if wrong[0].pointer == "/reason"));
    let said = Context { reason: Some(Personal::new("a leak".into())), ..context };
    app.deactivate_client(said, sandbox(), client_id).await.expect("it says why");
}

#[tokio::test(flavor = "multi_thread")]
async fn o2_a_type_that_changes_meanwhile_is_seen_by_who_asks_for_its_scopes() {
    let node = Node::start().await;
    let client_id = node.create("Matter sync").await.client.client_id;
    let context = node.admin().await;
    let (app, unsure) = node.unsure().await;
    let (other, admin) = (node.app.clone(), context.clone());
    *unsure.meanwhile.lock().expect("a lock") = Some(Box::pin(async move {
        other.deprecate_scope(admin, "matters:write".into()).await.expect("a deprecated scope");
    }));
    let scope = Some("matters:read matters:write".to_owned());
    let request = ChangeClientRequest { scope, ..ChangeClientRequest::default() };
    let refused = app.change_client(context, sandbox(), client_id, Some(IfMatch::Any), request).await;
    let Err(CommandError::Invalid(wrong)) = refused else { panic!("{refused:?}") };
    assert_eq!((wrong[0].pointer.as_str(), wrong[0].rule), ("/scope", domain::Rule::Deprecated));
}

fn keyed(context: Context, key: &str) -> Context {
    let idempotency = Idempotency { key: key.into(), request: Personal::new(key.as_bytes().to_vec()) };
    Context { idempotency: Some(idempotency), ..context }
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_repeated_request_is_judged_by_what_its_sender_may_now() {
    let node = Node::start().await;
    let client_id = node.create("Matter sync").await.client.client_id;
    let admin = node.admin().await;
    let reveal = || node.app.reveal_signing_secret(keyed(admin.clone(), "k"), sandbox(), client_id);
    let first = reveal().await.expect("allowed").client;
    let second = reveal().await.expect("allowed").client;
    assert_eq!(second.revision.get(), first.revision.get() + 1, "each look is an event, whatever the key");

    let deactivate = |context| node.app.deactivate_client(keyed(context, "d"), sandbox(), client_id);
    deactivate(admin.clone()).await.expect("allowed");
    let Actor::Member(principal) = &admin.actor else { panic!("a member") };
    let mut rights = domain::Rights::default();
    rights.add([Permission::AuditRead], &domain::Reach::Everywhere);
    let demoted = Actor::Member(Principal { rights, ..principal.clone() });
    let refused = deactivate(Context { actor: demoted, ..admin.clone() }).await.expect_err("not any more");
    assert_eq!(refused.slug(), "permission_denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn l3_a_repeated_request_names_the_secret_that_it_issued_then() {
    let node = Node::start().await;
    let client_id = node.create("Matter sync").await.client.client_id;
    let admin = node.admin().await;
    let issue = |context| node.app.issue_secret(context, sandbox(), client_id, IssueSecretRequest::default());
    let mine = issue(keyed(admin.clone(), "k")).await.expect("a secret");
    issue(admin.clone()).await.expect("a colleague's secret");
    let again = issue(keyed(admin.clone(), "k")).await.expect("the same request");
    assert!(again.secret.is_none() && again.client.replayed);
    assert_eq!(again.secret_id, mine.secret_id);

    let Actor::Member(principal) = &admin.actor else { panic!("a member") };
    let request = || IssueTokenRequest {
        label: "ci".into(),
        permissions: None,
        environments: None,
        expires_in_seconds: 60,
    };
    let token = |context| node.app.issue_token(context, principal.member, request());
    let mine = token(keyed(admin.clone(), "t")).await.expect("a token");
    token(admin.clone()).await.expect("another token");
    let again = token(keyed(admin.clone(), "t")).await.expect("the same request");
    assert_eq!(again.token_id, mine.token_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_a_token_that_we_did_not_make_is_refused_whatever_it_knows() {
    let node = Node::start().await;
    let admin = node.admin().await;
    let Actor::Member(principal) = &admin.actor else { panic!("a member") };
    let owner = principal.member.to_string();
    let binding = crypto::Binding { environment: authenticate::MEMBERS, owner: &owner };
    // Well formed, with a right checksum, for the right member: but tagged by somebody else.
    let others = crypto::TagKeys::new(1, &crypto::DataKey::from_bytes([9; 32]));
    let forged = crypto::mint(crypto::SecretKind::PersonalToken, &binding, &others, &SeededEntropy::new(3))
        .expect("a token");
    let refused = node.app.authenticate(forged.secret.expose_secret()).await.expect_err("nobody's token");
    assert!(matches!(refused, AuthenticationError::Unknown));
    // Tagged by us, but never issued: what a commit that failed leaves with whoever was shown it.
    let tags = &node.app.inner.vault.ring.tags;
    let unissued = crypto::mint(crypto::SecretKind::PersonalToken, &binding, tags, &SeededEntropy::new(4))
        .expect("a token");
    let refused = node.app.authenticate(unissued.secret.expose_secret()).await.expect_err("never issued");
    assert!(matches!(refused, AuthenticationError::Unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_who_was_erased_and_acts_again_is_sealed_apart_and_the_old_parts_stay_erased() {
    let node = Node::start().await;
    let source = Source { address: Personal::new("192.0.2.7".into()), user_agent: None };
    let admin = Context { source: Some(source), ..node.admin().await };
    let created =
        node.app.create_client(admin.clone(), sandbox(), request("Before")).await.expect("a client").client;
    let Actor::Member(principal) = &admin.actor else { panic!("a member") };
    let Node { app, log, .. } = &node;
    app.inner.vault.erase(principal.member.0).await.expect("an erasure");
    app.deactivate_client(admin.clone(), sandbox(), created.client_id).await.expect("under another key");
    let events = log.read_stream(&stream(created.client_id), Revision::NONE, 10).await.expect("the stream");
    let mut opened = Vec::new();
    for event in &events {
        let envelope = event.envelope().expect("an entry");
        let wanted = envelope.private.iter().map(|digest| store::DisclosureRef {
            position: event.position,
            digest: digest.clone().into_owned(),
        });
        let parts =
            app.open_private_parts(admin.clone(), "test", None, wanted.collect()).await.expect("a look");
        let source =
            parts.values().filter(|part| matches!(part, PrivatePart::Open(open) if open.name == "source"));
        opened.push(source.count());
    }
    assert_eq!(opened, [0, 1], "what the old key sealed is erased, not damaged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_keys_that_are_older_than_the_log_are_refused() {
    let node = Node::start().await;
    let created = node.create("Matter sync").await.client;
    let person = created.registration.contacts[0].0;
    // As in a copy from before the client was created.
    node.keys.erase(&[person], &[]).await.expect("no key");
    node.log.close().await;
    drop((node.app, node.log, node.keys, node.activity));
    let directory = DataDirectory::open(&node.folder.path().join("data")).expect("a directory");
    let clock = Arc::clone(&node.clock) as Arc<dyn store::Clock>;
    let opened = App::open(Parts {
        log: Arc::new(SqliteLog::open(&directory, Arc::clone(&clock)).expect("a log")),
        activity: Arc::new(SqliteActivity::open(&directory, clock).expect("an activity log")),
        keys: Arc::new(SqliteKeys::open(&directory).expect("keys")),
        master_key: master_key(),
        entropy: Arc::new(crypto::SystemEntropy),
        commands: Handle::current(),
        argon2_workers: NonZeroUsize::MIN,
    });
    let refused = opened.await.err().expect("older keys");
    assert!(matches!(refused, KeyRingError::PersonKeyMissing(missing) if missing == person), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_of_a_hold_and_an_erasure_at_one_moment_one_is_refused() {
    let node = Node::start().await;
    let context = Context { ticket: Some("CASE-7".into()), ..node.admin().await };
    for number in 0..12 {
        let mut request = request(&format!("Client {number}"));
        request.contacts[0].email = Personal::new(format!("ops{number}@example.com"));
        let created = node.app.create_client(context.clone(), sandbox(), request).await.expect("a client");
        let person_id = created.client.registration.contacts[0];
        let subject = domain::legal_hold::SubjectFields { person_id: Some(person_id), ..Default::default() };
        let (held, erased) = tokio::join!(
            node.app.place_legal_hold(context.clone(), subject),
            node.app.erase_person(context.clone(), person_id)
        );
        match (held, erased) {
            (Ok(_), Err(refused)) => assert_eq!(refused.slug(), "legal_hold"),
            (Err(refused), Ok(_)) => assert_eq!(refused.slug(), "person_erased"),
            (held, erased) => panic!("{held:?} {erased:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_a_hold_on_a_client_covers_who_only_used_its_signing_secret() {
    let node = Node::start().await;
    let client_id = node.create("Matter sync").await.client.client_id;
    let request = CreateMemberRequest {
        name: Personal::new("Ada".into()),
        email: Personal::new("ada@members.example".into()),
        roles: vec![RoleRequest { role: "administrator".into(), environments: None }],
    };
    let ada = node.app.create_member(host(), request).await.expect("a member").member_id;
    let token = IssueTokenRequest {
        label: "first".into(),
        permissions: None,
        environments: None,
        expires_in_seconds: 600,
    };
    let token = node.app.issue_token(host(), ada, token).await.expect("a token").token.expect("its text");
    let principal = node.app.authenticate(token.expose_secret()).await.expect("Ada");
    let context = Context { actor: Actor::Member(principal), ..host() };
    let sign = PayloadRequest::Sign(b"payload".to_vec().into());
    node.app.use_signing_secret(context, sandbox(), client_id, sign).await.expect("a signature");
    let subject = domain::legal_hold::SubjectFields { client_id: Some(client_id), ..Default::default() };
    let held = Context { ticket: Some("CASE-7".into()), ..host() };
    node.app.place_legal_hold(held, subject).await.expect("a hold");
    node.app.deactivate_member(host(), ada).await.expect("a deactivation");
    let refused = node.app.erase_person(host(), domain::PersonId(ada.0)).await.expect_err("she is held");
    assert_eq!(refused.slug(), "legal_hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_an_erasure_that_a_crash_cut_off_is_finished_at_the_next_start() {
    let node = Node::start().await;
    let context = Context { reason: Some(Personal::new("because of Ada".into())), ..node.admin().await };
    let created = node.app.create_client(context.clone(), sandbox(), request("Matter sync")).await;
    let created = created.expect("a client").client;
    let person = created.registration.contacts[0];
    let data = node.folder.path().join("data/keys.db");
    let (before, wal) = (std::fs::read(&data), std::fs::read(data.with_extension("db-wal")));
    node.app.erase_person(context.clone(), person).await.expect("an erasure");
    node.app.redact_reason(context.clone(), created.position).await.expect("a redaction");
    node.log.close().await;
    drop((node.app, node.log, node.keys, node.activity));
    // The keys as they were before: as after a crash right behind the commit, or with a back-up of the keys put back.
    std::fs::write(&data, before.expect("the keys")).expect("the keys");
    std::fs::write(data.with_extension("db-wal"), wal.expect("the keys")).expect("the keys");
    let _ = std::fs::remove_file(data.with_extension("db-shm"));
    let (app, log, keys, _) = open(&node.folder, &node.clock).await;
    assert_eq!(keys.person_key(person.0).await.expect("a look"), None);
    let events = log.read_stream(&stream(created.client_id), Revision::NONE, 1).await.expect("the stream");
    let digests = events[0].envelope().expect("an entry").private;
    let wanted = digests.iter().map(|digest| store::DisclosureRef {
        position: created.position,
        digest: digest.clone().into_owned(),
    });
    let parts = app.open_private_parts(context, "test", None, wanted.collect()).await.expect("a look");
    assert!(!parts.is_empty() && parts.values().all(|part| matches!(part, PrivatePart::Erased)), "{parts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a4_what_was_done_from_an_address_is_found_until_the_person_is_erased() {
    let node = Node::start().await;
    let admin = node.admin().await;
    let from = |address: &str| {
        let source = Source { address: Personal::new(address.to_owned()), user_agent: None };
        Context { source: Some(source), ..admin.clone() }
    };
    let create = |address: &'static str, name: &'static str| {
        let (app, context) = (node.app.clone(), from(address));
        async move { app.create_client(context, sandbox(), request(name)).await.expect("a client").client }
    };
    let one = create("192.0.2.7", "One").await;
    let other = create("2001:db8::1", "Other").await;
    let find = |address: &'static str| {
        let (app, context) = (node.app.clone(), admin.clone());
        let address = address.parse().expect("an address");
        let until = Position::new(1_000);
        let page = TokenPage { ascending: false, after: Position::ORIGIN, until, limit: 10 };
        async move { app.audit_positions_of_address(&context, address, page).await.expect("a look") }
    };
    assert_eq!(find("::ffff:192.0.2.7").await, [one.position], "however it is written");
    assert_eq!(find("2001:0db8:0:0::1").await, [other.position]);
    assert!(find("192.0.2.8").await.is_empty());
    let Actor::Member(principal) = &admin.actor else { panic!("a member") };

    node.enrol_administrator().await;
    node.app.deactivate_member(host(), principal.member).await.expect("another administrator is there");
    node.app.erase_person(host(), domain::PersonId(principal.member.0)).await.expect("an erasure");
    assert!(find("192.0.2.7").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn d6_a_credential_that_opens_and_is_another_than_its_event_committed_to_is_found() {
    let node = Node::start().await;
    let created = node.create("Matter sync").await;
    let client = created.client.client_id;
    let rotation = IssueSecretRequest { overlap_seconds: Some(0), ..IssueSecretRequest::default() };
    node.app.issue_secret(node.admin().await, sandbox(), client, rotation).await.expect("a rotation");
    let signing = created.client.registration.signing_secret.id.0.clone();
    let wrong = async || {
        let mut wrong = Vec::new();
        let ids = node.log.credential_ids().await.expect("the ids");
        let (log, keys) = (node.log.as_ref(), node.keys.as_ref());
        let report = &mut |defect| wrong.push(defect);
        compare_credentials(log, keys, &master_key(), &crypto::SystemEntropy, ids, report)
            .await
            .expect("a comparison");
        wrong
    };
    assert_eq!(wrong().await, []);
    // The service's own key seals another value in its place.
    let other =
        node.app.inner.vault.seal_credential(&signing, "signing_secret", "whsec_other").expect("a seal");
    let raw = rusqlite::Connection::open(node.folder.path().join("data/log.db")).expect("the file");
    raw.execute("DELETE FROM credentials WHERE id = ?1", [&signing]).expect("one less");
    let insert = "INSERT INTO credentials (id, sealed) VALUES (?1, ?2)";
    raw.execute(insert, rusqlite::params![signing, other.row.sealed]).expect("another one");
    assert_eq!(wrong().await, [CredentialDefect::Swapped(signing)]);
}
