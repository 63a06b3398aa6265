//! Histories drawn at random, many and long: `cargo run --release -p tests --example model -- [CASES] [STEPS]`.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a script that prints its figures")]

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |name: &str| arguments.next().map(|text| text.parse::<u32>().expect(name));
    let cases = number("how many histories is a number").unwrap_or(100);
    let steps = number("how long they are is a number").unwrap_or(200);
    println!("{cases} histories of up to {steps} steps");
    tests::model::play(cases, usize::try_from(steps).expect("a count"));
    println!("every answer and every state, now and at past positions, was that of the model");
}
