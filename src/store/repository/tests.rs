use cqrs_es::DomainEvent;
use cqrs_es::event_sink::EventSink;

use super::*;
use crate::clock::SystemClock;
use crate::conformance::sample::{one, stream};
use crate::sqlite::{DataDirectory, SqliteLog};

#[derive(Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Client;

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Renamed {
    at: String,
    data: Value,
}

#[derive(Debug, thiserror::Error)]
#[error("nothing is decided here")]
pub(crate) struct Undecided;

impl DomainEvent for Renamed {
    fn event_type(&self) -> String {
        "client.renamed".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Client {
    const TYPE: &'static str = "client";
    type Command = ();
    type Event = Renamed;
    type Error = Undecided;
    type Services = ();

    async fn handle(&mut self, (): (), (): &(), _sink: &EventSink<Self>) -> Result<(), Undecided> {
        Err(Undecided)
    }

    fn apply(&mut self, _event: Renamed) {}
}

/// A log of five events, of which `client-a` has three.
async fn repository() -> (tempfile::TempDir, std::path::PathBuf, LogRepository) {
    let parent = tempfile::tempdir().unwrap();
    let directory = DataDirectory::open(&parent.path().join("data")).unwrap();
    let log = SqliteLog::open(&directory, Arc::new(SystemClock)).unwrap();
    for (number, id) in [(1, "a"), (2, "b"), (3, "a"), (4, "a")] {
        log.append(one(number, id)).await.unwrap();
    }
    let mut other = one(5, "a");
    other.streams[0].stream = "member-a".parse().unwrap();
    log.append(other).await.unwrap();
    let file = directory.path().join("log.db");
    (parent, file, LogRepository(Arc::new(log)))
}

#[tokio::test]
async fn an_aggregate_is_loaded_with_whole_entries() {
    let (_parent, _file, repository) = repository().await;
    let events = repository.get_events::<Client>("a").await.unwrap();
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    let first = &events[0];
    assert_eq!((first.aggregate_type.as_str(), first.aggregate_id.as_str()), ("client", "a"));
    assert_eq!((first.event_type.as_str(), first.event_version.as_str()), ("client.renamed", "1"));
    let entry = repository.0.read_stream(&stream("a"), Revision::NONE, 1).await.unwrap().remove(0).entry;
    assert_eq!(first.payload, serde_json::from_slice::<Value>(&entry).unwrap());
    assert_eq!(repository.get_last_events::<Client>("a", 2).await.unwrap(), events[2..]);
    assert_eq!(repository.get_events::<Client>("none").await.unwrap(), []);
    assert!(repository.get_snapshot::<Client>("a").await.unwrap().is_none());
    assert!(
        repository
            .persist::<Client>(&events, None)
            .await
            .unwrap_err()
            .to_string()
            .contains("EventLog::append")
    );
}

#[tokio::test]
async fn a_replay_is_in_commit_order_and_of_one_type() {
    let (_parent, _file, repository) = repository().await;
    let mut all = repository.stream_all_events::<Client>().await.unwrap();
    let mut places = Vec::new();
    while let Some(event) = all.next::<Client>(&[]).await {
        let event = event.unwrap();
        places.push((event.aggregate_id, event.sequence));
    }
    assert_eq!(
        places,
        [("a", 1), ("b", 1), ("a", 2), ("a", 3)].map(|(id, sequence)| (id.to_owned(), sequence))
    );
    let mut one = repository.stream_events::<Client>("b").await.unwrap();
    assert_eq!(one.next::<Client>(&[]).await.unwrap().unwrap().sequence, 1);
    assert!(one.next::<Client>(&[]).await.is_none());
}

#[tokio::test]
async fn a_replay_never_ends_silently_at_a_hole() {
    let (_parent, file, repository) = repository().await;
    let raw = rusqlite::Connection::open(file).unwrap();
    raw.execute_batch("DROP TRIGGER events_are_not_removed; DELETE FROM events WHERE position = 3").unwrap();
    assert!(repository.get_events::<Client>("a").await.is_err());
    let mut stream = repository.stream_all_events::<Client>().await.unwrap();
    let mut last = None;
    while let Some(event) = stream.next::<Client>(&[]).await {
        last = Some(event.is_err());
    }
    assert_eq!(last, Some(true));
}
