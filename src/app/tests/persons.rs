//! Who is erased, and what stays of them.

use super::*;

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
        sessions: SessionLimits::default(),
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
    let (ada, token) = node.enrol_administrator("Ada", "ada@members.example").await;
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

    node.enrol_administrator("Grace Hopper", "grace@members.example").await;
    node.app.deactivate_member(host(), principal.member).await.expect("another administrator is there");
    node.app.erase_person(host(), domain::PersonId(principal.member.0)).await.expect("an erasure");
    assert!(find("192.0.2.7").await.is_empty());
}

/// Log and keys are copied one after the other: of who is erased in between the copied log would not say so.
#[tokio::test(flavor = "multi_thread")]
async fn a3_a_back_up_during_an_erasure_can_be_restored() {
    let node = Node::start().await;
    let created = node.create("Matter sync").await.client;
    let (person, context) = (created.registration.contacts[0], node.admin().await);
    let restored = tempfile::tempdir().expect("a directory");
    let data = restored.path().join("data");
    std::fs::create_dir(&data).expect("a directory");
    let (log, activity, keys) = (data.join("log.db"), data.join("activity.db"), data.join("keys.db"));
    let files = store::BackUpTo { log: &log, activity: &activity, keys: &keys };
    let source = DataDirectory::open_read_only(&node.folder.path().join("data")).expect("the directory");
    let mut erased = false;
    tokio::task::block_in_place(|| {
        let mut erase = |_, _| {
            if !std::mem::replace(&mut erased, true) {
                let erasure = node.app.erase_person(context.clone(), person);
                Handle::current().block_on(erasure).expect("an erasure");
            }
        };
        source.back_up(files, &mut erase).expect("a copy");
    });
    assert!(erased);
    let (app, ..) = open(&restored, &node.clock).await;
    assert!(app.is_erased(person), "the copy says why there is no key");
}
