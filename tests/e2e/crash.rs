//! `kill -9` at random moments.

use tests::{Service, crash};

#[tokio::test]
async fn a1_20_kills_under_mixed_commands_lose_nothing_that_was_answered() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut service = Service::start().await;
    let tally = crash::run(&mut service, 20, seed).await;
    println!("{tally:?}");
    assert_eq!(tally.kills, 20);
    assert!(tally.answered > 20, "the kills met no work: {tally:?}");
    service.finish().await;
}
