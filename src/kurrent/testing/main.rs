//! The server for tests as a program: it prints its connection string, and serves until its standard input ends.

use std::io::{Read as _, Write as _, stdin, stdout};

use kurrent::testing::KurrentServer;

fn main() -> std::io::Result<()> {
    let server = KurrentServer::start()?;
    let mut out = stdout();
    writeln!(out, "{}", server.url())?;
    out.flush()?;
    // Whoever started it holds the other end, and takes it along.
    stdin().read_to_end(&mut Vec::new()).map(drop)
}
