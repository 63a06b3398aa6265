//! `muniment config`: what is set, where it was set, and everything that is wrong with it at once.

use comfy_table::{Table, TableStyle};
use serde_json::json;

use crate::{
    arguments::{Configuration, ConfigurationCommand, Verify},
    commands::init::say,
    config::{self, Setting},
    exit::Exit,
};

/// Runs the command.
///
/// # Errors
/// `check`: if anything is wrong with the configuration; all of it is named. `show`: if it cannot be read.
pub fn run(configuration: &Configuration) -> anyhow::Result<Exit> {
    match &configuration.command {
        ConfigurationCommand::Check(arguments) => check(arguments),
        ConfigurationCommand::Show(arguments) => show(arguments),
    }
}

fn check(arguments: &Verify) -> anyhow::Result<Exit> {
    let problems = config::problems(&arguments.place);
    if arguments.json {
        say(&json!({ "problems": problems.0 }).to_string())?;
        return Ok(if problems.0.is_empty() { Exit::Done } else { Exit::Failed });
    }
    if !problems.0.is_empty() {
        return Err(problems.into());
    }
    let set: Vec<_> = config::settings(&arguments.place)?.into_iter().filter(Setting::is_set).collect();
    say(&table(&set).to_string())?;
    say(&format!("{} settings are set and sound; `muniment config show` has all there are", set.len()))?;
    Ok(Exit::Done)
}

fn show(arguments: &Verify) -> anyhow::Result<Exit> {
    let settings = config::settings(&arguments.place)?;
    if arguments.json {
        let rows: Vec<_> = settings
            .iter()
            .map(|setting| json!({ "key": setting.key, "value": setting.value, "from": setting.origin() }))
            .collect();
        say(&json!({ "settings": rows }).to_string())?;
    } else {
        say(&table(&settings).to_string())?;
    }
    Ok(Exit::Done)
}

fn table(settings: &[Setting]) -> Table {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(["key", "value", "from"]);
    for setting in settings {
        table.add_row([setting.key.clone(), setting.value.to_string(), setting.origin().to_owned()]);
    }
    table
}
