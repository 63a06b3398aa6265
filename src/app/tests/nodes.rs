//! Several apps on one log, as the nodes of an instance are.

use super::*;

impl Node {
    async fn second(&self) -> App {
        self.beside(Arc::clone(&self.log) as Arc<dyn EventLog>).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_who_is_erased_on_one_node_is_erased_on_the_others() {
    let node = Node::start().await;
    let second = node.second().await;
    let created = node.create("Matter sync").await.client;
    let (context, person) = (node.admin().await, created.registration.contacts[0]);
    let open = async || {
        second.open_contacts(context.clone(), created.client_id, created.revision).await.expect("a look")
    };
    assert_eq!(open().await.len(), 1, "the second node has the key in memory now");
    node.app.erase_person(context.clone(), person).await.expect("an erasure");
    assert!(open().await.is_empty());
    assert!(second.is_erased(person));
    let again = second.create_client(context.clone(), sandbox(), request("After")).await.expect("a client");
    assert_ne!(again.client.registration.contacts, [person], "who comes back is somebody new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_one_node_revokes_is_refused_by_the_next_request_on_another() {
    let node = Node::start().await;
    let second = node.second().await;
    let created = node.create("Matter sync").await;
    let client_id = created.client.client_id;
    let secret = created.client_secret.expect("a secret");
    let attempt = || ClientAttempt {
        environment: sandbox(),
        client_id: client_id.to_string(),
        secret: secret.expose_secret().to_owned().into(),
        request_id: "r-1".to_owned(),
        source: None,
    };
    for _ in 0..2 {
        second.authenticate_client(attempt()).await.expect("the right secret");
    }
    let secret_id = created.client.registration.secrets[0].id.clone();
    node.app.revoke_secret(node.admin().await, sandbox(), client_id, secret_id, true).await.expect("revoked");
    let refused = second.authenticate_client(attempt()).await;
    assert!(matches!(refused, Err(ClientAuthenticationError::Refused(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_opened_at_one_moment_make_keys_beside_each_other() {
    let node = Node::start().await;
    let second = node.second().await;
    let context = Context { reason: Some(Personal::new("why".to_owned())), ..node.admin().await };
    let mut slots = std::collections::HashSet::new();
    for (app, name) in [(&node.app, "One"), (&second, "Two"), (&node.app, "Three"), (&second, "Four")] {
        let created =
            app.create_client(context.clone(), sandbox(), request(name)).await.expect("a client").client;
        let event =
            node.log.read_stream(&stream(created.client_id), Revision::NONE, 1).await.expect("a stream");
        let envelope = event[0].envelope().expect("an entry");
        let wanted = envelope.private.iter().map(|digest| store::DisclosureRef {
            position: event[0].position,
            digest: digest.clone().into_owned(),
        });
        let rows = node.log.disclosures(&wanted.collect::<Vec<_>>()).await.expect("the rows");
        let slot = rows.iter().find_map(|row| match row.key {
            store::DisclosureKey::Event(slot) => Some(slot),
            store::DisclosureKey::Person(_) => None,
        });
        assert!(slots.insert(slot.expect("a reason")), "a key sealed two reasons");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_of_nodes_that_start_on_an_empty_log_at_one_moment_one_fills_it() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().expect("a directory");
        let directory = DataDirectory::open(&folder.path().join("data")).expect("a directory");
        let clock = || Arc::new(store::SystemClock) as Arc<dyn store::Clock>;
        let log = Arc::new(SqliteLog::open(&directory, clock()).expect("a log"));
        let activity = Arc::new(SqliteActivity::open(&directory, clock()).expect("an activity log"));
        let keys = Arc::new(SqliteKeys::open(&directory).expect("keys"));
        let start = || app_on(Arc::clone(&log) as _, Arc::clone(&activity) as _, Arc::clone(&keys) as _);
        let (one, other) = tokio::join!(start(), start());
        let (first, second) = tokio::join!(
            one.bootstrap(host(), FirstAdministrator::default(), Box::new(Kept::default())),
            other.bootstrap(host(), FirstAdministrator::default(), Box::new(Kept::default()))
        );
        let filled: Vec<_> =
            [first, second].into_iter().filter_map(|filled| filled.expect("no fault")).collect();
        assert_eq!(filled.len(), 1, "one fills it, the other sees that it is filled");
        for app in [&one, &other] {
            app.authenticate(filled[0].token.expose_secret()).await.expect("the first admin on each node");
        }
    }
}
