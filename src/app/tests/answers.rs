//! Answers that are lost, and requests that are repeated.

use super::*;

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
