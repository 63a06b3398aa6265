//! Requests drawn from the API's description, for ten minutes:
//! `cargo run --release -p tests --example schemathesis -- [SECONDS]`.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a script that prints its figures")]

use tests::{Service, schemathesis};

#[tokio::main]
async fn main() {
    let seconds = std::env::args().nth(1).map_or(600, |text| text.parse().expect("seconds are a number"));
    let service = Service::start().await;
    schemathesis::draw(&service, seconds).await;
    service.finish().await;
    println!("no failure of the service, no answer outside the description");
}
