//! Clients that registered themselves and lie dormant.

use domain::environment::{ChannelDraft, RegistrationRule};

use super::*;
use crate::{activity::Deed, tokens::TOKEN};

async fn open_registration(node: &Node) {
    let registration_defaults = ChannelDraft {
        client_type: Some(Some("standard".into())),
        scope: None,
        contacts_required: Some(false),
        terms_required: Some(false),
    };
    let registration = Some(RegistrationRule::Open);
    let draft = PolicyDraft { registration, registration_defaults, ..PolicyDraft::default() };
    let change = ChangePolicy { draft, ..ChangePolicy::default() };
    let context = node.admin().await;
    node.app
        .change_policy(context, "sandbox".into(), Some(IfMatch::Any), change)
        .await
        .expect("another policy");
}

fn attempt(token: Option<&SecretString>) -> RegistrationAttempt {
    RegistrationAttempt {
        environment: sandbox(),
        token: token.cloned(),
        request_id: "r-1".into(),
        source: None,
    }
}

async fn register(node: &Node) -> OwnRegistration {
    let mut request = RegistrationRequest::default();
    request.client.metadata.redirect_uris = vec!["https://app.example.com/cb".into()];
    node.app.register_client(attempt(None), request).await.expect("a client")
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth_70_a_client_that_registered_itself_and_is_not_used_is_deleted_and_no_other_is() {
    let node = Node::start().await;
    open_registration(&node).await;
    let (dormant, used) = (register(&node).await, register(&node).await);
    let without_secret = register(&node).await.client.client_id;
    let made = node.create("Matter sync").await.client;
    let status = async |client_id: ClientId| {
        let loaded = node.app.inner.clients.current(&client_id.to_string()).await.expect("a look");
        loaded.aggregate.registration().expect("a client").status
    };
    node.clock.advance(SignedDuration::from_hours(24 * 60));
    let token = used.registration_access_token.as_ref();
    node.app.read_registration(attempt(token), used.client.client_id.to_string()).await.expect("its own");
    let deed = Deed { kind: TOKEN, client: Some(without_secret.to_string()), ..Deed::default() };
    node.app.inner.record_done(deed, Vec::new()).await.expect("a record");
    node.app.inner.delete_dormant().await.expect("a look");
    assert_eq!(status(dormant.client.client_id).await, domain::client::Status::Active, "60 days are not 90");
    node.clock.advance(SignedDuration::from_hours(24 * 31));
    node.app.inner.delete_dormant().await.expect("a look");
    assert_eq!(status(dormant.client.client_id).await, domain::client::Status::Deleted);
    assert_eq!(status(used.client.client_id).await, domain::client::Status::Active);
    assert_eq!(status(without_secret).await, domain::client::Status::Active, "it has nothing to be known by");
    assert_eq!(status(made.client_id).await, domain::client::Status::Active, "somebody answers for it");
    let events = node.log.read_stream(&stream(dormant.client.client_id), Revision::NONE, 10).await;
    let events = events.expect("its history");
    let last = events.last().expect("an event").envelope().expect("an entry");
    assert_eq!((last.event_type.as_ref(), last.actor.kind), ("client.deleted", store::ActorKind::System));
    assert_eq!(last.private.len(), 1, "the reason");
    let admission = node.app.admission(sandbox()).await.expect("a look");
    assert_eq!(admission.clients, [used.client.client_id, without_secret].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth_70_who_opens_registration_at_the_command_line_answers_for_nobody() {
    let node = Node::start().await;
    let registration = Some(RegistrationRule::Open);
    let draft = PolicyDraft { registration, ..PolicyDraft::default() };
    let change = ChangePolicy { draft, ..ChangePolicy::default() };
    node.app.change_policy(host(), "sandbox".into(), Some(IfMatch::Any), change).await.expect("a policy");
    let refused = node.app.register_client(attempt(None), RegistrationRequest::default()).await;
    let unanswered = RegistrationRefusal::Unanswered;
    assert!(matches!(refused, Err(RegistrationError::Refused(refusal)) if refusal == unanswered));
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth_70_who_opens_registration_answers_for_clients_as_long_as_it_may_create_them() {
    let node = Node::start().await;
    open_registration(&node).await;
    let Actor::Member(opener) = node.admin().await.actor else { panic!("a member") };
    register(&node).await;
    let roles = vec![RoleRequest { role: "auditor".into(), environments: None }];
    let administrator = CreateMemberRequest {
        name: Personal::new("Grace Hopper".into()),
        email: Personal::new("grace@members.example".into()),
        roles: vec![RoleRequest { role: "administrator".into(), environments: None }],
        password: Some("another administrator's".into()),
    };
    let another = node.app.create_member(host(), administrator).await.expect("another administrator");
    let token = IssueTokenRequest {
        label: "Console".into(),
        permissions: None,
        environments: None,
        expires_in_seconds: 60,
    };
    node.app.issue_token(host(), another.member_id, token).await.expect("a token");
    node.app.change_roles(host(), opener.member, Some(IfMatch::Any), roles).await.expect("fewer roles");
    let refused = node.app.register_client(attempt(None), RegistrationRequest::default()).await;
    let unanswered = RegistrationRefusal::Unanswered;
    assert!(matches!(refused, Err(RegistrationError::Refused(refusal)) if refusal == unanswered));
}
