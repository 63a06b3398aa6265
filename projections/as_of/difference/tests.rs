use domain::SecretId;
use store::Position;

use super::*;
use crate::testing::{IntoEvent as _, TestLog, client, created, deleted, happens, seconds_after_start};

fn at(position: u64) -> Moment {
    Moment::Position(Position::new(position))
}

fn names(changes: &[FieldChange]) -> Vec<&str> {
    changes.iter().map(|change| change.field.as_str()).collect()
}

fn ids(secrets: &[&Secret]) -> Vec<SecretId> {
    secrets.iter().map(|secret| secret.id.clone()).collect()
}

#[tokio::test]
async fn a6_fields_secrets_and_events_between_two_moments_are_told() {
    let log = TestLog::new();
    log.client(client(1), created("First").into_event()).await;
    log.client(client(1), happens(0)).await;
    // A second secret, the first one revoked with it.
    log.client(client(1), happens(10 + 4)).await;
    log.client(client(2), created("Another").into_event()).await;
    log.client(client(1), deleted()).await;
    let compare = async |from, to, most| difference(&*log.log, client(1), (from, to), most).await.unwrap();

    let found = compare(at(1), at(4), 10).await;
    assert_eq!(names(&found.changes()), ["client_name"]);
    assert_eq!(ids(&found.secrets_added()), [SecretId("secret2".into())]);
    assert_eq!(ids(&found.secrets_ended()), [SecretId("secret1".into())]);
    assert_eq!(found.events.iter().map(|event| event.position.get()).collect::<Vec<_>>(), [2, 3]);
    assert!(!found.more);
    assert_eq!(found.from.at, seconds_after_start(1));

    let cut = compare(at(1), at(5), 1).await;
    assert_eq!((cut.events.len(), cut.more), (1, true));
    let same = compare(at(4), at(4), 10).await;
    assert!(same.changes().is_empty() && same.events.is_empty() && !same.more);

    // From before it existed, every field is new.
    let whole = compare(at(0), at(5), 10).await;
    let changes = whole.changes();
    let status = changes.iter().find(|change| change.field == "status").unwrap();
    assert_eq!((&status.old, &status.new), (&Value::Null, &json!("deleted")));
    assert!(changes.iter().all(|change| change.old.is_null()));
    assert_eq!(whole.from.revision(), Revision::NONE);
    assert_eq!(whole.secrets_added().len(), 2);
}
