//! `outbox-bench`: how fast the outbox is, beside the fastest that can be written by hand.
//!
//! In reading order: what can be asked for (`cli`); where it is measured (`database`); what is written (`content`);
//! the code that is measured against (`floor`); our relay under observation, in this process (`relay`) and in
//! others (`worker`, `subprocess`); a queue's member in another process (`member`, `statements`); the scenarios (`scenarios`), each of which says how it measures and why that is
//! fair; and how results are condensed and shown (`stats`, `report`).

mod cli;
mod clock;
mod content;
mod cores;
mod database;
mod floor;
mod member;
mod progress;
mod relay;
mod report;
mod resident;
mod scenarios;
mod statements;
mod stats;
mod subprocess;
mod worker;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::cli::{Cli, Scenario};
use crate::database::Server;
use crate::report::Report;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // As in a service: what is wrong is said, and what is not asked for costs a look at a flag.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let said = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let counts = matches!(cli.scenario, Scenario::QueueWorker(_));
    tracing_subscriber::registry()
        .with(said)
        .with(counts.then(statements::counter))
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
    match &cli.scenario {
        Scenario::RelayWorker(args) => return worker::run(args).await,
        Scenario::QueueWorker(args) => return member::run(args).await,
        // Measures no database.
        Scenario::Dedupe => {
            show(cli, &scenarios::dedupe::run(&cli.common).await?);
            return Ok(());
        }
        _ => {}
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
    show(cli, &report?);
    Ok(())
}

fn show(cli: &Cli, report: &Report) {
    if cli.common.json {
        eprint!("{report}");
        println!("{}", report.to_json());
    } else {
        print!("{report}");
    }
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
        Scenario::Queue(args) => scenarios::queue::run(common, args, server).await,
        Scenario::Consume(args) => scenarios::consume::run(common, args, server).await,
        Scenario::Broker(args) => scenarios::broker::run(common, args, server).await,
        Scenario::Dedupe => bail!("it has no database"),
        Scenario::RelayWorker(_) | Scenario::QueueWorker(_) => bail!("a worker measures nothing"),
    }
}
