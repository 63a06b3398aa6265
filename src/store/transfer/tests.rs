//! Every way between the places that there are, stopped after each step, with everything in the log that there can be.

mod history;
mod place;
mod refusals;

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use self::history::{fill, go_on};
use self::place::Place;
use super::*;

/// A side that fails at a write; half of the time after it has been done.
struct Failing {
    side: Box<dyn Side>,
    writes: AtomicUsize,
    fails_at: usize,
}

impl Failing {
    fn new(side: Box<dyn Side>, fails_at: usize) -> Self {
        Self { side, writes: AtomicUsize::new(0), fails_at }
    }

    async fn write(
        &self,
        write: impl Future<Output = Result<(), TransferError>>,
    ) -> Result<(), TransferError> {
        let number = self.writes.fetch_add(1, SeqCst) + 1;
        let failed = || TransferError::Write(std::sync::Arc::new(std::fmt::Error));
        // Odd ones are lost, of even ones the answer is.
        if number == self.fails_at && number % 2 == 1 {
            return Err(failed());
        }
        write.await?;
        if number == self.fails_at { Err(failed()) } else { Ok(()) }
    }
}

#[async_trait]
impl Side for Failing {
    async fn log_id(&self) -> Result<Uuid, TransferError> {
        self.side.log_id().await
    }

    async fn is_unfinished(&self) -> Result<bool, TransferError> {
        self.side.is_unfinished().await
    }

    async fn count(&self, part: Part) -> Result<u64, TransferError> {
        self.side.count(part).await
    }

    async fn rows(&self, part: Part, which: Which<'_>, limit: usize) -> Result<Vec<Row>, TransferError> {
        self.side.rows(part, which, limit).await
    }

    async fn begin(&self, log_id: Uuid) -> Result<(), TransferError> {
        self.write(self.side.begin(log_id)).await
    }

    async fn replace(&self, part: Part, gone: &[Row], added: &[Row]) -> Result<(), TransferError> {
        self.write(self.side.replace(part, gone, added)).await
    }

    async fn verify(
        &self,
        progress: &mut (dyn FnMut(Position) + Send),
        report: &mut (dyn FnMut(Defect) + Send),
    ) -> Result<Verified, TransferError> {
        self.side.verify(progress, report).await
    }

    async fn finish(&self) -> Result<(), TransferError> {
        self.write(self.side.finish()).await
    }
}

async fn moved(from: &Place, to: &Place) -> Transferred {
    let (source, target) = (from.source().await, to.target().await);
    transfer(source.as_ref(), target.as_ref(), &mut |_, _, _| ()).await.unwrap()
}

/// Everything arrives, is served from, and goes on where it was; then it comes back.
async fn there_and_back(here: Place, there: Place) {
    fill(&here.open().await).await;
    let moved_there = moved(&here, &there).await;
    for Compared { part, from, to } in &moved_there.parts {
        assert_eq!(from, to, "{part}");
        assert!(to.rows > 0, "the history has {part}");
    }
    assert_eq!(moved_there.written, moved_there.parts.iter().map(|part| part.to.rows).sum::<u64>());

    let again = moved(&here, &there).await;
    assert_eq!((again.parts, again.written), (moved_there.parts.clone(), 0), "it is compared only");

    go_on(&there.open().await).await;
    let back = Place::directory();
    let moved_back = moved(&there, &back).await;
    let rows = |moved: &Transferred| moved.parts.iter().map(|part| part.to.rows).sum::<u64>();
    assert!(rows(&moved_back) > rows(&moved_there));
    go_on(&back.open().await).await;
}

#[tokio::test]
async fn between_directories_and_back() {
    there_and_back(Place::directory(), Place::directory()).await;
}

#[tokio::test]
async fn from_a_directory_to_a_database_and_back() {
    there_and_back(Place::directory(), Place::database().await).await;
}

#[tokio::test]
async fn from_a_directory_to_a_server_of_events_and_back() {
    there_and_back(Place::directory(), Place::server()).await;
}

#[tokio::test]
async fn from_a_database_to_a_server_of_events_and_back() {
    there_and_back(Place::database().await, Place::server()).await;
}

#[tokio::test]
async fn from_a_server_of_events_to_a_database_and_back() {
    there_and_back(Place::server(), Place::database().await).await;
}

#[tokio::test]
async fn from_a_server_of_events_to_another_and_back() {
    there_and_back(Place::server(), Place::server()).await;
}

#[tokio::test]
async fn from_a_directory_to_several_nodes_on_a_server_of_events_and_back() {
    there_and_back(Place::directory(), Place::nodes().await).await;
}

#[tokio::test]
async fn from_several_nodes_on_a_server_of_events_to_one_and_back() {
    there_and_back(Place::nodes().await, Place::server()).await;
}

#[tokio::test]
async fn from_a_database_to_a_directory_and_back() {
    there_and_back(Place::database().await, Place::directory()).await;
}

#[tokio::test]
async fn between_databases_and_back() {
    there_and_back(Place::database().await, Place::database().await).await;
}

/// Cut off at each write, before or after it was done: nobody serves meanwhile, and it goes on until it is done.
async fn cut_off_at_each_write(here: Place, there: Place) {
    fill(&here.open().await).await;
    let mut cut_off = 0;
    // The second write of an attempt is done, and its answer lost; the first of every fifth is not even done.
    let moved = loop {
        let fails_at = if cut_off % 5 == 4 { 1 } else { 2 };
        let (source, target) = (here.source().await, Failing::new(there.target().await, fails_at));
        match transfer(source.as_ref(), &target, &mut |_, _, _| ()).await {
            Ok(moved) => break moved,
            Err(TransferError::Write(_)) => cut_off += 1,
            Err(error) => panic!("attempt {cut_off}: {error}"),
        }
        let last_of_all = !target.is_unfinished().await.unwrap();
        drop((source, target));
        if last_of_all {
            let again = moved(&here, &there).await;
            assert_eq!(again.written, 0, "only the answer was lost");
            break again;
        }
        there.refuses_to_serve().await;
        assert!(cut_off < 500);
    };
    assert!(cut_off > 20, "{cut_off}");
    assert!(moved.parts.iter().all(|part| part.from == part.to && part.to.rows > 0));
    go_on(&there.open().await).await;
}

#[tokio::test]
async fn a_directory_that_is_cut_off_goes_on() {
    cut_off_at_each_write(Place::database().await, Place::directory()).await;
}

#[tokio::test]
async fn a_server_of_events_that_is_cut_off_goes_on() {
    cut_off_at_each_write(Place::directory(), Place::server()).await;
}

#[tokio::test]
async fn several_nodes_on_a_server_of_events_that_are_cut_off_go_on() {
    cut_off_at_each_write(Place::directory(), Place::nodes().await).await;
}

#[tokio::test]
async fn a_database_that_is_cut_off_goes_on() {
    cut_off_at_each_write(Place::directory(), Place::database().await).await;
}
