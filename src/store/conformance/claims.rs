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

fn release_all(id: &str) -> ClaimChange {
    ClaimChange::ReleaseAll { namespace: key("k").namespace, stream: stream(id) }
}

/// A stream gives up all it holds in a namespace, and nothing of anyone else.
pub async fn a_stream_gives_up_what_it_holds_in_a_namespace(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    log.append(claiming(1, "a", vec![take("k", "a"), take("l", "a")])).await.unwrap();
    log.append(claiming(2, "b", vec![take("m", "b")])).await.unwrap();
    // Released before it is taken again, in one commit.
    log.append(claiming(3, "a", vec![release_all("a"), take("k", "a")])).await.unwrap();
    let holders = async |names: [&str; 3]| {
        let mut holders = Vec::new();
        for name in names {
            holders.push(log.claim_holder(&key(name)).await.unwrap());
        }
        holders
    };
    assert_eq!(holders(["k", "l", "m"]).await, [Some(stream("a")), None, Some(stream("b"))]);
    let refused = log.append(claiming(4, "a", vec![release_all("a"), take("m", "a")])).await.unwrap_err();
    assert!(
        matches!(refused, AppendError::ClaimTaken { .. }),
        "what another holds is not given up: {refused}"
    );
    log.append(claiming(4, "c", vec![release_all("c"), release_all("nobody")])).await.unwrap();
    let mut all = Vec::new();
    log.claims(&mut |key, holder| all.push((key.key, holder))).unwrap();
    assert_eq!(all, [("k".to_owned(), stream("a")), ("m".to_owned(), stream("b"))]);
    check_log(log.as_ref(), 4);
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
