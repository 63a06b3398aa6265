//! A running service, and the binary's other commands.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use store::{DataDirectory, EventLog, PostgresDatabase, PostgresLog, SqliteLog, SystemClock};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout},
    time::timeout,
};

use crate::backend::{self, Environment};

const MASTER_KEY_FILE: &str = "MUNIMENT_KEYS__MASTER_KEY_FILE";
/// Lines of its log that a failed test shows.
const SHOWN: usize = 20;

/// Long enough for a slow machine, short enough to notice a service that hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test: `MUNIMENT_TEST_BINARY`, or what cargo builds from this tree.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("MUNIMENT_TEST_BINARY") {
            return path.into();
        }
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "cli"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the binary under test does not build");
        let own = std::env::current_exe().expect("a test has a path");
        let profile = own.ancestors().find(|folder| folder.join("muniment").is_file());
        profile.expect("the binary stands beside the tests").join("muniment")
    })
}

/// Runs a command of the binary to its end, in `folder`.
pub fn muniment<I: IntoIterator<Item: AsRef<OsStr>>>(folder: &Path, arguments: I) -> Output {
    muniment_with(folder, arguments, &[])
}

/// The same with variables in its environment.
pub fn muniment_with<I: IntoIterator<Item: AsRef<OsStr>>>(
    folder: &Path,
    arguments: I,
    variables: &[(&str, &str)],
) -> Output {
    command(folder, arguments).envs(variables.iter().copied()).output().expect("the binary runs")
}

fn command<I: IntoIterator<Item: AsRef<OsStr>>>(folder: &Path, arguments: I) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command
}

/// A service on a directory of its own.
#[derive(Debug)]
pub struct Service {
    folder: TempDir,
    child: Option<Child>,
    /// Kept open: a service that writes to a closed pipe is another test.
    _stdout: Option<BufReader<ChildStdout>>,
    /// `http://127.0.0.1:<port>`
    pub base: String,
    /// The first administrator's token.
    pub token: String,
    pub(crate) http: reqwest::Client,
    finished: bool,
    /// What the service and every other command on its files find in their environment.
    environment: Environment,
    /// What makes its disk fail when a file `write` or `fsync` is in the folder.
    failing_disk: Option<&'static Path>,
    /// Whether it says of itself that it is reached by another address than the one it listens on.
    behind_a_proxy: bool,
    /// The port at which it is reached by the name of this machine, if by that.
    by_name: Option<u16>,
}

impl Service {
    /// A service on an empty directory.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self::start_in(folder).await
    }

    /// A service on an empty directory with a configuration file of its own.
    pub async fn start_with_settings(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("muniment.toml"), settings).expect("a file");
        Self::start_in(folder).await
    }

    /// A service in a folder that a test has prepared.
    pub async fn start_in(folder: TempDir) -> Self {
        Self::start_with(folder, None, backend::fresh().await).await
    }

    /// A service on an empty directory, with variables in its environment and in that of the commands on its files.
    pub async fn start_with_environment(environment: Environment) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self::start_with(folder, None, environment).await
    }

    /// A service on an empty directory that is reached where it listens: a browser goes where its answers lead.
    pub async fn start_without_a_proxy() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut service = Self::on(folder, None, backend::fresh().await);
        service.behind_a_proxy = false;
        service.begun().await
    }

    /// The same, reached by a name: browsers make no passkey for an address.
    pub async fn start_by_name() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut service = Self::on(folder, None, backend::fresh().await);
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        service.by_name = Some(free.expect("a port").port());
        service.begun().await
    }

    /// A further node of this service, whose log several nodes can use.
    pub async fn join(&self) -> Self {
        self.joining().launched().await
    }

    /// The same, but this node reaches the database by another address.
    pub async fn join_by(&self, url: &str) -> Self {
        let mut node = self.joining();
        node.environment = backend::reaching_it_by(&node.environment, url);
        node.launched().await
    }

    /// The same, but this node begins with a copy of the views of another, which is stopped, as `change` leaves it.
    pub async fn join_with_views_of(&self, stopped: &Self, change: impl FnOnce(&Path)) -> Self {
        let node = self.joining();
        let (from, to) = (stopped.data().join("views"), node.data().join("views"));
        std::fs::create_dir_all(&to).expect("a directory");
        for file in std::fs::read_dir(from).expect("the views") {
            let file = file.expect("a file").path();
            std::fs::copy(&file, to.join(file.file_name().expect("a name"))).expect("a copy");
        }
        change(&to);
        node.launched().await
    }

    fn joining(&self) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut node = Self::on(folder, None, self.environment.clone());
        if !node.environment.iter().any(|(name, _)| *name == MASTER_KEY_FILE) {
            node.environment.push((MASTER_KEY_FILE, self.folder().join("data.key").into()));
        }
        node.token.clone_from(&self.token);
        node
    }

    async fn launched(mut self) -> Self {
        self.launch().await;
        self
    }

    /// A service on an empty directory whose disk fails on demand: while the folder holds a file `write`, no write to a
    /// write-ahead log or a probe of the disk succeeds; while it holds `fsync`, no fsync of one.
    pub async fn start_on_a_disk_that_can_fail() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self::start_with(folder, Some(failing_disk()), Vec::new()).await
    }

    fn on(folder: TempDir, failing_disk: Option<&'static Path>, environment: Environment) -> Self {
        Self {
            failing_disk,
            environment,
            folder,
            child: None,
            _stdout: None,
            base: String::new(),
            token: String::new(),
            http: reqwest::Client::builder().no_proxy().build().expect("an HTTP client"),
            finished: false,
            behind_a_proxy: true,
            by_name: None,
        }
    }

    async fn start_with(
        folder: TempDir,
        failing_disk: Option<&'static Path>,
        environment: Environment,
    ) -> Self {
        Self::on(folder, failing_disk, environment).begun().await
    }

    async fn begun(mut self) -> Self {
        self.launch().await;
        let token = std::fs::read_to_string(self.token_file()).expect("the bootstrap token file");
        token.trim().clone_into(&mut self.token);
        self
    }

    /// From the next start on the log is in another place: in files if nothing is said of it.
    pub fn keep_log_in(&mut self, place: Environment) {
        self.environment.retain(|(name, _)| !backend::says_where_the_log_is(name));
        self.environment.extend(place);
    }

    /// Where the test's files are; the data directory is `data` in it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the service and the commands on its files find in their environment.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    fn token_file(&self) -> PathBuf {
        self.folder().join("token")
    }

    /// How the service is told that it is reached, if it is.
    fn public_url(&self) -> Option<String> {
        match self.by_name {
            Some(port) => Some(format!("http://localhost:{port}")),
            None => self.behind_a_proxy.then(|| "https://oauth.example.com".to_owned()),
        }
    }

    /// Starts the service again, on the same files.
    pub async fn launch(&mut self) {
        let mut command = tokio::process::Command::new(binary());
        if let Some(library) = self.failing_disk {
            command.env("LD_PRELOAD", library).env("FAILING_DISK", self.folder());
        }
        let mut child = command
            .args([
                "serve",
                "--data-dir",
                "data",
                "--listen",
                &format!("127.0.0.1:{}", self.by_name.unwrap_or_default()),
                "--bootstrap-token-file",
                "token",
            ])
            .args(self.public_url().iter().flat_map(|url| ["--public-url", url]))
            .envs(self.without_limits().iter().copied())
            .envs(self.environment.iter().cloned())
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(
                std::fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(self.stderr_file())
                    .expect("a file"),
            )
            .kill_on_drop(true)
            .spawn()
            .expect("the service starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("its standard output"));
        let base = timeout(PATIENCE, listening(&mut stdout)).await.ok().flatten();
        let Some(base) = base else {
            panic!("the service did not start: {}", self.stderr());
        };
        self.base = self.by_name.map_or(base, |port| format!("http://localhost:{port}"));
        self.child = Some(child);
        self._stdout = Some(stdout);
    }

    /// Crowds of requests come with one token here, unless a test has settings of its own.
    fn without_limits(&self) -> &'static [(&'static str, &'static str)] {
        if self.folder().join("muniment.toml").exists() {
            &[]
        } else {
            &[("MUNIMENT_LIMITS__READS_PER_MINUTE", "0"), ("MUNIMENT_LIMITS__COMMANDS_PER_MINUTE", "0")]
        }
    }

    fn stderr_file(&self) -> PathBuf {
        self.folder().join("stderr")
    }

    /// Everything the service has logged.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.stderr_file()).unwrap_or_default()
    }

    /// Resident memory of the service that is no page of a file, in KiB.
    pub fn allocated(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = std::fs::read_to_string(path).expect("the service runs");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line of /proc");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    fn pid(&self) -> Pid {
        let id = self.child.as_ref().and_then(Child::id).expect("the service runs");
        Pid::from_raw(i32::try_from(id).expect("a process id")).expect("a process id")
    }

    /// Sends the service a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the service can be sent a signal");
    }

    /// `kill -9`: no goodbye.
    pub async fn kill(&mut self) {
        self.signal(Signal::KILL);
        let mut child = self.child.take().expect("the service runs");
        child.wait().await.expect("the service ends");
    }

    /// Asks the service to stop, as a service manager does, and expects it to end well.
    pub async fn stop(&mut self) {
        self.signal(Signal::TERM);
        let mut child = self.child.take().expect("the service runs");
        let status = timeout(PATIENCE, child.wait())
            .await
            .expect("the service stops in time")
            .expect("the service ends");
        assert!(status.success(), "the service ended with {status}: {}", self.stderr());
    }

    /// Runs a command of the binary on this service's files.
    pub fn muniment<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        command(self.folder(), arguments.into_iter().chain(["--data-dir", "data"]))
            .envs(self.environment.iter().cloned())
            .output()
            .expect("the binary runs")
    }

    /// Proves that the log is as written and the views equal a replay; works while the service runs and after.
    pub fn verify(&self) {
        let output = self.muniment(["replay", "verify"]);
        assert!(
            output.status.success(),
            "replay verify: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The log of the stopped service, to write what no command would. To be closed and dropped before it starts again.
    pub fn log(&self) -> Arc<dyn EventLog> {
        let clock = Arc::new(SystemClock);
        let url = self.environment.iter().find(|(name, _)| *name == backend::LOG_URL);
        if let Some((_, url)) = url {
            let url = url.to_str().expect("a URL");
            let database = PostgresDatabase::open(url).expect("the database");
            return Arc::new(PostgresLog::open(&database, clock).expect("the log"));
        }
        let directory = DataDirectory::open(&self.data()).expect("the directory");
        Arc::new(SqliteLog::open(&directory, clock).expect("the log"))
    }

    /// Ends a test: the service stops well, the log verifies, the views equal a replay.
    pub async fn finish(mut self) {
        if self.child.is_some() {
            self.stop().await;
        }
        self.verify();
        self.finished = true;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !self.finished && std::thread::panicking() {
            let said = self.stderr();
            let lines: Vec<_> = said.lines().collect();
            println!("{} said at last:", self.base);
            lines[lines.len().saturating_sub(SHOWN)..].iter().for_each(|line| println!("{line}"));
            return;
        }
        assert!(self.finished, "every test ends with Service::finish");
    }
}

/// The library that makes a disk fail, compiled by what has compiled SQLite.
fn failing_disk() -> &'static Path {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let library = folder.path().join("failing_disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/store/sqlite/tests/failing_disk.c");
        let mut compile = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
        compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(compile.status().expect("a C compiler").success(), "the library does not compile");
        (folder, library)
    });
    library
}

/// The address the service says it listens on.
async fn listening(stdout: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        if stdout.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some((_, address)) = line.split_once("listening on ") {
            return Some(address.trim().to_owned());
        }
    }
}
