//! Several nodes on one database.

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::commit::{ClaimChange, DisclosureKey};
use crate::conformance::sample::{command_id, commit, disclosure, key, stream, to};
use crate::error::InvalidCommit;
use crate::position::ExpectedRevision;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_race_leave_no_hole_and_record_each_command_once() {
    let fixture = PostgresFixture::new().await;
    let nodes = [fixture.node(), fixture.node(), fixture.node()];
    let mut tasks = tokio::task::JoinSet::new();
    for (number, node) in nodes.iter().enumerate() {
        for writer in 0..4_u64 {
            let node = Arc::clone(node);
            tasks.spawn(async move {
                let mut recorded = Vec::new();
                for round in 0..25 {
                    // Every node is sent every command: one of them records it.
                    let command = writer * 1_000 + round;
                    match node.append(one(command, &format!("s{writer}"))).await {
                        Ok(receipt) => recorded.push((number, receipt.position)),
                        Err(AppendError::DuplicateCommand(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                recorded
            });
        }
    }
    let mut positions = HashSet::new();
    let mut recorded_by = HashSet::new();
    while let Some(recorded) = tasks.join_next().await {
        for (node, position) in recorded.unwrap() {
            assert!(positions.insert(position), "{position} was given twice");
            recorded_by.insert(node);
        }
    }
    assert_eq!(positions.len(), 100);
    assert!(recorded_by.len() > 1, "one node recorded everything: that is no race");
    check_log(nodes[0].as_ref(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_expect_the_same_one_wins() {
    let fixture = PostgresFixture::new().await;
    let nodes = [fixture.node(), fixture.node()];
    for round in 0..50_u64 {
        let attempt = |node: usize| {
            let name = stream(&format!("r{round}"));
            let mut commit = commit(
                round * 2 + node as u64,
                vec![to(name.clone(), ExpectedRevision::Exact(Revision::NONE), &[round])],
            );
            commit.claims = vec![ClaimChange::Take { key: key(&format!("k{round}")), stream: name }];
            nodes[node].append(commit)
        };
        let (first, second) = tokio::join!(attempt(0), attempt(1));
        let lost = match (first, second) {
            (Ok(_), Err(lost)) | (Err(lost), Ok(_)) => lost,
            (first, second) => panic!("{first:?}, {second:?}"),
        };
        assert!(matches!(lost, AppendError::WrongExpectedRevision { .. }), "{lost}");
    }
    check_log(nodes[0].as_ref(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_acknowledged_every_other_knows_at_once() {
    let fixture = PostgresFixture::new().await;
    let (writer, reader) = (fixture.node(), fixture.node());
    for round in 1..=200_u64 {
        let receipt = writer.append(one(round, &format!("s{}", round % 3))).await.unwrap();
        let (name, revision) = &receipt.revisions[0];
        // Once by the head, once by the stream alone; sometimes known before, sometimes not.
        if round % 2 == 0 {
            assert_eq!(reader.head().await.unwrap(), receipt.position);
        }
        assert_eq!(reader.stream_revision(name).await.unwrap(), *revision, "round {round}");
        assert_eq!(reader.now(), receipt.at);
        assert!(reader.find_command(command_id(round)).await.unwrap().is_some());
    }
    check_log(reader.as_ref(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_hears_of_another_node_before_it_polls() {
    let fixture = PostgresFixture::new().await;
    let (writer, reader) = (fixture.node(), fixture.node());
    writer.append(one(1, "a")).await.unwrap();
    let mut feed = reader.subscribe(Position::ORIGIN);
    feed.next_page(9).await.unwrap();
    let mut waits = Vec::new();
    for number in 2..=6 {
        let receipt = writer.append(one(number, "a")).await.unwrap();
        let begun = std::time::Instant::now();
        assert_eq!(feed.next_page(9).await.unwrap()[0].position, receipt.position);
        waits.push(begun.elapsed());
    }
    waits.sort_unstable();
    assert!(waits[2] < Duration::from_millis(500), "{waits:?}");
}

#[tokio::test]
async fn clocks_that_differ_a_little_are_not_said_to_have_gone_back() {
    let fixture = PostgresFixture::new().await;
    let node = fixture.node();
    let first = node.append(one(1, "a")).await.unwrap();
    fixture.clock.advance(jiff::SignedDuration::from_secs(-5));
    let second = node.append(one(2, "a")).await.unwrap();
    assert_eq!((second.position, second.at), (Position::new(2), first.at));
    fixture.clock.advance(jiff::SignedDuration::from_micros(-1));
    assert_eq!(node.append(one(3, "a")).await.unwrap().position, Position::new(4));
    check_log(node.as_ref(), 4);
}

#[tokio::test]
async fn one_node_leads_until_it_is_gone() {
    let fixture = PostgresFixture::new().await;
    let (first, second) = (fixture.node(), fixture.node());
    assert!(first.leads().await);
    assert!(first.leads().await);
    assert!(!second.leads().await);
    first.close().await;
    wait_to_lead(&second).await;
    // Without its connection it is not known who leads: nobody does, then anybody.
    fixture.test.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    assert!(!second.leads().await);
    wait_to_lead(&second).await;
}

/// The server frees a lock when it notices that a connection has ended.
async fn wait_to_lead(node: &PostgresLog) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !node.leads().await {
        assert!(std::time::Instant::now() < deadline, "nobody leads");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_assumes_without_asking_it_takes_back() {
    let fixture = PostgresFixture::new().await;
    let before = fixture.node();
    let with_key = |command, slot| {
        let mut commit =
            Commit { disclosures: vec![disclosure("d", DisclosureKey::Event(slot))], ..one(command, "a") };
        commit.streams[0].events[0].private = vec!["d".to_owned()];
        commit
    };
    before.append(Commit { credentials: vec![credential("s")], ..with_key(1, 1) }).await.unwrap();
    // A node that knows nothing of that, and has been alone for long enough to ask for nothing any more.
    let node = fixture.node();
    for number in 2..=40 {
        node.append(one(number, "other")).await.unwrap();
    }
    let new = |command| commit(command, vec![to(stream("a"), ExpectedRevision::NoStream, &[command])]);
    let refused = node.append(new(50)).await.unwrap_err();
    assert!(
        matches!(refused, AppendError::WrongExpectedRevision { actual, .. } if actual == Revision::new(1)),
        "{refused}"
    );
    let refused =
        node.append(Commit { credentials: vec![credential("s")], ..one(51, "other") }).await.unwrap_err();
    assert!(matches!(refused, AppendError::Invalid(InvalidCommit::CredentialExists(_))), "{refused}");
    let refused = node.append(with_key(52, 1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Invalid(InvalidCommit::EventKeyUsed(1))), "{refused}");
    let refused = node.append(one(1, "other")).await.unwrap_err();
    assert!(matches!(refused, AppendError::DuplicateCommand(_)), "{refused}");
    // Together, so that one that is wrong is not the ruin of those that are right.
    let (wrong, right) = tokio::join!(node.append(new(53)), node.append(one(54, "other")));
    assert!(wrong.is_err() && right.is_ok(), "{wrong:?}, {right:?}");
    // And what another node wrote meanwhile is no guess either.
    before.append(one(55, "other")).await.unwrap();
    assert_eq!(node.append(one(56, "other")).await.unwrap().revisions[0].1, Revision::new(42));
    check_log(node.as_ref(), 43);
}
