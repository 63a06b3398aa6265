//! Where a new token is kept before the commit that makes it valid.
//!
//! The token is first written to `<file>.pending`; when its commit is durable the file gets its name. A crash in
//! between leaves a pending file: at the next start it is finished if the log knows its token, else thrown away.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use app::{App, AuthenticationError, TokenSink};
use crypto::{ExposeSecret, SecretString};

/// A file that a token is written to, once.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
    pending: PathBuf,
}

impl TokenFile {
    /// The file at `path`.
    pub fn new(path: &Path) -> Self {
        let mut pending = path.as_os_str().to_owned();
        pending.push(".pending");
        Self { path: path.to_owned(), pending: pending.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Deals with what a crash left over.
    ///
    /// # Errors
    /// If a file cannot be read, renamed or removed.
    pub async fn finish_pending(&self, app: &App) -> anyhow::Result<()> {
        let token = match fs::read_to_string(&self.pending) {
            Ok(token) => SecretString::from(token),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).context("reading a pending token file"),
        };
        match app.authenticate(token.expose_secret().trim()).await {
            Ok(_) => self.complete(),
            // Whether it is valid is not known: it may be the only copy of the only token.
            Err(AuthenticationError::Fault(fault)) => {
                Err(fault).context("judging the token of a pending token file")
            }
            Err(
                AuthenticationError::Malformed | AuthenticationError::Unknown | AuthenticationError::NotLive,
            ) => fs::remove_file(&self.pending)
                .context("removing a pending token file whose token was never made valid"),
        }
    }

    /// Refuses to go on if the file is there already: nobody's file is overwritten.
    ///
    /// # Errors
    /// If it is.
    pub fn must_be_new(&self) -> anyhow::Result<()> {
        if self.path.exists() {
            bail!(
                "`{}` exists already: remove it, or name another file with --bootstrap-token-file",
                self.path.display()
            );
        }
        Ok(())
    }

    /// Looks whether a token could be kept here, before there is one.
    ///
    /// # Errors
    /// If it could not.
    pub fn must_be_writable(&self) -> anyhow::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.pending);
        file.and_then(|_| fs::remove_file(&self.pending))
            .with_context(|| format!("writing the token file `{}`", self.path.display()))
    }

    /// Gives the file its name, now that its token is valid.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn complete(&self) -> anyhow::Result<()> {
        fs::rename(&self.pending, &self.path).context("naming the token file")?;
        sync_parent(&self.path).context("syncing the directory of the token file")
    }
}

impl TokenSink for TokenFile {
    fn keep(&mut self, token: &SecretString) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.pending)?;
        file.write_all(token.expose_secret().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        sync_parent(&self.pending)
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// For a terminal: the token is shown after the commit and kept nowhere.
#[derive(Clone, Copy, Debug)]
pub struct ShownOnly;

impl TokenSink for ShownOnly {
    fn keep(&mut self, _token: &SecretString) -> io::Result<()> {
        Ok(())
    }
}
