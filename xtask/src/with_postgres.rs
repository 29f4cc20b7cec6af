//! `cargo xtask with-postgres -- <command>`.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result};
use outbox_test_harness::PostgresOptions;

use crate::cli::WithPostgresArguments;
use crate::servers;

/// What shells add to the number of the signal that ended a command.
const SIGNALLED: i32 = 128;

pub(crate) fn run(arguments: &WithPostgresArguments) -> Result<ExitCode> {
    let options = arguments
        .settings
        .iter()
        .fold(PostgresOptions::new(), |options, (name, value)| {
            options.setting(name.as_str(), value)
        });
    let server = servers::private_postgres(&options)?;
    eprintln!("{} at {}", server.version(), server.url());
    let (program, rest) = arguments.command.split_first().context("no command given")?;
    let mut command = Command::new(program);
    command.args(rest).env("DATABASE_URL", server.url());
    let status = command.status().with_context(|| format!("can't run {program}"))?;
    Ok(exit_code(status))
}

fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
