//! `muniment completions` and `muniment man`: what a package installs beside the binary.

use std::{
    fs,
    io::{Write, stdout},
};

use anyhow::Context;
use clap::CommandFactory;

use crate::{
    arguments::{Arguments, Completions, Manual},
    exit::Exit,
};

/// Prints the completions of a shell.
///
/// # Errors
/// If standard output is closed.
pub fn completions(arguments: &Completions) -> anyhow::Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "muniment", &mut text);
    stdout().write_all(&text)?;
    Ok(Exit::Done)
}

/// Prints the manual page, or writes one for each command.
///
/// # Errors
/// If a page cannot be written.
pub fn manual(arguments: &Manual) -> anyhow::Result<Exit> {
    let command = Arguments::command();
    match &arguments.to {
        Some(directory) => {
            fs::create_dir_all(directory).with_context(|| format!("making `{}`", directory.display()))?;
            clap_mangen::generate_to(command, directory)
                .with_context(|| format!("writing manual pages to `{}`", directory.display()))?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            stdout().write_all(&page)?;
        }
    }
    Ok(Exit::Done)
}
