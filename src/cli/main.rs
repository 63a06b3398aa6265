//! The binary `muniment`: the composition root, and the tools of who operates it.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage; verdicts of the verifying commands are 10 to 13 (see [`exit`]).

mod arguments;
mod backend;
mod commands;
mod config;
mod control;
mod exit;
mod instance;
mod manifest;
mod password_file;
mod progress;
mod telemetry;
mod token_file;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    // Everything the program writes is its owner's alone: the log, the keys, the views, a token's file.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let arguments = Arguments::parse();
    let lines = telemetry::WrittenAtTheEnd;
    let command = arguments.command.unwrap_or_default();
    // A token that nobody could read is no quiet matter.
    let may_lose_output = !matches!(command, Command::Serve(_) | Command::Init(_) | Command::Recover(_));
    let done = match command {
        Command::Serve(serve) => commands::serve::run(&serve),
        Command::Init(init) => commands::init::run(&init),
        Command::Recover(recover) => commands::recover::run(&recover),
        Command::Member(member) => commands::member::run(&member),
        Command::Api(api) => commands::api::run(&api),
        Command::Migrate(migrate) => commands::migrate::run(&migrate),
        Command::Backup(backup) => commands::backup::run(&backup),
        Command::Restore(restore) => commands::restore::run(&restore),
        Command::MigrateLog(migrate) => commands::migrate_log::run(&migrate),
        Command::Export(export) => commands::export::run(&export),
        Command::Replay(replay) => commands::replay::run(&replay),
        Command::Projections(projections) => commands::projections::run(&projections),
        Command::Doctor(doctor) => commands::doctor::run(&doctor),
        Command::Configuration(configuration) => commands::configuration::run(&configuration),
        Command::Completions(completions) => commands::generate::completions(&completions),
        Command::Man(manual) => commands::generate::manual(&manual),
    };
    // Before what is said of an error.
    drop(lines);
    match done {
        Ok(code) => code.into(),
        Err(error) if may_lose_output && exit::nobody_reads(&error) => exit::Exit::NobodyReads.into(),
        Err(error) => {
            exit::report(&error);
            exit::of(&error).into()
        }
    }
}
