//! `cargo xtask with-postgres -- <command>` and `cargo xtask with-mysql -- <command>`.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result};
use outbox_test_harness::{MysqlOptions, PostgresOptions};

use crate::cli::{Setting, WithMysqlArguments, WithPostgresArguments};
use crate::servers;

/// What shells add to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;

pub(crate) fn postgres(arguments: &WithPostgresArguments) -> Result<ExitCode> {
    let options = with_settings(
        &arguments.settings,
        PostgresOptions::new(),
        PostgresOptions::setting,
    );
    let server = servers::private_postgres(options)?;
    run(&arguments.command, server.version(), &server.url())
}

pub(crate) fn mysql(arguments: &WithMysqlArguments) -> Result<ExitCode> {
    let options = with_settings(&arguments.settings, MysqlOptions::new(), MysqlOptions::setting);
    let server = servers::private_mysql(options)?;
    run(&arguments.command, server.version(), &server.url())
}

fn with_settings<O>(settings: &[Setting], none: O, add: impl Fn(O, String, String) -> O) -> O {
    settings
        .iter()
        .cloned()
        .fold(none, |options, (name, value)| add(options, name, value))
}

/// The caller keeps the server until the command has ended.
fn run(command: &[String], version: &str, url: &str) -> Result<ExitCode> {
    eprintln!("{version} at {url}");
    let (program, rest) = command.split_first().context("no command given")?;
    let mut command = Command::new(program);
    command.args(rest).env("DATABASE_URL", url);
    let status = command.status().with_context(|| format!("can't run {program}"))?;
    Ok(exit_code(status))
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
