//! The command line. Its flags are made from [`SETTINGS`], so that each setting has one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use outbox_sqlx::Dialect;

use crate::config::{Config, ConfigErrors, PREFIX, Purpose, SETTINGS, Setting, Shown, Sources};

/// What is looked for when nobody names a file.
const DEFAULT_FILE: &str = "outbox-relay.toml";
const CONFIG: &str = "config";
const CONFIG_VARIABLE: &str = "OUTBOX_CONFIG";
const DIALECT: &str = "dialect";
const DIALECTS: [Dialect; 3] = [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite];

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Show the configuration.
    Config,
    /// Make the outbox's tables, or bring them to this version.
    Migrate,
    /// Print them as SQL.
    Schema(Dialect),
}

/// The command line's grammar.
pub fn command() -> Command {
    let file = Arg::new(CONFIG)
        .long("config")
        .value_name("FILE")
        .env(CONFIG_VARIABLE)
        .value_parser(value_parser!(PathBuf))
        .value_hint(ValueHint::FilePath)
        .global(true)
        .help(format!(
            "The file with the settings [default: {DEFAULT_FILE}, if it is there]"
        ));
    let dialect = Arg::new(DIALECT)
        .value_parser(DIALECTS.map(|dialect| PossibleValue::new(dialect.to_string())))
        .required(true)
        .help("For which database");
    Command::new("outbox-relay")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Delivers the messages of an outbox to message brokers")
        .after_help(
            "Each setting can stand in the file, in the environment (database.url is OUTBOX_DATABASE_URL) and here; what is \
             said here counts most, then the environment.\n\nExit codes: 0 done, 1 failed, 2 the command line or the \
             configuration is wrong.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(file)
        .args(SETTINGS.iter().map(flag))
        .subcommand(Command::new("config").about(
            "Check the configuration and show it, with where each value came from and without secrets",
        ))
        .subcommand(
            Command::new("migrate").about("Make the outbox's tables in the database, or bring them to this version"),
        )
        .subcommand(
            Command::new("schema")
                .about("Print the outbox's tables as SQL, for migration tools of your own")
                .arg(dialect),
        )
}

fn flag(setting: &'static Setting) -> Arg {
    let help = match setting.default {
        Some(default) => format!("{} [default: {default}]", setting.help),
        None => setting.help.to_owned(),
    };
    Arg::new(setting.key)
        .long(setting.flag())
        .value_name(setting.kind.placeholder())
        .action(match setting.kind.is_table() {
            true => ArgAction::Append,
            false => ArgAction::Set,
        })
        .global(true)
        .help_heading("Settings")
        .help(help)
}

/// What is asked for.
pub fn action(matches: &ArgMatches) -> Action {
    match matches.subcommand() {
        Some(("migrate", _)) => Action::Migrate,
        Some(("schema", arguments)) => {
            let name = arguments.get_one::<String>(DIALECT);
            let dialect = DIALECTS
                .into_iter()
                .find(|dialect| Some(&dialect.to_string()) == name);
            // One of them is asked for: the grammar has no other.
            dialect.map_or(Action::Config, Action::Schema)
        }
        _ => Action::Config,
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum NoConfig {
    /// What was said is wrong.
    Wrong(ConfigErrors),
    /// The file can't be read.
    Unreadable(anyhow::Error),
}

/// The configuration of this command line, with the environment and the file that it names.
///
/// # Errors
/// The file can't be read, or what is said can't be.
pub fn configuration(matches: &ArgMatches, purpose: Purpose) -> Result<(Config, Shown), NoConfig> {
    let arguments = matches.subcommand().map_or(matches, |(_, arguments)| arguments);
    let file = file(arguments).map_err(NoConfig::Unreadable)?;
    let file = file.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
    // What is not UTF-8 is not what a setting has to be, and is named like any other such value.
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let environment = std::env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    let flags = SETTINGS.iter().filter_map(|setting| {
        let texts: Vec<String> = arguments.get_many(setting.key)?.cloned().collect();
        Some((setting, texts))
    });
    let sources = Sources {
        file,
        environment,
        flags: flags.collect(),
    };
    sources.read(purpose).map_err(NoConfig::Wrong)
}

fn file(arguments: &ArgMatches) -> Result<Option<(PathBuf, String)>> {
    let path = match arguments.get_one::<PathBuf>(CONFIG) {
        Some(path) => path.clone(),
        None if Path::new(DEFAULT_FILE).exists() => DEFAULT_FILE.into(),
        None => return Ok(None),
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
    Ok(Some((path, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn a_flag_counts_wherever_it_stands() {
        for line in [
            &["outbox-relay", "--relay-lease", "20s", "config"][..],
            &["outbox-relay", "config", "--relay-lease", "20s"],
        ] {
            let matches = command().try_get_matches_from(line).unwrap();
            assert_eq!(action(&matches), Action::Config);
            let (_, arguments) = matches.subcommand().unwrap();
            assert_eq!(
                arguments.get_one::<String>("relay.lease").map(String::as_str),
                Some("20s")
            );
        }
    }
}
