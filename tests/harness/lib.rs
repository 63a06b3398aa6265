//! The harness of the end-to-end tests: the real binary, on a fresh directory and a free port, spoken to over HTTP.
//!
//! Every test ends with [`Service::finish`], which stops the service and proves that the log verifies and that the
//! views equal a replay.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a harness reports by panicking: the test fails and says why"
)]

pub mod backend;
pub mod browser;
pub mod crash;
pub mod http;
pub mod keys;
pub mod load;
pub mod model;
pub mod npm;
pub mod oauth;
pub mod python;
pub mod schemathesis;
pub mod service;

/// Where cargo builds.
///
/// # Panics
/// If this is neither a test nor an example.
#[must_use]
pub fn target() -> std::path::PathBuf {
    let own = std::env::current_exe().expect("a test has a path");
    // Tests and examples are `target/<profile>/<kind>/<name>`.
    own.ancestors().nth(3).expect("tests are built in a target directory").to_owned()
}

pub use http::{Answer, client_body};
pub use service::{Service, binary, muniment, muniment_with};
