//! The instance that is measured: its files, its process, and what that costs.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::measure::Result;

/// So that one who asks may ask as often as it likes.
const SETTINGS: &str = "[limits]\nreads_per_minute = 0\ncommands_per_minute = 0\nanonymous_per_minute = 0\n";
/// The kernel counts CPU time in these, whatever its own clock.
const TICKS_PER_SECOND: f64 = 100.0;
/// How often a service that starts is asked whether it is ready.
const LOOK: Duration = Duration::from_millis(2);

/// An instance in a folder of its own.
pub struct Instance {
    folder: PathBuf,
    child: Option<Child>,
    /// `http://127.0.0.1:<port>`
    pub base: String,
    pub token: String,
    pub http: reqwest::Client,
}

/// What a command cost.
pub struct Cost {
    pub cpu_seconds: f64,
    pub elapsed: Duration,
}

impl Instance {
    /// An empty instance.
    pub fn create(folder: &Path) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let mut instance =
            Self { folder: folder.to_owned(), child: None, base: String::new(), token: String::new(), http };
        std::fs::write(folder.join("muniment.toml"), SETTINGS)?;
        instance.run(&["init", "--data-dir", "data", "--bootstrap-token-file", "token"])?;
        instance.token = std::fs::read_to_string(folder.join("token"))?.trim().to_owned();
        Ok(instance)
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the service; answers how long it took to be ready.
    pub async fn start(&mut self) -> Result<Duration> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        self.base = format!("http://127.0.0.1:{port}");
        let began = Instant::now();
        let said = self.folder.join("serve.log");
        let output = File::create(&said)?;
        let child = self
            .command(&["serve", "--data-dir", "data", "--listen", &format!("127.0.0.1:{port}")])
            .stderr(output)
            .spawn()?;
        let child = self.child.insert(child);
        let ready = format!("{}/readyz", self.base);
        while !self.http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            if let Some(status) = child.try_wait()? {
                self.child = None;
                let said = std::fs::read_to_string(said)?;
                return Err(format!("the service ended with {status} before it was ready:\n{said}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(began.elapsed())
    }

    /// Asks the service to stop and waits for it.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let pid = Pid::from_raw(i32::try_from(child.id())?).ok_or("a process without an id")?;
        kill_process(pid, Signal::TERM)?;
        let status = tokio::task::spawn_blocking(move || child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the service ended with {status}").into()) }
    }

    /// Folds all views again.
    pub fn rebuild(&self) -> Result<Cost> {
        let before = seconds_of_ended_children()?;
        let began = Instant::now();
        self.run(&["projections", "rebuild", "--data-dir", "data"])?;
        Ok(Cost { cpu_seconds: seconds_of_ended_children()? - before, elapsed: began.elapsed() })
    }

    pub fn id(&self) -> Result<u32> {
        Ok(self.child.as_ref().ok_or("the service does not run")?.id())
    }

    /// Resident memory now, in MiB.
    pub fn resident(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// Resident memory that is no page of a file, in MiB: what grows if a page after the other is kept.
    pub fn allocated(&self) -> Result<u64> {
        self.memory("RssAnon:")
    }

    /// The most it ever was, in MiB.
    pub fn most_resident(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, which: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()?))?;
        let line = status.lines().find_map(|line| line.strip_prefix(which)).ok_or("no such line in /proc")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes / 1024)
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        let status = self.command(arguments).status()?;
        if status.success() { Ok(()) } else { Err(format!("{arguments:?} ended with {status}").into()) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tests::binary());
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        command
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Nothing more can be done about a measurement that has failed already.
            child.kill().and_then(|()| child.wait()).ok();
        }
    }
}

/// User and system time of all children that have ended and were waited for.
fn seconds_of_ended_children() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, numbers) = stat.rsplit_once(')').ok_or("a process without a name in /proc")?;
    let mut ticks = 0.0;
    for number in numbers.split_ascii_whitespace().skip(13).take(2) {
        ticks += number.parse::<f64>()?;
    }
    Ok(ticks / TICKS_PER_SECOND)
}
