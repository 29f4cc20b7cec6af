//! The project's own commands, run as `cargo xtask <command>`.

mod apt;
mod cargo_test;
mod cli;
mod containers;
mod engine;
mod failure;
mod images;
mod left_out;
mod matrix;
mod servers;
mod stages;
mod test_command;
mod with_server;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test(arguments) => test_command::run(&arguments),
        Command::WithPostgres(arguments) => with_server::postgres(&arguments),
        Command::WithMysql(arguments) => with_server::mysql(&arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
