//! Losing the leader of a PostgreSQL cluster under load, again and again, and nothing that was answered with it:
//! `cargo run --release -p tests --example ha -- [ROUNDS] [SEED]`.
//!
//! It needs Debian's `patroni`, `etcd-server`, `haproxy` and `postgresql`, and root, which becomes PostgreSQL's own user.
//! It is no part of the tests: a round takes half a minute, most of it waiting until Patroni believes that a leader is gone.

#![expect(clippy::print_stdout, reason = "a script that prints what it saw")]

mod cluster;

use std::time::{Duration, Instant};

use cluster::Cluster;
use tests::{
    Service,
    load::{Load, feed},
    muniment,
};

/// What a script fails with.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Nodes of the service.
const NODES: usize = 2;
/// How long a command may go on failing after a leader was lost.
const RECOVERY: Duration = Duration::from_secs(90);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().map(|text| text.parse::<u64>()).transpose();
    let rounds = number()?.unwrap_or(3);
    let seed = number()?.unwrap_or_else(|| fastrand::u64(..));
    println!("losing the leader {rounds} times, seed {seed}");

    let mut cluster = Cluster::start().await?;
    println!("three servers, one of them a synchronous standby; the leader is at port {}", cluster.port);
    cluster.psql(&[
        "CREATE ROLE muniment_owner LOGIN",
        "CREATE ROLE muniment_app LOGIN",
        "CREATE DATABASE muniment OWNER muniment_owner",
    ])?;
    let owner = cluster.url("muniment_owner", "muniment");
    let folder = tempfile::tempdir()?;
    let migrated = muniment(folder.path(), ["migrate", "--log", &owner]);
    if !migrated.status.success() {
        return Err(String::from_utf8_lossy(&migrated.stderr).into_owned().into());
    }
    let url = cluster.url("muniment_app", "muniment");
    let mut nodes = vec![Service::start_with_environment(vec![("MUNIMENT_LOG__URL", url.into())]).await];
    for _ in 1..NODES {
        nodes.push(nodes[0].join().await);
    }

    let mut load = Load::new(seed);
    for round in 1..=rounds {
        let workers = load.begin(&nodes.iter().collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_millis(load.random().u64(2_000..5_000))).await;
        let answered = load.answered().await;
        let lost = Instant::now();
        let leader = cluster.kill_leader().await?;
        while load.answered().await <= answered + 50 {
            if lost.elapsed() > RECOVERY {
                return Err("no command was answered since the leader was lost".into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let back = lost.elapsed();
        tokio::time::sleep(Duration::from_secs(2)).await;
        workers.end().await;
        cluster.revive(leader)?;
        cluster.settled().await?;
        for node in &nodes {
            load.check_answered(node).await;
        }
        load.repeat_unanswered(&nodes[0]).await;
        println!(
            "round {round}: commands were answered again after {:.1} s; {} answered in all, {} not, {} of those recorded; head {}",
            back.as_secs_f64(),
            load.answered().await,
            load.unanswered,
            load.recorded_unanswered,
            feed(&nodes[0], 0).await.len()
        );
    }
    for node in nodes {
        node.finish().await;
    }
    println!(
        "every answered command is at its position, none twice; positions dense; views of each node equal a replay"
    );
    Ok(())
}
