//! `outbox-bench`: how fast the outbox is, beside the fastest that can be written by hand.
//!
//! In reading order: what can be asked for (`cli`); where it is measured (`database`); what is written (`content`);
//! the code that is measured against (`floor`); our relay under observation, in this process (`relay`) and in
//! others (`worker`, `subprocess`); the scenarios (`scenarios`), each of which says how it measures and why that is
//! fair; and how results are condensed and shown (`stats`, `report`).

mod cli;
mod clock;
mod content;
mod database;
mod floor;
mod progress;
mod relay;
mod report;
mod resident;
mod scenarios;
mod stats;
mod subprocess;
mod worker;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Scenario};
use crate::database::Server;
use crate::report::Report;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // As in a service: what is wrong is said, and what is not asked for costs a look at a flag.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match start(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: &Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(run(cli))
}

async fn run(cli: &Cli) -> Result<()> {
    if let Scenario::RelayWorker(args) = &cli.scenario {
        return worker::run(args).await;
    }
    let mut server = Server::start(&cli.common.database).await?;
    let report = tokio::select! {
        report = measure(cli, &mut server) => report,
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Err(anyhow::anyhow!("interrupted")),
            Err(error) => Err(error).context("listening for an interruption"),
        },
    };
    server.clean_up().await;
    let report = report?;
    if cli.common.json {
        eprint!("{report}");
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(())
}

async fn measure(cli: &Cli, server: &mut Server) -> Result<Report> {
    let common = &cli.common;
    match &cli.scenario {
        Scenario::Publish(args) => scenarios::publish::run(common, args, server).await,
        Scenario::Relay(args) => scenarios::relay::run(common, args, server).await,
        Scenario::Bloat(args) => scenarios::bloat::run(common, args, server).await,
        Scenario::Latency(args) => scenarios::latency::run(common, args, server).await,
        Scenario::Idle => scenarios::idle::run(common, server).await,
        Scenario::Memory(args) => scenarios::memory::run(common, args, server).await,
        Scenario::Scale(args) => scenarios::scale::run(common, args, server).await,
        Scenario::RelayWorker(_) => bail!("a worker measures nothing"),
    }
}
