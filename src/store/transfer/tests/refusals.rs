//! What is refused, and what is found.

use std::sync::Arc;

use rusqlite::Connection;

use super::history::{fill, go_on};
use super::place::Place;
use super::*;
use crate::commit::{ClaimChange, Commit};
use crate::conformance::sample::{key, one, stream};
use crate::sqlite::SqliteSide;
use crate::{PostgresDatabase, PostgresError, PostgresSide};

async fn try_move(from: &Place, to: &Place) -> Result<Transferred, TransferError> {
    let (source, target) = (from.source_soon().await?, to.target().await);
    transfer(source.as_ref(), target.as_ref(), &mut |_, _, _| ()).await
}

async fn cut_off(from: &Place, to: &Place, fails_at: usize) {
    let (source, target) = (from.source().await, Failing::new(to.target().await, fails_at));
    let cut_off = transfer(source.as_ref(), &target, &mut |_, _, _| ()).await;
    assert!(matches!(cut_off, Err(TransferError::Write(_))), "{cut_off:?}");
}

async fn every_place() -> [Place; 4] {
    [Place::directory(), Place::database().await, Place::server(), Place::nodes().await]
}

async fn filled(place: Place) -> Place {
    fill(&place.open().await).await;
    place
}

#[tokio::test]
async fn a_place_that_is_not_empty_is_refused() {
    let here = filled(Place::directory()).await;
    for there in every_place().await {
        let open = there.open().await;
        open.log.append(one(1, "a")).await.unwrap();
        open.close().await;
        drop(open);
        let refused = try_move(&here, &there).await;
        assert!(matches!(refused, Err(TransferError::NotEmpty)), "{refused:?}");
        drop(there.open().await);
    }
    let keys_only = Place::directory();
    keys_only.open().await.keys.insert_event_keys(1, vec![vec![1]]).await.unwrap();
    assert!(matches!(try_move(&here, &keys_only).await, Err(TransferError::NotEmpty)));
}

#[tokio::test]
async fn nothing_is_not_moved() {
    for (here, there) in every_place().await.into_iter().zip(every_place().await) {
        let open = here.open().await;
        open.close().await;
        drop(open);
        let refused = try_move(&here, &there).await;
        assert!(matches!(refused, Err(TransferError::NothingToMove)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_transfer_of_another_log_is_not_gone_on_with() {
    let (here, other) = (filled(Place::directory()).await, filled(Place::directory()).await);
    for there in every_place().await {
        cut_off(&here, &there, 4).await;
        let refused = try_move(&other, &there).await;
        assert!(matches!(refused, Err(TransferError::OfAnotherLog)), "{refused:?}");
        let refused = try_move(&there, &Place::directory()).await;
        assert!(matches!(refused, Err(TransferError::SourceUnfinished)), "{refused:?}");
        try_move(&here, &there).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_in_use_is_not_moved() {
    for place in every_place().await {
        let open = place.open().await;
        open.log.head().await.unwrap();
        assert!(place.try_source().await.is_err() && place.try_target().await.is_err());
        drop(open);
        let held = place.source().await;
        assert!(place.try_target().await.is_err(), "nor by two transfers");
        if let Place::Database(database) | Place::Nodes(_, _, database) = &place {
            let refused = PostgresDatabase::open(&database.url()).map(drop).unwrap_err();
            assert!(matches!(refused, PostgresError::Moving), "{refused}");
        }
        drop(held);
    }
}

#[tokio::test]
async fn only_the_owner_of_a_database_moves_a_log_into_it() {
    let Place::Database(database) = Place::database().await else { unreachable!() };
    let refused = PostgresSide::target(&database.url()).await.map(drop).unwrap_err();
    assert!(matches!(refused, TransferError::NotOwner), "{refused}");
}

#[tokio::test]
async fn what_is_not_there_is_not_made() {
    let parent = tempfile::tempdir().unwrap();
    assert!(SqliteSide::source(&parent.path().join("none")).is_err());
    assert!(!parent.path().join("none").exists());
}

/// Between two attempts the old place was served from again: somebody was erased, a secret destroyed, a name moved.
#[tokio::test]
async fn what_changes_between_two_attempts_arrives_changed() {
    for there in every_place().await {
        let here = filled(Place::directory()).await;
        // Everything but the mark.
        let writes = {
            let (source, rehearsal) = (here.source().await, Place::directory());
            let target = Failing::new(rehearsal.target().await, usize::MAX);
            transfer(source.as_ref(), &target, &mut |_, _, _| ()).await.unwrap();
            target.writes.load(SeqCst)
        };
        cut_off(&here, &there, writes - 1).await;
        let open = here.open().await;
        let (ada, s1) = (Uuid::from_u128(0xada), "s1".to_owned());
        let moving = vec![
            ClaimChange::ReleaseAll { namespace: key("").namespace, stream: stream("a2") },
            ClaimChange::Take { key: key("moved"), stream: stream("a1") },
        ];
        let change = Commit {
            claims: moving,
            destroyed_credentials: vec![s1],
            forgotten_persons: vec![ada],
            ..one(90, "a1")
        };
        open.log.append(change).await.unwrap();
        open.keys.erase(&[ada], &[1]).await.unwrap();
        open.keys.insert_event_keys(300, vec![vec![1; 48]]).await.unwrap();
        open.close().await;
        drop(open);
        let moved = try_move(&here, &there).await.unwrap();
        assert!(moved.parts.iter().all(|part| part.from == part.to));
        let open = there.open().await;
        assert!(open.keys.person_key(ada).await.unwrap().is_none());
        assert!(open.keys.event_key(1).await.unwrap().is_none());
        assert_eq!(open.keys.last_event_key().await.unwrap(), 300);
        assert!(open.log.credential("s1").await.unwrap().is_none());
        assert_eq!(open.log.claim_holder(&key("moved")).await.unwrap(), Some(stream("a1")));
        open.close().await;
    }
}

/// An entry that was changed on its way is found, and the place is not served from.
#[tokio::test]
async fn a_difference_is_found_and_named() {
    let (here, there) = (filled(Place::directory()).await, Place::directory());
    let writes = 9;
    cut_off(&here, &there, writes).await;
    let raw = Connection::open(there.path().join("log.db")).unwrap();
    raw.execute_batch(
        "DROP TRIGGER events_are_not_changed;
         UPDATE events SET entry = CAST(replace(CAST(entry AS TEXT), 'Zoë', 'Zoé') AS BLOB) WHERE position = 2;",
    )
    .unwrap();
    drop(raw);
    for _ in 0..2 {
        match try_move(&here, &there).await {
            Err(TransferError::Differs(compared)) => {
                let differing = compared.iter().filter(|part| part.from != part.to);
                assert_eq!(differing.map(|part| part.part).collect::<Vec<_>>(), [Part::Entries]);
            }
            moved => panic!("{moved:?}"),
        }
        there.refuses_to_serve().await;
    }
}

/// An entry that its own place has not, at the very end of what was copied.
#[tokio::test]
async fn what_the_log_does_not_have_is_not_gone_on_from() {
    let (here, there) = (filled(Place::directory()).await, Place::directory());
    let (source, target) = (here.source().await, Failing::new(there.target().await, 3));
    transfer(source.as_ref(), &target, &mut |_, _, _| ()).await.unwrap_err();
    drop((source, target));
    let raw = Connection::open(there.path().join("log.db")).unwrap();
    raw.execute("INSERT INTO events SELECT max(position) + 1, stream, 99, entry FROM events", []).unwrap();
    drop(raw);
    let refused = try_move(&here, &there).await;
    assert!(matches!(refused, Err(TransferError::AnotherLog(Part::Entries))), "{refused:?}");
}

/// A log that is damaged where it is arrives as it is, and is not served from.
#[tokio::test]
async fn a_damaged_log_is_not_let_through() {
    let (here, there) = (filled(Place::directory()).await, Place::directory());
    let raw = Connection::open(here.path().join("log.db")).unwrap();
    raw.execute_batch(
        "DROP TRIGGER commands_are_not_changed; UPDATE commands SET last_position = 40 WHERE first_position = 1;",
    )
    .unwrap();
    drop(raw);
    let refused = try_move(&here, &there).await;
    assert!(
        matches!(&refused, Err(TransferError::Damaged(1, Defect::CommandDisagrees { .. }))),
        "{refused:?}"
    );
    there.refuses_to_serve().await;
}

#[tokio::test]
async fn a_place_that_was_moved_to_and_served_from_is_another_one() {
    let (here, there) = (filled(Place::directory()).await, Place::directory());
    try_move(&here, &there).await.unwrap();
    go_on(&there.open().await).await;
    assert!(matches!(try_move(&here, &there).await, Err(TransferError::Differs(_))));
    go_on(&there.open().await).await;
}

/// The very end fails after the batches were written, the old place is served from again, and it is moved once more.
#[tokio::test]
async fn what_changes_after_the_end_failed_arrives_changed() {
    let there = Place::nodes().await;
    let Place::Nodes(_, _, database) = &there else { unreachable!() };
    let here = filled(Place::directory()).await;
    let source = here.source().await;
    let target = there.target().await;
    // What it takes to fail there: the mark cannot be removed.
    database.psql(
        "CREATE FUNCTION muniment.stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not yet'; END $$;
         CREATE TRIGGER stay BEFORE DELETE ON muniment.transfer FOR EACH ROW EXECUTE FUNCTION muniment.stay()",
    );
    let failed = transfer(source.as_ref(), target.as_ref(), &mut |_, _, _| ()).await;
    assert!(matches!(failed, Err(TransferError::Write(_))), "{failed:?}");
    drop((source, target));
    there.refuses_to_serve().await;
    database.psql("DROP TRIGGER stay ON muniment.transfer");
    let open = here.open().await;
    let taken = ClaimChange::Take { key: key("later"), stream: stream("later") };
    open.log.append(Commit { claims: vec![taken], ..one(90, "later") }).await.unwrap();
    open.close().await;
    drop(open);
    let moved = try_move(&here, &there).await.unwrap();
    assert!(moved.written > 0 && moved.parts.iter().all(|part| part.from == part.to));
    let again = try_move(&here, &there).await.unwrap();
    assert_eq!((again.parts, again.written), (moved.parts, 0));
    let open = there.open().await;
    assert_eq!(open.log.claim_holder(&key("later")).await.unwrap(), Some(stream("later")));
    open.close().await;
}

/// The replica of another stream, from an attempt that named the wrong one, is not gone on with.
#[tokio::test]
async fn a_stream_that_was_named_by_mistake_leaves_nothing() {
    let here = filled(Place::directory()).await;
    let other = filled(Place::server()).await;
    let Place::Server(_, mistaken) = &other else { unreachable!() };
    for (there, at) in [(Place::server(), "companion.db"), (Place::nodes().await, "rows.db")] {
        let right = match there {
            Place::Server(folder, right) => {
                let there = Place::Server(folder, Arc::clone(mistaken));
                let refused = try_move(&here, &there).await;
                assert!(matches!(refused, Err(TransferError::NotEmpty)), "{refused:?}");
                let Place::Server(folder, _) = there else { unreachable!() };
                Place::Server(folder, right)
            }
            Place::Nodes(folder, right, database) => {
                let there = Place::Nodes(folder, Arc::clone(mistaken), database);
                let refused = try_move(&here, &there).await;
                assert!(matches!(refused, Err(TransferError::NotEmpty)), "{refused:?}");
                let Place::Nodes(folder, _, database) = there else { unreachable!() };
                Place::Nodes(folder, right, database)
            }
            Place::Directory(_) | Place::Database(_) => unreachable!(),
        };
        assert!(right.path().join(at).exists());
        try_move(&here, &right).await.unwrap();
        go_on(&right.open().await).await;
    }
}
