//! postgres-es: what of it is used, and what would lose events.

use cqrs_es::persist::{PersistedEventRepository as _, ReplayStream};
use postgres_es::PostgresEventRepository;

use super::*;
use crate::canonical::CanonicalJson;
use crate::conformance::sample::{commit, event, stream, to};
use crate::position::ExpectedRevision;
use crate::repository::LogRepository;
use crate::repository::tests::Client;

/// So many events that no buffer between the server and a reader holds them.
const EVENTS: usize = 12_000;

/// A log of one long stream, of events of some thousand bytes.
async fn long_stream(log: &PostgresLog) {
    let long = CanonicalJson::from_value(&serde_json::json!({"x": "y".repeat(3_000)})).unwrap();
    for number in 0..EVENTS as u64 / 500 {
        let mut streams = to(stream("a"), ExpectedRevision::Any, &[]);
        for number in number * 500..(number + 1) * 500 {
            streams.events.push(crate::commit::ProposedEvent { data: long.clone(), ..event(number) });
        }
        log.append(commit(number, vec![streams])).await.unwrap();
    }
}

/// Ends every connection of the service.
fn kill_connections(test: &TestDatabase<'_>) {
    test.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
}

/// How many events and how many errors a stream has, if every connection ends after the hundredth.
async fn read_and_kill(mut stream: ReplayStream, test: &TestDatabase<'_>) -> (usize, usize) {
    let (mut events, mut errors) = (0, 0);
    while let Some(event) = stream.next::<Client>(&[]).await {
        match event {
            Ok(_) => events += 1,
            Err(_) => errors += 1,
        }
        if events == 100 {
            kill_connections(test);
        }
    }
    (events, errors)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aggregates_are_loaded_through_postgres_es() {
    let fixture = PostgresFixture::new().await;
    let log = fixture.node();
    for (number, id) in [(1, "a"), (2, "b"), (3, "a"), (4, "a")] {
        log.append(one(number, id)).await.unwrap();
    }
    let repository = LogRepository(Arc::clone(&log) as _);
    let events = repository.get_events::<Client>("a").await.unwrap();
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let entry = log.read_stream(&stream("a"), Revision::NONE, 1).await.unwrap().remove(0).entry;
    assert_eq!(events[0].payload, serde_json::from_slice::<serde_json::Value>(&entry).unwrap());
    assert_eq!((events[0].event_type.as_str(), events[0].event_version.as_str()), ("client.renamed", "1"));
    assert_eq!((events[0].aggregate_type.as_str(), events[0].aggregate_id.as_str()), ("client", "a"));
    assert_eq!(repository.get_last_events::<Client>("a", 2).await.unwrap(), events[2..]);
    assert_eq!(repository.get_events::<Client>("none").await.unwrap(), []);
    assert_eq!(events[0].metadata, serde_json::json!({}));

    fixture
        .test
        .psql("ALTER TABLE log_events DISABLE TRIGGER ALL; DELETE FROM log_events WHERE position = 3");
    let missing = repository.get_events::<Client>("a").await.unwrap_err().to_string();
    assert!(missing.contains("revision 2"), "{missing}");
}

/// The defect that nothing here may lean on: a failure of the database looks like the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_postgres_es_ends_silently_when_its_connection_does() {
    let fixture = PostgresFixture::new().await;
    let log = fixture.node();
    long_stream(&log).await;
    let pool = sqlx::PgPool::connect_with(fixture.database.options().clone()).await.unwrap();
    let stream = PostgresEventRepository::new(pool).stream_events::<Client>("a").await.unwrap();
    let (events, errors) = read_and_kill(stream, &fixture.test).await;
    assert!((100..EVENTS).contains(&events) && errors == 0, "{events} of {EVENTS}, {errors} errors");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_ours_ends_silently_when_its_connection_does() {
    let fixture = PostgresFixture::new().await;
    let log = fixture.node();
    long_stream(&log).await;
    let repository = LogRepository(Arc::clone(&log) as _);

    let stream = repository.stream_events::<Client>("a").await.unwrap();
    let (events, errors) = read_and_kill(stream, &fixture.test).await;
    assert!(errors == 1 || events == EVENTS, "{events} of {EVENTS}, {errors} errors");

    let mut visited = 0;
    let scanned = log.scan(Position::ORIGIN, &mut |_| {
        visited += 1;
        if visited == 100 {
            kill_connections(&fixture.test);
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(scanned, Err(ReadError::Unavailable(_))), "{scanned:?} after {visited}");

    let mut looked_at = 0;
    let verified = log.verify(
        &mut |position| {
            looked_at = position.get();
            if looked_at == 100 {
                kill_connections(&fixture.test);
            }
        },
        &mut |defect| panic!("{defect}"),
    );
    assert!(matches!(verified, Err(ReadError::Unavailable(_))), "{verified:?} after {looked_at}");

    // A load that the killing meets fails, or has them all.
    for _ in 0..5 {
        let mut load = tokio::task::JoinSet::new();
        let loading = repository.clone();
        load.spawn(async move { loading.get_events::<Client>("a").await });
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        kill_connections(&fixture.test);
        if let Ok(events) = load.join_next().await.unwrap().unwrap() {
            assert_eq!(events.len(), EVENTS);
        }
    }
}
