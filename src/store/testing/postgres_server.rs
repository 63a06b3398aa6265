//! A real PostgreSQL for tests: in a directory of its own, durable as a user's would be, gone with the test process.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a server that does not do what it is told is a failed test"
)]

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Who owns the log.
const OWNER: &str = "muniment_owner";
/// Who serves.
const SERVICE: &str = "muniment_app";

/// A server takes this long to start at most, on a busy machine, after a crash.
const START_WITHIN: Duration = Duration::from_secs(60);

/// A PostgreSQL server on a port and in a directory of its own.
pub struct PostgresServer {
    directory: PathBuf,
    binaries: PathBuf,
    port: u16,
    process: Mutex<Option<Child>>,
    databases: AtomicU32,
    /// Stops the server and removes its files when its end of the pipe is closed, if only by the death of this process.
    reaper: Mutex<Option<(Child, ChildStdin)>>,
}

/// A migrated database of a test's own.
pub struct TestDatabase<'s> {
    server: &'s PostgresServer,
    name: String,
}

impl PostgresServer {
    /// The server that all tests of this process share. Nobody may stop it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of the caller's own.
    ///
    /// # Panics
    /// If there is no PostgreSQL in `/usr/lib/postgresql`, or it does not start.
    #[must_use]
    pub fn start() -> Self {
        let server = Self::beside(Self::initialise);
        for role in [OWNER, SERVICE] {
            server.psql("postgres", "postgres", &format!("CREATE ROLE {role} LOGIN"));
        }
        server
    }

    /// A standby that follows this server.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn follow(&self) -> Self {
        Self::beside(|standby| {
            let copied = self
                .program("pg_basebackup")
                .args(["--username", "postgres", "--write-recovery-conf", "--checkpoint", "fast", "--pgdata"])
                .arg(standby.directory.join("data"))
                .status()
                .unwrap();
            assert!(copied.success());
        })
    }

    /// A server whose data directory, `data` in its directory, the caller fills.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn beside(fill: impl FnOnce(&Self)) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("muniment-postgres-{}-{number}", id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        let server = Self {
            reaper: Mutex::new(Some(reaper(&directory))),
            binaries: postgres_programs(),
            port: free_port(),
            process: Mutex::new(None),
            databases: AtomicU32::new(0),
            directory,
        };
        own(&server.directory);
        fill(&server);
        server.resume();
        server
    }

    /// A fresh database with its roles, without a schema.
    #[must_use]
    pub fn empty_database(&self) -> TestDatabase<'_> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", "postgres", &format!("CREATE DATABASE {name} OWNER {OWNER}"));
        TestDatabase { server: self, name }
    }

    /// A fresh database, migrated.
    ///
    /// # Panics
    /// If it cannot be migrated.
    pub async fn database(&self) -> TestDatabase<'_> {
        let database = self.empty_database();
        crate::migrate_postgres(&database.owner_url(), SERVICE).await.unwrap();
        database
    }

    /// Kills the server as a loss of power would, if what it has written to the disk stayed.
    pub fn kill(&self) {
        let mut process = self.process();
        if let Some(mut child) = process.take() {
            // The postmaster is the leader of nothing; its children notice its death, and go.
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops the server; whoever is connected is disconnected.
    pub fn stop(&self) {
        let child = self.process().take();
        if let Some(mut child) = child {
            signal("INT", child.id());
            child.wait().unwrap();
        }
    }

    /// Starts the server again that was stopped or killed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn resume(&self) {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            let mut child = self.spawn();
            while child.try_wait().unwrap().is_none() {
                if self.is_ready() {
                    *self.process() = Some(child);
                    return;
                }
                assert!(Instant::now() < deadline, "Postgres did not start: {}", self.log());
                sleep(Duration::from_millis(20));
            }
            // Processes of a killed server may still hold its memory for a moment.
            assert!(Instant::now() < deadline, "Postgres did not start: {}", self.log());
            sleep(Duration::from_millis(100));
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are: `data`, its log, its socket.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a file of the server's, which reads it when it starts: settings, a certificate, who may connect how.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, file: &str, text: &str) {
        let file = self.directory.join("data").join(file);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        own(&file);
    }

    /// What the server has written about itself.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Where its programs are: `pgbench`, `pg_basebackup`.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        let mut command = self.unprivileged(name);
        command.env("PGHOST", &self.directory).env("PGPORT", self.port.to_string());
        command
    }

    /// What a statement answers, as text; fails with what the server says.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn try_psql(&self, database: &str, role: &str, statement: &str) -> Result<String, String> {
        let output = self
            .program("psql")
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1"])
            .args(["--dbname", database, "--username", role, "--command", statement])
            .output()
            .unwrap();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn psql(&self, database: &str, role: &str, statement: &str) -> String {
        self.try_psql(database, role, statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    fn initialise(&self) {
        let output = self
            .unprivileged("initdb")
            .args([
                "--username",
                "postgres",
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(self.directory.join("data"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn spawn(&self) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.directory.join("log")).unwrap();
        self.unprivileged("postgres")
            .arg("-D")
            .arg(self.directory.join("data"))
            .arg("-k")
            .arg(&self.directory)
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "max_connections=400", "-c", "shared_buffers=64MB"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn is_ready(&self) -> bool {
        let ready = self.program("pg_isready").args(["--username", "postgres"]).output().unwrap();
        ready.status.success()
    }

    /// A program of Postgres; it does not run as root.
    fn unprivileged(&self, program: &str) -> Command {
        let mut command = unprivileged(self.binaries.join(program));
        command.current_dir(&self.directory);
        command
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let reaper = self.reaper.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut reaper, pipe)) = reaper {
            drop(pipe);
            let _ = reaper.wait();
        }
    }
}

impl TestDatabase<'_> {
    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address for the service.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(SERVICE)
    }

    /// The address for migrations.
    #[must_use]
    pub fn owner_url(&self) -> String {
        self.url_of(OWNER)
    }

    /// The address for a role.
    #[must_use]
    pub fn url_of(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{}", self.server.port, self.name)
    }

    /// The address for the service through another port: that of a proxy, or of a standby.
    #[must_use]
    pub fn url_through(&self, port: u16) -> String {
        format!("postgres://{SERVICE}@127.0.0.1:{port}/{}", self.name)
    }

    /// What a statement of a role answers, as text.
    ///
    /// # Errors
    /// The server's refusal.
    pub fn try_psql(&self, role: &str, statement: &str) -> Result<String, String> {
        self.server.try_psql(&self.name, role, &format!("SET search_path TO muniment; {statement}"))
    }

    /// What a statement of the superuser answers, as text.
    ///
    /// # Panics
    /// If the server refuses it.
    pub fn psql(&self, statement: &str) -> String {
        self.try_psql("postgres", statement).unwrap_or_else(|error| panic!("{statement}: {error}"))
    }
}

/// Where the programs of the newest PostgreSQL of the system are.
///
/// # Panics
/// If there is none in `/usr/lib/postgresql`.
#[must_use]
pub fn postgres_programs() -> PathBuf {
    let mut found: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|binaries| binaries.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| panic!("install PostgreSQL: `apt-get install postgresql`"))
}

/// A port of loopback that nobody listens on.
///
/// # Panics
/// If there is none left.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whom programs run as that refuse to run as root; `None` if this is not root.
fn unprivileged_user() -> Option<&'static str> {
    static USER: OnceLock<Option<&'static str>> = OnceLock::new();
    *USER.get_or_init(|| {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let exists = |user: &&str| passwd.lines().any(|line| line.starts_with(&format!("{user}:")));
        let uid = Command::new("id").arg("-u").output().unwrap();
        (uid.stdout == b"0\n").then(|| ["postgres", "nobody"].into_iter().find(exists).unwrap())
    })
}

/// A program that refuses to run as root.
#[must_use]
pub fn unprivileged(program: impl AsRef<OsStr>) -> Command {
    let Some(user) = unprivileged_user() else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
    command
}

/// Gives a file or a directory to whom such programs run as.
///
/// # Panics
/// If it cannot be given away.
pub fn own(file: &Path) {
    if let Some(user) = unprivileged_user() {
        let owned = Command::new("chown").arg(user).arg(file).status().unwrap();
        assert!(owned.success());
    }
}

fn signal(signal: &str, process: u32) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status().unwrap();
    assert!(sent.success());
}

fn reaper(directory: &Path) -> (Child, ChildStdin) {
    // The first line of the file is the number of the process; SIGQUIT is the end without a checkpoint.
    let script = r#"cat > /dev/null
        if pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null); then
            kill -QUIT "$pid" 2>/dev/null
            for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
        fi
        rm -rf "$1""#;
    let mut reaper = Command::new("sh")
        .args(["-c", script, "reaper"])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pipe = reaper.stdin.take().unwrap();
    (reaper, pipe)
}
