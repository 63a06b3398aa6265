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
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = target().join(format!("{package}-{version}"));
    let installed = folder.join("installed");
    if !installed.is_file() {
        must_work(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let package = format!("{package}=={version}");
        must_work(Command::new(folder.join("bin/pip")).args(["install", "--quiet", &package]));
        std::fs::write(&installed, package).expect("a file");
    }
    folder.join("bin").join(Path::new(name))
}

fn must_work(command: &mut Command) {
    let status = command.stdin(Stdio::null()).status().expect("Python with venv: ./tests/run installs it");
    assert!(status.success(), "{command:?} ended with {status}");
}
