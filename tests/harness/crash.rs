//! Killing the service at random moments under mixed commands, and proving that nothing answered is lost and nothing
//! is half there.

use std::time::Duration;

use crate::{
    Service,
    load::{Load, feed},
};

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// How often the service was killed.
    pub kills: usize,
    /// Commands that were answered as done.
    pub answered: usize,
    /// Commands that the kill left without an answer.
    pub unanswered: usize,
    /// Of those, how many were in the log all the same.
    pub recorded_unanswered: usize,
    /// Commands that a rule refused.
    pub refused: usize,
    /// The log's head at the end.
    pub head: u64,
}

/// Kills the service `kills` times and checks everything after each of them.
pub async fn run(service: &mut Service, kills: usize, seed: u64) -> Tally {
    let mut load = Load::new(seed);
    for _ in 0..kills {
        let workers = load.begin(&[service]);
        tokio::time::sleep(Duration::from_millis(load.random().u64(5..400))).await;
        service.kill().await;
        workers.end().await;
        service.launch().await;
        load.check_answered(service).await;
        load.repeat_unanswered(service).await;
        service.verify();
    }
    Tally {
        kills,
        answered: load.answered().await,
        unanswered: load.unanswered,
        recorded_unanswered: load.recorded_unanswered,
        refused: load.refused(),
        head: feed(service, 0).await.len() as u64,
    }
}
