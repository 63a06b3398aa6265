//! What somebody else does between the decision of a command and its commit.

use super::*;

impl Node {
    /// An app whose next append waits for this to be done.
    async fn overtaken(&self, meanwhile: impl Future<Output = ()> + Send + 'static) -> App {
        let (app, log) = self.unsure().await;
        *log.meanwhile.lock().expect("a lock") = Some(Box::pin(meanwhile));
        app
    }
}

fn details(name: Option<&str>, email: Option<&str>) -> ChangeDetailsRequest {
    let personal = |text: &str| Personal::new(text.to_owned());
    ChangeDetailsRequest { name: name.map(personal), email: email.map(personal) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_of_two_who_change_a_member_at_once_neither_undoes_what_the_other_did() {
    let node = Node::start().await;
    let request = CreateMemberRequest {
        name: Personal::new("Ada".into()),
        email: Personal::new("ada@members.example".into()),
        roles: vec![RoleRequest { role: "auditor".into(), environments: None }],
        password: None,
    };
    let member = node.app.create_member(host(), request).await.expect("a member").member_id;
    let any = Some(IfMatch::Any);
    let first = node.app.clone();
    let moved = async move {
        let email = details(None, Some("ada@new.example"));
        first.change_member_details(host(), member, any, email).await.expect("a new address");
    };
    let app = node.overtaken(moved).await;
    let name = details(Some("Ada King"), None);
    app.change_member_details(host(), member, any, name).await.expect("a new name");
    let shown = app.open_members(node.admin().await, vec![member]).await.expect("who it is");
    let shown = shown[0].as_ref().expect("it is not erased");
    assert_eq!((&shown["name"], &shown["email"]), (&"Ada King".into(), &"ada@new.example".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_a_contact_that_is_erased_while_it_is_recorded_comes_back_as_somebody_new() {
    let node = Node::start().await;
    let known = node.create("Matter sync").await.client;
    let person = known.registration.contacts[0];
    let erased = |node: &Node| {
        let app = node.app.clone();
        async move { app.erase_person(host(), person).await.map(drop).expect("an erasure") }
    };
    let app = node.overtaken(erased(&node)).await;
    let created = app.create_client(node.admin().await, sandbox(), request("Other")).await.expect("a client");
    let (created, admin) = (created.client, node.admin().await);
    let contacts =
        app.open_contacts(admin.clone(), created.client_id, created.revision).await.expect("a look");
    assert_ne!(created.registration.contacts[0], person);
    assert_eq!(contacts.len(), 1, "who can be read");

    let person = created.registration.contacts[0];
    let first = node.app.clone();
    let meanwhile = async move { first.erase_person(host(), person).await.map(drop).expect("an erasure") };
    let app = node.overtaken(meanwhile).await;
    let contact =
        Contact { name: Personal::new("Ops".into()), email: Personal::new("ops@example.com".into()) };
    let change = ChangeClientRequest { contacts: Some(vec![contact]), ..ChangeClientRequest::default() };
    let client_id = known.client_id;
    let changed = app.change_client(admin.clone(), sandbox(), client_id, Some(IfMatch::Any), change).await;
    let changed = changed.expect("a change");
    assert_ne!(changed.registration.contacts[0], person);
    let contacts = app.open_contacts(admin, client_id, changed.revision).await.expect("a look");
    assert_eq!(contacts.len(), 1, "who can be read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a3_a_member_whose_address_is_taken_leaves_no_key_behind() {
    let node = Node::start().await;
    let request = || CreateMemberRequest {
        name: Personal::new("Ada".into()),
        email: Personal::new("ada@members.example".into()),
        roles: vec![RoleRequest { role: "auditor".into(), environments: None }],
        password: None,
    };
    node.app.create_member(host(), request()).await.expect("a member");
    let keys = || {
        let raw = rusqlite::Connection::open(node.folder.path().join("data/keys.db")).expect("the file");
        let count = raw.query_row("SELECT count(*) FROM person_keys", [], |row| row.get::<_, u64>(0));
        count.expect("a count")
    };
    let before = keys();
    let refused = node.app.create_member(host(), request()).await.expect_err("the address is taken");
    assert_eq!(refused.slug(), "taken");
    assert_eq!(keys(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_for_a_person_while_others_do_is_told_to_come_back() {
    let node = Node::start().await;
    let person = node.create("Matter sync").await.client.registration.contacts[0];
    let looking = node.app.inner.looking_for_names.acquire_many(2).await.expect("nobody looks");
    let refused = node.app.person(person).await.expect_err("others look");
    assert_eq!(refused.slug(), "busy");
    drop(looking);
    node.app.person(person).await.expect("a look");
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
