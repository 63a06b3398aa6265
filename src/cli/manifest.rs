//! What a back-up says of itself: the files that belong to it, and how each of them is known again.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Position;

use crate::exit::WrongUsage;

const FILE: &str = "manifest.json";
/// The shape there is now; the first had no activity in it.
const FORMAT: u32 = 2;

/// `manifest.json` of a back-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The shape of this file.
    format: u32,
    /// When the back-up was made.
    pub made_at: Timestamp,
    /// The program that made it.
    pub program: String,
    /// The log that it is of: keys open only their own.
    pub log_id: String,
    /// The last event in it.
    pub position: Position,
    /// Its files.
    pub files: Vec<BackedUpFile>,
}

/// One file of a back-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackedUpFile {
    /// Its name in the directory of the manifest.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// What manifests of all shapes say.
#[derive(Deserialize)]
struct Written {
    format: u32,
    program: String,
    made_at: Timestamp,
}

impl Written {
    /// Why this program does not restore it, and which one does.
    fn refusal(&self, path: &Path) -> String {
        let Self { format, program, made_at } = self;
        let what_to_do = if *format < FORMAT {
            "it has no activity in it; restore it with the muniment that wrote it, start this one on what that restored, and make a new back-up"
        } else {
            "restore it with the muniment that wrote it, or a newer one"
        };
        format!(
            "`{}` is of a back-up of format {format}, which muniment {program} wrote on {made_at}; this is muniment {}, which restores format {FORMAT}: {what_to_do}",
            path.display(),
            env!("CARGO_PKG_VERSION")
        )
    }
}

impl Manifest {
    /// Describes the files of a back-up, makes them durable, and then writes the manifest beside them: a back-up that was
    /// cut off has none.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub fn write(
        directory: &Path,
        names: &[&str],
        made_at: Timestamp,
        backed_up: store::BackedUp,
    ) -> anyhow::Result<Self> {
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let path = directory.join(name);
            File::open(&path).and_then(|file| file.sync_all()).with_context(|| at("syncing", &path))?;
            files.push(describe(directory, name)?);
        }
        let manifest = Self {
            format: FORMAT,
            made_at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            log_id: hex(&backed_up.log_id),
            position: backed_up.position,
            files,
        };
        let path = directory.join(FILE);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| at("writing", &path))?;
        let text = serde_json::to_string_pretty(&manifest)?;
        writeln!(file, "{text}").and_then(|()| file.sync_all()).with_context(|| at("writing", &path))?;
        sync_directory(directory)?;
        Ok(manifest)
    }

    /// Reads the manifest of a back-up and compares these of its files with what it says of them.
    ///
    /// # Errors
    /// If there is none, or a file is missing or another one.
    pub fn read_and_check(directory: &Path, names: &[&str]) -> anyhow::Result<Self> {
        let path = directory.join(FILE);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("reading `{}`: a back-up without it is not whole", path.display()))?;
        let written: Written = serde_json::from_str(&text).with_context(|| at("reading", &path))?;
        if written.format != FORMAT {
            bail!(written.refusal(&path));
        }
        let manifest: Self = serde_json::from_str(&text).with_context(|| at("reading", &path))?;
        for name in names {
            let said = manifest.files.iter().find(|file| file.name == *name);
            let said = said.with_context(|| format!("`{}` names no {name}", path.display()))?;
            let found = describe(directory, name)?;
            if found != *said {
                bail!(
                    "`{}` is not what was backed up: its SHA-256 is {}, `{}` says {}",
                    directory.join(name).display(),
                    found.sha256,
                    path.display(),
                    said.sha256
                );
            }
        }
        Ok(manifest)
    }
}

/// Refuses a directory that is another one, or lies in it: who copies the other takes it along.
///
/// # Errors
/// [`WrongUsage`], if it does.
pub fn keep_apart(
    (option, directory): (&str, &Path),
    (what, other): (&str, &Path),
) -> Result<(), WrongUsage> {
    let (inner, outer) = (resolved(directory), resolved(other));
    if !inner.starts_with(&outer) {
        return Ok(());
    }
    let (place, other) = (if inner == outer { "is" } else { "lies in" }, other.display());
    Err(WrongUsage(format!(
        "{option} `{}` {place} {what} `{other}`: name a directory apart from it",
        directory.display()
    )))
}

/// The path without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|level| Some((level, level.canonicalize().ok()?)));
    let joined = there.map(|(level, real)| path.strip_prefix(level).map(|rest| real.join(rest)));
    joined.and_then(Result::ok).unwrap_or(path)
}

/// Makes a directory for a back-up, or takes an empty one.
///
/// # Errors
/// If there is something in it.
pub fn take_empty(directory: &Path) -> anyhow::Result<()> {
    match fs::read_dir(directory) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("`{}` is not empty: nothing is ever overwritten", directory.display());
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.with_context(|| at("making", directory))
        }
        Err(error) => Err(error).with_context(|| at("reading", directory)),
    }
}

/// Makes the names in a directory durable.
///
/// # Errors
/// If the system refuses.
pub fn sync_directory(directory: &Path) -> anyhow::Result<()> {
    File::open(directory).and_then(|folder| folder.sync_all()).with_context(|| at("syncing", directory))
}

fn describe(directory: &Path, name: &str) -> anyhow::Result<BackedUpFile> {
    let path = directory.join(name);
    let mut file = File::open(&path).with_context(|| at("reading", &path))?;
    let (mut hash, mut bytes, mut page) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut page).with_context(|| at("reading", &path))?;
        if read == 0 {
            break;
        }
        hash.update(&page[..read]);
        bytes += read as u64;
    }
    Ok(BackedUpFile { name: name.to_owned(), bytes, sha256: hex(&hash.finalize()) })
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn at(what: &str, path: &Path) -> String {
    format!("{what} `{}`", path.display())
}
