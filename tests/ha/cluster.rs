//! Three PostgreSQL servers under Patroni, with etcd and HAProxy from Debian, on loopback.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use store::testing::{free_port, own, postgres_programs, unprivileged};
use tempfile::TempDir;

use crate::Result;

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running cluster; its processes end with it.
pub struct Cluster {
    folder: TempDir,
    etcd: Child,
    proxy: Child,
    members: Vec<Member>,
    /// Where the leader is found, whoever it is.
    pub port: u16,
}

/// One server with its Patroni.
struct Member {
    name: String,
    postgres: u16,
    api: u16,
    patroni: Option<Child>,
}

impl Cluster {
    /// Starts everything, and waits until there is a leader with a synchronous standby.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        own(folder.path());
        let (client, peer) = (free_port(), free_port());
        let etcd = etcd(folder.path(), client, peer)?;
        let mut members = Vec::new();
        for number in 1..=3 {
            let member = Member {
                name: format!("postgres{number}"),
                postgres: free_port(),
                api: free_port(),
                patroni: None,
            };
            fs::write(member.settings(folder.path()), member.describe(folder.path(), client))?;
            members.push(member);
        }
        let port = free_port();
        let proxy = proxy(folder.path(), port, &members)?;
        let mut cluster = Self { folder, etcd, proxy, members, port };
        for index in 0..cluster.members.len() {
            cluster.launch(index)?;
        }
        cluster.settled().await?;
        Ok(cluster)
    }

    /// The database `name` through the proxy.
    pub fn url(&self, user: &str, name: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs statements on the leader, as the superuser.
    pub fn psql(&self, statements: &[&str]) -> Result<()> {
        let mut psql = Command::new(postgres_programs().join("psql"));
        psql.args([
            "--quiet",
            "--no-psqlrc",
            "--set",
            "ON_ERROR_STOP=1",
            "--dbname",
            &self.url("postgres", "postgres"),
        ]);
        statements.iter().for_each(|statement| {
            psql.args(["--command", statement]);
        });
        if psql.status()?.success() { Ok(()) } else { Err("the cluster cannot be set up".into()) }
    }

    /// `kill -9` of the leader and its Patroni. Answers which it was.
    pub async fn kill_leader(&mut self) -> Result<usize> {
        let leader = self.leader().await?.ok_or("there is no leader to kill")?;
        let member = &mut self.members[leader];
        if let Some(mut patroni) = member.patroni.take() {
            patroni.kill()?;
            patroni.wait()?;
        }
        // Its children, too, at one moment: what the kernel had not sent yet is lost.
        let data = self.folder.path().join(&member.name);
        let pid = fs::read_to_string(data.join("postmaster.pid"))?;
        let pid = pid.lines().next().ok_or("no process id")?.to_owned();
        let children = Command::new("pkill").args(["-KILL", "--parent", &pid]).status()?;
        let postmaster = Command::new("kill").args(["-KILL", &pid]).status()?;
        if children.success() && postmaster.success() { Ok(leader) } else { Err("nothing was killed".into()) }
    }

    /// Starts a member that was killed; it follows the new leader.
    pub fn revive(&mut self, member: usize) -> Result<()> {
        self.launch(member)
    }

    /// Waits until one leads, the others stream from it, and one of them is synchronous.
    pub async fn settled(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            for member in &self.members {
                let Ok(members) = self.told_by(member).await else { continue };
                let has = |role: &str| members.iter().any(|member| member["role"] == role);
                let works = |member: &Value| member["state"] == "running" || member["state"] == "streaming";
                if members.len() == self.members.len()
                    && members.iter().all(works)
                    && has("leader")
                    && has("sync_standby")
                {
                    return Ok(());
                }
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("the cluster did not settle; see {}", self.keep_logs()?.display()).into());
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    async fn leader(&self) -> Result<Option<usize>> {
        for member in &self.members {
            let Ok(members) = self.told_by(member).await else { continue };
            let leader = members.iter().find(|member| member["role"] == "leader");
            let name = leader.and_then(|leader| leader["name"].as_str());
            return Ok(name.and_then(|name| self.members.iter().position(|member| member.name == name)));
        }
        Ok(None)
    }

    async fn told_by(&self, member: &Member) -> Result<Vec<Value>> {
        let url = format!("http://127.0.0.1:{}/cluster", member.api);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let told: Value = serde_json::from_str(&client.get(url).send().await?.text().await?)?;
        Ok(told["members"].as_array().cloned().unwrap_or_default())
    }

    fn launch(&mut self, index: usize) -> Result<()> {
        let folder = self.folder.path();
        let member = &mut self.members[index];
        let settings = member.settings(folder);
        member.patroni = Some(start(folder, &member.name, Command::new("patroni").arg(settings))?);
        Ok(())
    }

    fn keep_logs(&self) -> Result<PathBuf> {
        let kept = std::env::temp_dir().join("muniment-ha-logs");
        fs::create_dir_all(&kept)?;
        for entry in fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            if let (Some("log"), Some(name)) =
                (path.extension().and_then(|extension| extension.to_str()), path.file_name())
            {
                fs::copy(&path, kept.join(name))?;
            }
        }
        Ok(kept)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in &mut self.members {
            if let Some(patroni) = &mut member.patroni {
                let _ = patroni.kill();
                let _ = patroni.wait();
            }
        }
        let _ =
            Command::new("pkill").args(["-KILL", "-f", &self.folder.path().display().to_string()]).status();
        for process in [&mut self.proxy, &mut self.etcd] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Member {
    fn settings(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.yml", self.name))
    }

    /// What decides between losing nothing and losing without a word are the two lines that begin with `synchronous`.
    fn describe(&self, folder: &Path, etcd: u16) -> String {
        let Self { name, postgres, api, .. } = self;
        let folder = folder.display();
        format!(
            r#"
scope: muniment
name: {name}
restapi: {{ listen: "127.0.0.1:{api}", connect_address: "127.0.0.1:{api}" }}
etcd3: {{ hosts: "127.0.0.1:{etcd}" }}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    synchronous_mode: true
    synchronous_mode_strict: true
    postgresql:
      use_pg_rewind: true
      parameters: {{ wal_log_hints: "on", max_connections: 60 }}
  initdb: [ {{ encoding: UTF8 }}, {{ locale: C.UTF-8 }} ]
  pg_hba:
    - host all all 127.0.0.1/32 trust
    - host replication all 127.0.0.1/32 trust
    - local all all trust
postgresql:
  listen: "127.0.0.1:{postgres}"
  connect_address: "127.0.0.1:{postgres}"
  data_dir: {folder}/{name}
  bin_dir: {bin}
  authentication: {{ superuser: {{ username: postgres }}, replication: {{ username: replicator }} }}
  parameters: {{ unix_socket_directories: "{folder}" }}
"#,
            bin = postgres_programs().display()
        )
    }
}

fn etcd(folder: &Path, client: u16, peer: u16) -> Result<Child> {
    let [client, peer] = [client, peer].map(|port| format!("http://127.0.0.1:{port}"));
    let mut etcd = Command::new("etcd");
    etcd.args(["--name", "etcd", "--data-dir"]).arg(folder.join("etcd"));
    etcd.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
    etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
    etcd.args(["--initial-cluster", &format!("etcd={peer}")]);
    start(folder, "etcd", &etcd)
}

/// Sends everybody to the leader, and cuts who is connected to one that leads no more.
fn proxy(folder: &Path, port: u16, members: &[Member]) -> Result<Child> {
    let mut settings = format!(
        "defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 1h\n  timeout server 1h\n\
         listen postgres\n  bind 127.0.0.1:{port}\n  option httpchk OPTIONS /primary\n  http-check expect status 200\n\
         \x20 default-server inter 500ms fall 2 rise 1 on-marked-down shutdown-sessions\n"
    );
    for Member { name, postgres, api, .. } in members {
        settings.push_str(&format!("  server {name} 127.0.0.1:{postgres} check port {api}\n"));
    }
    let file = folder.join("haproxy.cfg");
    fs::write(&file, settings)?;
    start(folder, "haproxy", Command::new("haproxy").arg("-f").arg(file))
}

/// Starts a program as the user of PostgreSQL.
fn start(folder: &Path, name: &str, program: &Command) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join(format!("{name}.log")))?;
    let mut command = unprivileged(program.get_program());
    command.args(program.get_args());
    command.current_dir(folder).env("HOME", folder).stdin(Stdio::null());
    Ok(command.stdout(log.try_clone()?).stderr(log).spawn()?)
}
