//! Commands and authentications of one, two and three nodes behind one PostgreSQL:
//! `cargo run --release -p tests --example nodes -- [SECONDS] [ROUNDS]`.
//!
//! Each round begins with an empty database and one node, which is asked by one connection and then by as many as all
//! rounds have; then another node joins, and the same connections are spread over all. Nodes, callers and the server share the
//! machine. The binary is `MUNIMENT_TEST_BINARY`, or what cargo builds from this tree with optimisation.
#![expect(clippy::print_stdout, reason = "a script that prints its figures")]

mod asking;
mod connection;
#[path = "../benches/commands/measure.rs"]
#[expect(dead_code, reason = "the other scripts use the rest")]
mod measure;
mod measuring;
mod switching;

use std::{fs, time::Duration};

use store::testing::PostgresServer;
use tests::{Service, backend};

use crate::{
    asking::{Asked, asking, own},
    measure::{Result, Sample, Subject, drive, load_average},
    measuring::is_measuring,
    switching::{connect, create_clients},
};

const CONNECTIONS: usize = 48;
const NODES: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !is_measuring(&arguments)? {
        return Ok(());
    }
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let time = Duration::from_secs(numbers.next().unwrap_or(4));
    let rounds = numbers.next().unwrap_or(3);
    let server = PostgresServer::start();
    let mut lone = Subject::new("commands, one node, 1 connection");
    let mut subjects: Vec<_> = (1..=NODES)
        .map(|nodes| {
            let of = |what| Subject::new(format!("{what}, {nodes} nodes, {CONNECTIONS} connections"));
            (of("commands"), of("right secrets"))
        })
        .collect();
    for round in 1..=rounds {
        let database = server.database().await;
        let mut environment = backend::on(&database);
        environment.push(("MUNIMENT_LIMITS__ANONYMOUS_PER_MINUTE", "0".into()));
        let mut nodes = vec![Service::start_with_environment(environment).await];
        lone.samples.push(command(&nodes, 1, time).await?);
        for (commands, secrets) in &mut subjects {
            commands.samples.push(command(&nodes, CONNECTIONS / nodes.len(), time).await?);
            secrets.samples.push(authenticate(&nodes, CONNECTIONS / nodes.len(), time).await?);
            if nodes.len() < NODES {
                nodes.push(nodes[0].join().await);
            }
        }
        println!("round {round}: load {:.2}", load_average()?);
        for node in nodes.into_iter().rev() {
            node.finish().await;
        }
    }
    println!("\n{}\n{lone}", Subject::heading());
    for (commands, secrets) in &subjects {
        println!("{commands}\n{secrets}");
    }
    println!("\nCPU seconds of all nodes; those of the server and of the callers are not counted");
    Ok(())
}

/// Commands over so many connections to each node.
async fn command(nodes: &[Service], connections: usize, time: Duration) -> Result<Sample> {
    let mut callers = Vec::new();
    for node in nodes {
        callers.extend(connect(node, create_clients(node, connections).await).await?);
    }
    Ok(drive(callers, time, processes(nodes)?).await?.0)
}

/// The same of clients that authenticate, each use durable before its answer.
async fn authenticate(nodes: &[Service], connections: usize, time: Duration) -> Result<Sample> {
    let mut callers = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        let address = node.base.trim_start_matches("http://");
        let mut asked = Vec::with_capacity(connections);
        for place in 0..connections {
            let (id, created) = node.create_client(&format!("Asks {}.{number}.{place}", nodes.len())).await;
            let request = own(address, &id, created.text_of("/client_secret"));
            asked.push(Asked { request, expected: b"HTTP/1.1 200 " });
        }
        callers.extend(asking(address, &asked).await?);
    }
    Ok(drive(callers, time, processes(nodes)?).await?.0)
}

/// Whoever holds a node's directory has written its process id into the lock.
fn processes(nodes: &[Service]) -> Result<String> {
    let mut processes = Vec::with_capacity(nodes.len());
    for node in nodes {
        processes.push(fs::read_to_string(node.data().join("muniment.lock"))?.trim().to_owned());
    }
    Ok(processes.join(" "))
}
