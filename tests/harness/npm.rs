//! Programs of others that tests hold the service against, by npm.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::target;

/// What is installed: each package by version and digest.
pub struct Packages {
    /// Of their directory beside what cargo builds.
    pub name: &'static str,
    /// `package.json`.
    pub wanted: &'static str,
    /// `package-lock.json`.
    pub locked: &'static str,
}

/// The directory with the packages, filled if it is not yet. Who comes meanwhile, from this process or another, waits.
///
/// # Panics
/// If there is no npm, or no package of these versions.
pub fn installed(packages: &Packages) -> PathBuf {
    let folder = target().join(packages.name);
    fs::create_dir_all(&folder).expect("a folder");
    let lock = File::create(folder.join("lock")).expect("a file");
    lock.lock().expect("a lock");
    let installed = folder.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|there| there == packages.locked) {
        return folder;
    }
    for (name, content) in [("package.json", packages.wanted), ("package-lock.json", packages.locked)] {
        fs::write(folder.join(name), content).expect("a file");
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]);
    let status = npm.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.expect("npm: ./tests/run installs it");
    assert!(status.success(), "{npm:?} ended with {status}");
    fs::write(installed, packages.locked).expect("a file");
    folder
}
