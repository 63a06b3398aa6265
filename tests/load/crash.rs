//! `kill -9` at random moments, many times: `cargo run --release -p tests --example crash -- [KILLS] [SEED]`.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a script that prints its figures")]

use tests::{Service, crash};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |name: &str| arguments.next().map(|text| text.parse::<u64>().expect(name));
    let kills = number("how often to kill is a number").unwrap_or(200);
    let seed = number("the seed is a number").unwrap_or_else(|| fastrand::u64(..));
    println!("killing {kills} times, seed {seed}");
    let mut service = Service::start().await;
    let tally = crash::run(&mut service, usize::try_from(kills).expect("a count"), seed).await;
    service.finish().await;
    println!("{tally:?}");
    println!(
        "every answered command is in the log at its position, none twice, none half; positions dense; views equal a replay"
    );
}
