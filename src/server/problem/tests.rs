use std::collections::BTreeSet;

use actix_web::body::to_bytes;
use app::CommandError;
use domain::{ClientError, MemberError, Permission, SecretId};
use serde_json::Value;
use store::Revision;

use super::{Kind, Problem};

/// One error of every kind that a use case can end with, a fault aside: those are made by layers below.
fn errors() -> Vec<CommandError> {
    let id = || SecretId("0".into());
    vec![
        CommandError::Unauthenticated,
        CommandError::Denied(Permission::ClientsWrite),
        CommandError::GrantsTooMuch(Permission::ClientsWrite),
        CommandError::Invalid(Vec::new()),
        CommandError::Client(ClientError::Invalid(Vec::new())),
        CommandError::Client(ClientError::AlreadyExists),
        CommandError::Client(ClientError::NotFound),
        CommandError::Client(ClientError::Deleted),
        CommandError::Client(ClientError::NotActive),
        CommandError::Client(ClientError::NotInactive),
        CommandError::Client(ClientError::PublicClient),
        CommandError::Client(ClientError::NoSuchSecret(id())),
        CommandError::Client(ClientError::SecretNotUsable(id())),
        CommandError::Client(ClientError::LastSecret(id())),
        CommandError::Client(ClientError::TooManySecrets { most: 20 }),
        CommandError::Member(MemberError::Invalid(Vec::new())),
        CommandError::Member(MemberError::AlreadyExists),
        CommandError::Member(MemberError::NotFound),
        CommandError::Member(MemberError::NotActive),
        CommandError::Member(MemberError::NotInactive),
        CommandError::Member(MemberError::LastAdministrator),
        CommandError::Member(MemberError::NoSuchToken(id())),
        CommandError::Member(MemberError::TokenNotLive(id())),
        CommandError::Member(MemberError::NoSuchPasskey(id())),
        CommandError::Member(MemberError::TooManyPasskeys { most: 20 }),
        CommandError::Member(MemberError::TooManyTokens { most: 50 }),
        CommandError::RoleExists,
        CommandError::BuiltInRole,
        CommandError::NotFound("client"),
        CommandError::Gone("client"),
        CommandError::Taken { pointer: "/client_name" },
        CommandError::PreconditionFailed { current: Revision::new(3), changed: Vec::new() },
        CommandError::PreconditionRequired,
        CommandError::IdempotencyMismatch,
        CommandError::Contended,
        CommandError::Busy,
    ]
}

#[test]
fn a2_the_answer_and_the_record_of_a_refusal_have_one_slug() {
    for error in errors() {
        assert_eq!(Kind::of(&error).slug(), error.slug(), "{error}");
    }
}

#[test]
fn slugs_are_unique_and_texts_do_not_begin_like_sentences() {
    let slugs: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
    assert_eq!(slugs.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert!(kind.slug().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{kind:?}");
        assert!(kind.status().is_client_error() || kind.status().is_server_error(), "{kind:?}");
        assert!(!kind.detail().ends_with('.') && !kind.detail().starts_with(char::is_uppercase), "{kind:?}");
    }
}

#[actix_web::test]
async fn a_problem_is_what_rfc_9457_says() {
    let problem = Problem::from(CommandError::Taken { pointer: "/client_name" });
    let response = problem.to_response("r-1");
    assert_eq!(response.status(), 409);
    assert_eq!(response.headers().get("content-type").unwrap(), "application/problem+json");
    let body: Value = serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "type": "urn:muniment:problem:taken",
            "title": "Taken",
            "status": 409,
            "detail": "a value that must be unique is taken: see `errors`",
            "errors": [{
                "pointer": "/client_name", "rule": "taken",
                "detail": "another one has this value: choose a different one",
            }],
            "request_id": "r-1",
        })
    );
}

#[test]
fn what_may_pass_says_when_to_try_again() {
    for error in [CommandError::Busy, CommandError::Denied(Permission::ClientsRead)] {
        let unavailable = matches!(error, CommandError::Busy);
        let response = Problem::from(error).to_response("r-1");
        assert_eq!(response.headers().contains_key("retry-after"), unavailable);
    }
}

#[test]
fn causes_are_kept_out_of_the_answer() {
    let cause = std::io::Error::other("/var/lib/muniment/log.db is gone");
    let problem = Problem::new(Kind::Internal).because(cause);
    assert_eq!(problem.cause(), Some("/var/lib/muniment/log.db is gone"));
    assert!(problem.0.members.is_empty() && problem.0.errors.is_empty());
}
