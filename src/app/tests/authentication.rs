//! Clients that prove who they are: each reason of a refusal, what reaches Argon2, and what is recorded.

use std::path::{Path, PathBuf};

use domain::SecretId;
use store::{ActivityFilter, ActivityLog, ActivityPage, Clock, RecordedActivity};

use super::*;

const ALL: ActivityPage =
    ActivityPage { ascending: true, after: Position::ORIGIN, before: None, limit: 1_000 };

impl Node {
    async fn authenticate(
        &self,
        environment: &str,
        client_id: &str,
        secret: &str,
    ) -> Result<AuthenticatedClient, ClientAuthenticationError> {
        let attempt = ClientAttempt {
            environment: EnvironmentName::parse(environment).expect("a name"),
            client_id: client_id.to_owned(),
            secret: secret.to_owned().into(),
            request_id: "r-1".to_owned(),
            source: Some(Source { address: Personal::new("203.0.113.7".to_owned()), user_agent: None }),
        };
        self.app.authenticate_client(attempt).await
    }

    async fn refusal(&self, environment: &str, client_id: &str, secret: &str) -> &'static str {
        match self.authenticate(environment, client_id, secret).await {
            Err(ClientAuthenticationError::Refused(refusal)) => refusal.as_str(),
            other => panic!("not refused: {other:?}"),
        }
    }

    async fn recorded(&self) -> Vec<RecordedActivity> {
        self.activity.read(&ActivityFilter::default(), ALL).await.expect("the activity")
    }

    /// What the main log says of a segment, as soon as it does.
    async fn summary(&self, segment: store::SegmentNumber) -> store::RecordedEvent {
        let stream = StreamName::new("activity_segment", &segment.get().to_string()).expect("a name");
        let recorded = async {
            loop {
                let events = self.log.read_stream(&stream, Revision::NONE, 10).await.expect("the stream");
                if let [event] = events.as_slice() {
                    return event.clone();
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), recorded).await.expect("an event")
    }

    /// A copy of everything beside the running service.
    fn back_up(&self, name: &str) -> PathBuf {
        let to = self.folder.path().join(name);
        std::fs::create_dir(&to).expect("a directory");
        let data = DataDirectory::open_read_only(&self.folder.path().join("data")).expect("the directory");
        let (log, activity, keys) = (to.join("log.db"), to.join("activity.db"), to.join("keys.db"));
        let files = store::BackUpTo { log: &log, activity: &activity, keys: &keys };
        data.back_up(files, &mut |_, _| {}).expect("a copy");
        to
    }

    /// The same directory, opened anew.
    pub(super) async fn reopened(self) -> Self {
        let Self { app, log, keys, activity, clock, token, folder } = self;
        activity.close().await;
        log.close().await;
        drop((app, log, keys, activity));
        let (app, log, keys, activity) = open(&folder, &clock).await;
        Self { app, log, keys, activity, clock, token, folder }
    }
}

fn parts(created: &CreatedClient) -> (String, String, SecretId) {
    let secret = created.client_secret.as_ref().expect("a secret").expose_secret().to_owned();
    (created.client.client_id.to_string(), secret, created.client.registration.secrets[0].id.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn l4_each_refusal_has_its_reason_and_none_reaches_argon2() {
    let node = Node::start().await;
    let created = node.create("Matter sync").await;
    let (id, secret, _) = parts(&created);
    let (other, other_secret, _) = parts(&node.create("Other").await);
    let nobody = Uuid::nil().to_string();
    let other_letter = if &secret[30..31] == "a" { "b" } else { "a" };
    let mistyped = format!("{}{other_letter}{}", &secret[..30], &secret[31..]);
    for (environment, id, secret, reason) in [
        ("sandbox", &id, "", "malformed"),
        ("sandbox", &id, "let me in", "malformed"),
        ("sandbox", &id, node.token.expose_secret(), "malformed"),
        ("sandbox", &id, mistyped.as_str(), "checksum"),
        ("sandbox", &id, other_secret.as_str(), "unknown_tag"),
        ("sandbox", &nobody, secret.as_str(), "no_such_client"),
        ("sandbox", &"nobody".to_owned(), secret.as_str(), "no_such_client"),
        ("production", &id, secret.as_str(), "other_environment"),
        ("production", &other, secret.as_str(), "no_such_client"),
    ] {
        assert_eq!(node.refusal(environment, id, secret).await, reason);
    }
    let client = created.client.client_id;
    node.app.deactivate_client(node.admin().await, sandbox(), client).await.expect("a deactivation");
    assert_eq!(node.refusal("sandbox", &id, &secret).await, "inactive");
    node.app.enable_client(node.admin().await, sandbox(), client).await.expect("an end of it");
    let later = IssueSecretRequest {
        not_before: Some(node.clock.now() + SignedDuration::from_hours(1)),
        expires_in_seconds: Some(7_200),
        ..IssueSecretRequest::default()
    };
    let pending =
        node.app.issue_secret(node.admin().await, sandbox(), client, later).await.expect("a secret");
    let pending = pending.secret.expect("its text");
    assert_eq!(node.refusal("sandbox", &id, pending.expose_secret()).await, "pending");
    node.clock.advance(SignedDuration::from_hours(2));
    assert_eq!(node.refusal("sandbox", &id, pending.expose_secret()).await, "expired");
    let at_once = IssueSecretRequest { overlap_seconds: Some(0), ..IssueSecretRequest::default() };
    node.app.issue_secret(node.admin().await, sandbox(), client, at_once).await.expect("a rotation");
    assert_eq!(node.refusal("sandbox", &id, &secret).await, "revoked");
    node.app.delete_client(node.admin().await, sandbox(), client).await.expect("a deletion");
    assert_eq!(node.refusal("sandbox", &id, &secret).await, "deleted");
    assert_eq!(node.app.argon2_verifications(), 0, "no guess and no dead secret reaches Argon2");
    let recorded = node.recorded().await;
    let reasons: Vec<_> = recorded.iter().filter_map(|record| record.activity.reason.as_deref()).collect();
    assert_eq!(
        reasons,
        [
            "malformed",
            "malformed",
            "malformed",
            "checksum",
            "unknown_tag",
            "no_such_client",
            "no_such_client",
            "other_environment",
            "no_such_client",
            "inactive",
            "pending",
            "expired",
            "revoked",
            "deleted"
        ]
    );
    assert_eq!(recorded[6].activity.client, None, "what cannot be an id is not recorded as one");
    assert!(recorded.iter().all(|record| record.activity.source.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn o5_a_secret_that_was_issued_here_never_takes_argon2_and_one_that_is_unknown_takes_it_once() {
    let node = Node::start().await;
    let mut secrets = Vec::new();
    for number in 0..5 {
        secrets.push(parts(&node.create(&format!("Client {number}")).await));
    }
    let node = node.reopened().await;
    for _ in 0..2 {
        for (id, secret, secret_id) in &secrets {
            let known = node.authenticate("sandbox", id, secret).await.expect("the client");
            assert_eq!((known.client_id.to_string(), &known.secret_id), (id.clone(), secret_id));
        }
    }
    assert_eq!(node.app.argon2_verifications(), 0, "their digests survived the restart");
    // Whoever loses the digests pays once.
    let folder = node.folder.path().join("data/activity.db");
    let raw = rusqlite::Connection::open(folder).expect("the file");
    assert_eq!(raw.execute("DELETE FROM verified", []).expect("a deletion"), 5);
    raw.execute("INSERT INTO verified VALUES (?1, zeroblob(32))", [&secrets[0].2.0]).expect("a damage");
    drop(raw);
    let node = node.reopened().await;
    for _ in 0..2 {
        for (id, secret, _) in &secrets {
            node.authenticate("sandbox", id, secret).await.expect("the client");
        }
    }
    assert_eq!(node.app.argon2_verifications(), 5);
    let node = node.reopened().await;
    for (id, secret, _) in &secrets {
        node.authenticate("sandbox", id, secret).await.expect("the client");
    }
    assert_eq!(node.app.argon2_verifications(), 0, "the digest was kept with the use");
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_a_use_that_cannot_be_recorded_is_no_use_and_a_refusal_no_answer() {
    let node = Node::start().await;
    let (id, secret, _) = parts(&node.create("Matter sync").await);
    node.activity.close().await;
    for secret in [secret.as_str(), "let me in"] {
        let failed = node.authenticate("sandbox", &id, secret).await.expect_err("nothing can be recorded");
        assert!(matches!(failed, ClientAuthenticationError::Failed(CommandError::Fault(_))), "{failed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_a_flood_is_listed_first_and_counted_then() {
    let node = Node::start().await;
    let (id, secret, secret_id) = parts(&node.create("Matter sync").await);
    for _ in 0..100 {
        assert_eq!(node.refusal("sandbox", &id, "let me in").await, "malformed");
    }
    node.authenticate("sandbox", &id, &secret).await.expect("nobody else is hindered");
    node.app.close().await.expect("an end");
    let recorded = node.recorded().await;
    assert_eq!(recorded.len(), 5 + 1 + 1);
    let (used, counted) = (&recorded[5].activity, &recorded[6].activity);
    assert_eq!(used.credential.as_deref(), Some(secret_id.0.as_str()));
    assert_eq!(
        (counted.count, counted.reason.as_deref(), counted.client.as_ref()),
        (95, Some("malformed"), Some(&id))
    );
    assert_eq!(counted.since, Some(node.clock.now()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_where_a_client_came_from_is_in_no_file_in_the_clear() {
    let node = Node::start().await;
    let (id, secret, _) = parts(&node.create("Matter sync").await);
    node.authenticate("sandbox", &id, &secret).await.expect("the client");
    let node = node.reopened().await;
    for file in std::fs::read_dir(node.folder.path().join("data")).expect("the directory") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("its content");
        assert!(!bytes.windows(11).any(|window| window == b"203.0.113.7"));
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_a_day_of_activity_is_fixed_by_an_event_of_the_main_log() {
    let node = Node::start().await;
    let (id, secret, _) = parts(&node.create("Matter sync").await);
    for _ in 0..3 {
        node.authenticate("sandbox", &id, &secret).await.expect("the client");
    }
    let segment = store::SegmentNumber::at(node.clock.now());
    node.clock.advance(SignedDuration::from_hours(24));
    node.authenticate("sandbox", &id, &secret).await.expect("the client");
    let event = node.summary(segment).await;
    let envelope = event.envelope().expect("an envelope");
    assert_eq!(envelope.event_type, "activity.segment_closed");
    assert_eq!(envelope.actor.kind, store::ActorKind::System);
    let data: serde_json::Value = serde_json::from_str(envelope.data.get()).expect("its data");
    assert_eq!((data["first_position"].as_u64(), data["last_position"].as_u64()), (Some(1), Some(3)));
    let mut tree = crypto::MerkleTree::default();
    for record in &node.recorded().await[..3] {
        tree.push(record.leaf().expect("a leaf").as_str().as_bytes());
    }
    let closed = node.activity.closed_segments(None, 10).await.expect("the segments");
    assert_eq!((closed.len(), closed[0].root), (1, tree.root()), "who has the records can compute it");
}

/// How many segments are closed, and what is wrong with them.
async fn compared(directory: &Path) -> (usize, Vec<SegmentDefect>) {
    let data = DataDirectory::open_read_only(directory).expect("a directory");
    let log = SqliteLog::open(&data, Arc::new(store::SystemClock)).expect("a log");
    let activity = SqliteActivity::open(&data, Arc::new(store::SystemClock)).expect("an activity log");
    let mut defects = Vec::new();
    let closed = compare_segments(&log, &activity, &mut |defect| defects.push(defect)).await;
    (closed.expect("both can be read"), defects)
}

#[tokio::test(flavor = "multi_thread")]
async fn a11_activity_that_is_younger_than_its_log_contradicts_nothing_and_an_older_one_does() {
    let node = Node::start().await;
    let (id, secret, _) = parts(&node.create("Matter sync").await);
    node.authenticate("sandbox", &id, &secret).await.expect("the client");
    let before = node.back_up("before");
    let segment = store::SegmentNumber::at(node.clock.now());
    node.clock.advance(SignedDuration::from_hours(24));
    node.authenticate("sandbox", &id, &secret).await.expect("the client");
    node.summary(segment).await;
    let after = node.back_up("after");
    assert_eq!(compared(&before).await, (0, vec![]));
    assert_eq!(compared(&after).await, (1, vec![]));

    // The log is copied first: this is what can come of it, and what never can.
    let (older, younger) = (node.folder.path().join("older.db"), before.join("activity.db"));
    std::fs::rename(&younger, &older).expect("the older one");
    std::fs::copy(after.join("activity.db"), &younger).expect("a copy");
    assert_eq!(compared(&before).await, (1, vec![]));
    std::fs::copy(&older, after.join("activity.db")).expect("a copy");
    assert_eq!(compared(&after).await, (0, vec![SegmentDefect::NotClosed(segment)]));

    let forged = rusqlite::Connection::open(&younger).expect("the file");
    forged
        .execute_batch("DROP TRIGGER activity_is_not_changed; UPDATE activity SET outcome = 'refused'")
        .expect("a forgery");
    drop(forged);
    assert_eq!(compared(&before).await, (1, vec![SegmentDefect::Altered(segment)]));
}
