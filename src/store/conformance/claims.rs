//! Claims: of all who want a key, one has it.

use std::sync::Arc;

use super::sample::{key, one, stream};
use super::{Fixture, check_log};
use crate::commit::{ClaimChange, Commit};
use crate::error::{AppendError, InvalidCommit};

fn claiming(command: u64, id: &str, claims: Vec<ClaimChange>) -> Commit {
    Commit { claims, ..one(command, id) }
}

fn take(name: &str, id: &str) -> ClaimChange {
    ClaimChange::Take { key: key(name), stream: stream(id) }
}

fn release(name: &str, id: &str) -> ClaimChange {
    ClaimChange::Release { key: key(name), stream: stream(id) }
}

/// The life of a key, and every way to ask for it wrongly.
pub async fn a_claim_is_taken_moved_and_released(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    log.append(claiming(1, "a", vec![take("k", "a")])).await.unwrap();
    log.append(claiming(2, "a", vec![take("k", "a")])).await.unwrap();
    let refused = log.append(claiming(3, "b", vec![take("k", "b")])).await.unwrap_err();
    assert!(
        matches!(&refused, AppendError::ClaimTaken { holder, .. } if *holder == stream("a")),
        "{refused}"
    );
    for (name, id) in [("k", "b"), ("free", "b")] {
        let refused = log.append(claiming(3, "b", vec![release(name, id)])).await.unwrap_err();
        assert!(matches!(refused, AppendError::ClaimNotHeld { .. }), "{refused}");
    }
    let refused = log.append(claiming(3, "b", vec![take("k2", "nobody")])).await.unwrap_err();
    assert!(matches!(refused, AppendError::Invalid(InvalidCommit::ClaimWithoutStream(_))), "{refused}");

    log.append(claiming(3, "b", vec![release("k", "a"), take("k", "b")])).await.unwrap();
    assert_eq!(log.claim_holder(&key("k")).await.unwrap(), Some(stream("b")));
    log.append(claiming(4, "b", vec![release("k", "b")])).await.unwrap();
    assert_eq!(log.claim_holder(&key("k")).await.unwrap(), None);
    log.append(claiming(5, "c", vec![take("k", "c")])).await.unwrap();
    let log = fixture.open().await;
    assert_eq!(log.claim_holder(&key("k")).await.unwrap(), Some(stream("c")));
    check_log(log.as_ref(), 5);
}

/// Sixty-four at once for one key.
pub async fn one_of_many_takers_wins(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let log = Arc::clone(&log);
        let id = format!("c{number}");
        tasks.spawn(
            async move { (id.clone(), log.append(claiming(number, &id, vec![take("k", &id)])).await) },
        );
    }
    let mut winners = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        match joined.unwrap() {
            (id, Ok(_)) => winners.push(stream(&id)),
            (_, Err(AppendError::ClaimTaken { .. })) => {}
            (id, Err(error)) => panic!("{id}: {error}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(log.claim_holder(&key("k")).await.unwrap(), winners.pop());
    check_log(log.as_ref(), 1);
}
