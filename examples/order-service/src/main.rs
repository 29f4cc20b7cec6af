//! The command line of the order service.

use std::process::ExitCode;

use clap::Parser;
use order_service::config::{Cli, Command};
use order_service::{demo, logging, serve};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(config) => {
            logging::start(config.json, logging::SERVE);
            serve::serve(config).await
        }
        Command::Demo(config) => {
            logging::start(false, logging::DEMO);
            demo::run(config).await
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With its causes, each of which says more.
            eprintln!("order-service: {error:#}");
            ExitCode::FAILURE
        }
    }
}
