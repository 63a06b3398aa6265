use domain::client::{ExpiryMoved, SecretIssued, SecretRevoked, SecretRotated};
use domain::{ClientEvent, SecretId};
use store::Position;

use super::*;
use crate::as_of::{Moment, replay};
use crate::testing::{
    IntoEvent as _, TestLog, client, created, deleted, sandbox, seconds_after_start, secret,
};

fn now(log: &TestLog) -> Reader {
    replay(&*log.log, Moment::Position(Position::new(u64::MAX))).unwrap().reader
}

fn end(seconds: i64) -> Timestamp {
    seconds_after_start(seconds)
}

/// Whose secrets end, and when, up to an hour after the start.
fn listed(reader: &Reader, environment: Option<&EnvironmentName>) -> Vec<(ClientId, Timestamp)> {
    let page = list(reader, environment, (end(0), end(3_600)), None, 50).unwrap();
    page.items.into_iter().map(|secret| (secret.client_id, secret.expires_at)).collect()
}

fn issued(number: u64, seconds: i64) -> ClientEvent {
    let secret = domain::client::IssuedSecret { expires_at: Some(end(seconds)), ..secret(number) };
    ClientEvent::SecretIssued(SecretIssued { secret })
}

#[tokio::test]
async fn o5_what_ends_stands_there_in_its_order_until_it_is_revoked_or_its_client_deleted() {
    let log = TestLog::new();
    for number in 1..=3 {
        log.client(client(number), created(&format!("Client {number}")).into_event()).await;
    }
    assert_eq!(listed(&now(&log), None), []);
    log.client(client(1), issued(2, 900)).await;
    log.client(client(2), issued(2, 600)).await;
    log.client(client(3), issued(2, 5_000)).await;
    let reader = now(&log);
    let both = [(client(2), end(600)), (client(1), end(900))];
    assert_eq!(listed(&reader, None), both);
    assert_eq!(listed(&reader, Some(&sandbox())), both);
    assert_eq!(listed(&reader, Some(&EnvironmentName::parse("production").unwrap())), []);
    let first = list(&reader, None, (end(0), end(3_600)), None, 1).unwrap();
    let rest = list(&reader, None, (end(0), end(3_600)), first.next.as_ref(), 1).unwrap();
    assert_eq!((rest.items[0].client_id, rest.next), (client(1), None));

    let moved = ExpiryMoved { id: SecretId("secret2".into()), old: Some(end(900)), new: end(300) };
    let rotated =
        SecretRotated { secret: secret(3), overlap_seconds: 60, revoked: Vec::new(), expiring: vec![moved] };
    log.client(client(1), ClientEvent::SecretRotated(rotated)).await;
    assert_eq!(listed(&now(&log), None), [(client(1), end(300)), (client(2), end(600))]);
    let revoked = SecretRevoked { secret_id: SecretId("secret2".into()), lockout: false };
    log.client(client(1), ClientEvent::SecretRevoked(revoked)).await;
    log.client(client(2), deleted()).await;
    assert_eq!(listed(&now(&log), None), []);
}

#[tokio::test]
async fn o5_both_lists_read_an_index_in_its_order() {
    let log = TestLog::new();
    let reader = now(&log);
    for condition in ["environment = 'sandbox' AND", ""] {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT secret_id FROM expiring_secrets WHERE {condition} expires_at > 1
             AND expires_at <= 2 ORDER BY expires_at, client_id, secret_id LIMIT 5"
        );
        let plan: Vec<String> = reader
            .connection()
            .prepare(&sql)
            .and_then(|mut plan| plan.query_map([], |row| row.get(3))?.collect())
            .unwrap();
        assert!(plan.len() == 1 && plan[0].contains("COVERING INDEX"), "{plan:?}");
    }
}
