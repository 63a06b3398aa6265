//! Programs of others that tests hold the service against, by pip.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use crate::target;

/// One at a time: tests of one binary ask at the same moment.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A program out of the package, by its name in the environment's `bin`: `python` is there too. The environment is a
/// directory of its own beside what cargo builds, made if it is not there.
///
/// # Panics
/// If there is no Python with venv, or no package of this version.
pub fn program(package: &str, version: &str, name: &str) -> PathBuf {
    let wanted = format!("{package}=={version}");
    environment(&format!("{package}-{version}"), &wanted).join("bin").join(Path::new(name))
}

/// An environment of this name with what is wanted, package and version on each line: made if it is not there.
///
/// # Panics
/// If there is no Python with venv, or no package of such a version.
pub fn environment(name: &str, wanted: &str) -> PathBuf {
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = target().join(name);
    let installed = folder.join("installed");
    if std::fs::read_to_string(&installed).ok().as_deref() != Some(wanted) {
        must_work(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        must_work(Command::new(folder.join("bin/pip")).args(["install", "--quiet"]).args(wanted.lines()));
        std::fs::write(&installed, wanted).expect("a file");
    }
    folder
}

fn must_work(command: &mut Command) {
    let status = command.stdin(Stdio::null()).status().expect("Python with venv: ./tests/run installs it");
    assert!(status.success(), "{command:?} ended with {status}");
}
