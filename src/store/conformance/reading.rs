//! Reading: nothing missing, nothing reordered, nothing changed.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::sample::{one, stream};
use super::{Fixture, check_log};
use crate::position::{Position, Revision};

/// What was read before closing is read after opening.
pub async fn entries_survive_reopening_byte_for_byte(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    for number in 1..=20 {
        log.append(one(number, &format!("s{}", number % 3))).await.unwrap();
    }
    let before = log.read_all(Position::ORIGIN, 100).await.unwrap();
    drop(log);
    let log = fixture.open().await;
    assert_eq!(log.read_all(Position::ORIGIN, 100).await.unwrap(), before);
    assert_eq!(log.head().await.unwrap(), Position::new(20));
    check_log(log.as_ref(), 20);
}

/// Readers follow while writers write: each sees every position, in order, and what it has seen stays.
pub async fn a_reader_never_sees_a_gap(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..4_u64 {
        let log = Arc::clone(&log);
        tasks.spawn(async move {
            for number in 0..100 {
                log.append(one(writer * 1_000 + number, &format!("w{writer}"))).await.unwrap();
            }
        });
    }
    for limit in [1, 7] {
        let mut feed = log.subscribe(Position::ORIGIN);
        tasks.spawn(async move {
            let mut next = Position::new(1);
            while next <= Position::new(400) {
                for event in feed.next_page(limit).await.unwrap() {
                    assert_eq!(event.position, next);
                    next = next.next();
                }
            }
        });
    }
    while let Some(joined) = tasks.join_next().await {
        joined.unwrap();
    }
    check_log(log.as_ref(), 400);
}

/// The same events by page, by stream and by scan; ends and limits are kept.
pub async fn pages_and_scans_agree(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    for number in 1..=30 {
        log.append(one(number, &format!("s{}", number % 2))).await.unwrap();
    }
    let all = log.read_all(Position::ORIGIN, 100).await.unwrap();
    let mut scanned = Vec::new();
    let last = log.scan(Position::new(3), &mut |event| {
        scanned.push((event.position, event.revision, event.entry.to_vec()));
        if event.position == Position::new(28) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(last.unwrap(), Position::new(28));
    let paged: Vec<_> =
        all[3..28].iter().map(|event| (event.position, event.revision, event.entry.clone())).collect();
    assert_eq!(scanned, paged);
    let odd: Vec<_> = all.iter().filter(|event| event.stream == stream("s1")).cloned().collect();
    assert_eq!(log.read_stream(&stream("s1"), Revision::NONE, 100).await.unwrap(), odd);
    assert_eq!(log.read_stream(&stream("s1"), Revision::new(5), 3).await.unwrap(), odd[5..8]);
    assert_eq!(log.read_stream(&stream("s1"), Revision::new(u64::MAX), 3).await.unwrap(), []);
    assert_eq!(log.read_stream(&stream("none"), Revision::NONE, 3).await.unwrap(), []);
    assert_eq!(log.read_all(Position::new(30), 3).await.unwrap(), []);
    check_log(log.as_ref(), 30);
}

/// From the origin, from the middle, and from the head, where it waits for the next commit.
pub async fn a_subscription_starts_anywhere_and_waits(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    for number in 1..=5 {
        log.append(one(number, "a")).await.unwrap();
    }
    for after in 0..=4 {
        let mut feed = log.subscribe(Position::new(after));
        let page = feed.next_page(2).await.unwrap();
        assert_eq!(page[0].position, Position::new(after + 1));
        assert_eq!(feed.position(), page[page.len() - 1].position);
    }
    let mut feed = log.subscribe(Position::new(5));
    let (page, receipt) = tokio::join!(feed.next_page(10), log.append(one(6, "a")));
    assert_eq!(page.unwrap()[0].position, receipt.unwrap().position);
    check_log(log.as_ref(), 6);
}

/// Those of the category and no others, by name, from anywhere.
pub async fn streams_of_a_category_are_listed_by_name(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    for (number, name) in ["b", "a", "c.x", "c-x"].into_iter().enumerate() {
        log.append(one(number as u64, name)).await.unwrap();
        log.append(one(100 + number as u64, name)).await.unwrap();
    }
    let category = stream("a").category().to_owned();
    let sorted = ["a", "b", "c-x", "c.x"].map(stream);
    assert_eq!(log.streams(&category, None, 10).await.unwrap(), sorted);
    assert_eq!(log.streams(&category, Some(&stream("a")), 2).await.unwrap(), sorted[1..3]);
    assert_eq!(log.streams(&category, Some(&stream("c.x")), 2).await.unwrap(), []);
    let shorter = &category[..category.len() - 1];
    assert_eq!(log.streams(shorter, None, 10).await.unwrap(), []);
    check_log(log.as_ref(), 8);
}
