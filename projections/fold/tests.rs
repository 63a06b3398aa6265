use store::{EventLog as _, RecordedEvent};

use super::*;
use crate::digest;
use crate::file::create_tables;
use crate::testing::{Happening, TestLog, client, created, happens, stream};

fn in_memory() -> Fold {
    let connection = Connection::open_in_memory().unwrap();
    create_tables(&connection, &crate::all()).unwrap();
    Fold::open(connection, crate::all()).unwrap()
}

fn unread(events: &[RecordedEvent]) -> Vec<Unread<'_>> {
    events.iter().map(|event| Unread { position: event.position, entry: &event.entry }).collect()
}

fn digests(fold: &Fold) -> Vec<String> {
    fold.projections().map(|projection| digest::of_view(fold.connection(), projection).unwrap()).collect()
}

/// What a fresh fold in one page makes of the events.
fn fresh(events: &[RecordedEvent]) -> Vec<String> {
    let mut fold = in_memory();
    fold.page(&unread(events)).unwrap();
    digests(&fold)
}

async fn history(log: &TestLog) -> Vec<RecordedEvent> {
    for number in 0..20 {
        log.record(Happening::new(
            stream(client(number)),
            domain::ClientEvent::Created(created(&format!("c{number}"))),
        ))
        .await;
        log.client(client(number), happens(number)).await;
    }
    log.log.read_all(Position::ORIGIN, 1_000).await.unwrap()
}

#[tokio::test]
async fn the_size_of_pages_does_not_show() {
    let log = TestLog::new();
    let events = history(&log).await;
    for size in [1, 3, 7] {
        let mut fold = in_memory();
        for page in events.chunks(size) {
            fold.page(&unread(page)).unwrap();
        }
        assert_eq!(digests(&fold), fresh(&events), "pages of {size}");
    }
}

/// All events, in pages of a size, by a fold that holds so many states back; what is undone is read again.
fn held_back(events: &[RecordedEvent], size: usize, most_held: usize) -> Fold {
    let mut fold = in_memory().holding_back(most_held);
    loop {
        let read = usize::try_from(fold.read_to().get()).unwrap();
        let mut pages = events[read..].chunks(size);
        match pages.try_for_each(|page| fold.page(&unread(page))).and_then(|()| fold.settle()) {
            Err(FoldError::Again(_)) => {}
            folded => {
                folded.unwrap();
                return fold;
            }
        }
    }
}

#[tokio::test]
async fn what_is_held_back_does_not_show() {
    let log = TestLog::new();
    history(&log).await;
    log.record(Happening::poison(stream(client(3)))).await;
    for number in 0..20 {
        log.client(client(number), happens(number + 1)).await;
    }
    let events = log.log.read_all(Position::ORIGIN, 1_000).await.unwrap();
    let mut plain = in_memory();
    plain.page(&unread(&events)).unwrap();
    assert!(plain.checkpoints()[0].halt.is_some(), "the view of clients halts half way");
    for events in [&events[..40], &events[..]] {
        for (size, most_held) in [(1, 1), (1, 1_000), (3, 4), (7, 1_000), (1_000, 1)] {
            let fold = held_back(events, size, most_held);
            assert_eq!(digests(&fold), fresh(events), "pages of {size}, {most_held} held");
            assert_eq!(checkpoints(fold.connection(), &crate::all()).unwrap(), fold.checkpoints());
        }
    }
    assert_eq!(held_back(&events, 5, 8).checkpoints(), plain.checkpoints());
}

#[tokio::test]
async fn a_hole_is_refused_and_only_what_stands_before_it_is_kept() {
    let log = TestLog::new();
    let events = history(&log).await;
    let mut fold = in_memory();
    fold.page(&unread(&events[..10])).unwrap();
    let mut page = unread(&events[10..]);
    page.remove(5);
    let error = fold.page(&page).unwrap_err();
    assert_eq!(error.to_string(), "position 16 is missing, 17 follows");
    let again = fold.page(&unread(&events[..10])).unwrap_err();
    assert_eq!(again.to_string(), "position 16 is missing, 1 follows", "no event is folded twice");
    assert_eq!(digests(&fold), fresh(&events[..15]));
    fold.page(&unread(&events[15..])).unwrap();
    assert_eq!(digests(&fold), fresh(&events));
}

#[tokio::test]
async fn a_page_that_cannot_be_written_leaves_no_trace_and_is_folded_once_later() {
    let log = TestLog::new();
    let events = history(&log).await;
    let mut fold = in_memory();
    fold.page(&unread(&events[..4])).unwrap();
    let pages: i64 = fold.connection().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    fold.connection().execute_batch(&format!("PRAGMA max_page_count = {pages}")).unwrap();
    let error = fold.page(&unread(&events[4..])).unwrap_err();
    assert!(matches!(error, FoldError::Database(_)), "{error:?}");
    assert_eq!(digests(&fold), fresh(&events[..4]));
    assert!(fold.checkpoints().iter().all(|view| view.position == Position::new(4) && view.halt.is_none()));

    fold.connection().execute_batch("PRAGMA max_page_count = 100000").unwrap();
    fold.page(&unread(&events[4..])).unwrap();
    assert_eq!(digests(&fold), fresh(&events));
}

#[tokio::test]
async fn a9_events_before_the_one_that_fails_are_kept() {
    let log = TestLog::new();
    let mut events = history(&log).await;
    let good = events.len();
    log.record(Happening::poison(stream(client(3)))).await;
    log.client(client(4), happens(5)).await;
    events = log.log.read_all(Position::ORIGIN, 1_000).await.unwrap();
    let mut fold = in_memory();
    fold.page(&unread(&events)).unwrap();
    let [clients, audit, ..] = &fold.checkpoints()[..] else { panic!("two views") };
    assert_eq!(clients.position, events[good - 1].position);
    assert_eq!(clients.halt.as_ref().unwrap().position, events[good].position);
    assert_eq!((audit.position, &audit.halt), (events.last().unwrap().position, &None));
    assert_eq!(digests(&fold)[0], fresh(&events[..good])[0]);
    assert_eq!(checkpoints(fold.connection(), &crate::all()).unwrap(), fold.checkpoints());
}

#[tokio::test]
async fn a9_an_event_of_an_aggregate_that_does_not_follow_halts() {
    let log = TestLog::new();
    for (happening, cause) in [
        (Happening::new(stream(client(1)), happens(0)), "`client.name_changed` before the client exists"),
        (Happening::raw("client-x", "client.enabled", 1, serde_json::json!({})), "`x` is no id of a client"),
        (
            Happening::new(stream(client(2)), domain::registry::RegistryEvent::CommandRefused(refused())),
            "`command.refused` is no event of a client",
        ),
    ] {
        let position = log.record(happening).await;
        let events = log.log.read_all(Position::ORIGIN, 1_000).await.unwrap();
        let mut fold = in_memory();
        fold.stop_at(|_| Position::new(position.get() - 1));
        fold.views[0].checkpoint.position = Position::new(position.get() - 1);
        fold.views[0].until = position;
        fold.page(&unread(&events)).unwrap();
        let halt = fold.checkpoints()[0].halt.clone().unwrap();
        assert_eq!((halt.position, halt.cause.as_str()), (position, cause));
    }
}

fn refused() -> domain::registry::CommandRefused {
    domain::registry::CommandRefused {
        command: "ChangeClient".into(),
        subject: None,
        problem: "forbidden".into(),
        errors: Vec::new(),
    }
}

#[tokio::test]
async fn a9_an_entry_that_is_none_halts_every_view_before_it() {
    let log = TestLog::new();
    let mut events = history(&log).await;
    events[7].entry = b"{\"actor\":".to_vec();
    let mut fold = in_memory();
    fold.page(&unread(&events)).unwrap();
    for view in fold.checkpoints() {
        assert_eq!((view.position, view.halt.unwrap().position), (Position::new(7), Position::new(8)));
    }
    assert_eq!(digests(&fold), fresh(&events[..7]));
}

#[tokio::test]
async fn views_that_stop_at_different_places_catch_up() {
    let log = TestLog::new();
    let events = history(&log).await;
    let mut fold = in_memory();
    fold.stop_at(|view| Position::new(if view == crate::clients::NAME { 5 } else { 9 }));
    fold.page(&unread(&events)).unwrap();
    assert_eq!(fold.checkpoints().iter().map(|view| view.position.get()).collect::<Vec<_>>()[..2], [5, 9]);
    fold.stop_at(|_| Position::new(u64::MAX));
    assert_eq!(fold.read_to(), Position::new(5));
    fold.page(&unread(&events[5..])).unwrap();
    assert_eq!(digests(&fold), fresh(&events));
}
