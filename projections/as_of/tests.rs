use proptest::prelude::*;

use super::*;
use crate::clients;
use crate::testing::{
    Happening, IntoEvent as _, TestLog, client, created, deleted, happens, seconds_after_start, stream,
};

#[tokio::test]
async fn before_its_first_event_a_client_is_none() {
    let log = TestLog::new();
    log.client(client(1), created("First").into_event()).await;
    let position = log.client(client(2), created("Second").into_event()).await;
    let at = |moment| client_as_of(&*log.log, client(2), moment);
    assert_eq!(at(Moment::Position(Position::new(1))).await.unwrap(), None);
    assert_eq!(at(Moment::Time(seconds_after_start(1))).await.unwrap(), None);
    assert_eq!(at(Moment::Time(seconds_after_start(2))).await.unwrap().unwrap().position, position);
    assert_eq!(client_as_of(&*log.log, client(3), Moment::Position(position)).await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_longer_than_a_page_is_folded_whole() {
    let log = TestLog::new();
    log.client(client(1), created("Busy").into_event()).await;
    let changes = (0..2 * PAGE as u64).map(|choice| Happening::new(stream(client(1)), happens(choice)));
    let last = log.record_all(changes.collect()).await;
    let row = client_as_of(&*log.log, client(1), Moment::Position(last)).await.unwrap().unwrap();
    assert_eq!((row.revision.get(), row.position), (2 * PAGE as u64 + 1, last));
}

#[tokio::test]
async fn a9_a_stream_that_cannot_be_folded_is_an_error_and_no_older_state() {
    let log = TestLog::new();
    log.client(client(1), created("Matter sync").into_event()).await;
    let poison = log.record(Happening::poison(stream(client(1)))).await;
    let at = |position| client_as_of(&*log.log, client(1), Moment::Position(position));
    assert!(at(Position::new(1)).await.unwrap().is_some());
    assert!(matches!(at(poison).await, Err(QueryError::Fold(ApplyError::Decode(_)))));
    let replayed = replay(&*log.log, Moment::Position(poison)).unwrap();
    assert_eq!(replayed.checkpoints[0].halt.as_ref().unwrap().position, poison);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The view at each position, the whole log replayed to it, and the one stream folded to it tell the same.
    #[test]
    fn the_past_is_what_the_view_showed_then(history in prop::collection::vec((0_u64..4, 0_u64..90), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let log = TestLog::new();
        let mut existing = std::collections::HashSet::new();
        for (number, choice) in history {
            let event = if existing.insert(number) {
                created(&format!("Client {number}")).into_event()
            } else if choice > 85 {
                deleted()
            } else {
                happens(choice)
            };
            let position = runtime.block_on(log.client(client(number), event));
            let at = seconds_after_start(i64::try_from(position.get()).unwrap());
            for moment in [Moment::Position(position), Moment::Time(at)] {
                let replayed = replay(&*log.log, moment).unwrap();
                prop_assert_eq!(replayed.position, position);
                for number in 0..4 {
                    let shown = clients::get(&replayed.reader, client(number)).unwrap();
                    let folded = runtime.block_on(client_as_of(&*log.log, client(number), moment)).unwrap();
                    prop_assert_eq!(shown, folded);
                }
            }
        }
        // Looking back from the end finds at each position what was shown when it was the newest.
        let head = runtime.block_on(log.head());
        for position in (0..=head.get()).map(Position::new) {
            let replayed = replay(&*log.log, Moment::Position(position)).unwrap();
            for number in 0..4 {
                let shown = clients::get(&replayed.reader, client(number)).unwrap();
                let folded = runtime.block_on(client_as_of(&*log.log, client(number), Moment::Position(position))).unwrap();
                prop_assert_eq!(shown, folded);
            }
        }
    }
}
