//! What the vault keeps, and what is wrong with it.

use super::*;

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
