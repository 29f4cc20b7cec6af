//! A relay in a process of its own, to be killed, frozen and cut off by tests.
//!
//! Prints `ready` when it runs, `frozen` when its sink stops it, and its figures when it was stopped.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use outbox_core::relay::{RelayConfig, Stopped};
use outbox_core::retry::RetryPolicy;
use outbox_tests::{Backend, Journal, JournalSink, SinkRules};
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    database: String,
    #[arg(long)]
    journal: PathBuf,
    #[arg(long, default_value_t = 1_000)]
    lease_ms: u64,
    #[arg(long, default_value_t = 500)]
    publish_timeout_ms: u64,
    #[arg(long, default_value_t = 200)]
    page_rows: usize,
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    #[arg(long)]
    max_batch: Option<usize>,
    #[arg(long)]
    down: Option<PathBuf>,
    #[arg(long)]
    refuse: Option<PathBuf>,
    #[arg(long)]
    freeze_key: Option<String>,
    #[arg(long)]
    abort_before: Option<u32>,
    #[arg(long)]
    abort_after: Option<u32>,
    #[arg(long, default_value_t = 1_000)]
    max_attempts: u32,
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter("outbox=info,outbox_core=info")
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let backend = Backend::connect(&arguments.database).await?;
    let rules = SinkRules {
        latency: Duration::from_millis(arguments.latency_ms),
        down: arguments.down,
        refuse: arguments.refuse,
        freeze_key: arguments.freeze_key,
        abort_before: arguments.abort_before,
        abort_after: arguments.abort_after,
        max_batch: arguments.max_batch,
    };
    let mut config = RelayConfig::default();
    config.lease = Duration::from_millis(arguments.lease_ms);
    config.publish_timeout = Duration::from_millis(arguments.publish_timeout_ms);
    config.page_rows = arguments.page_rows;
    config.drain_timeout = Duration::from_secs(5);
    config.default_policy = RetryPolicy::DEFAULT
        .with_max_attempts(arguments.max_attempts)
        .with_backoff(
            Duration::from_millis(10),
            Duration::from_millis(20),
            Duration::from_millis(200),
        );
    let relay = backend.relay(
        JournalSink::new(Journal::open(&arguments.journal)?, rules),
        config,
    )?;
    let stats = relay.stats();
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        asked.cancel();
    });
    println!("ready");
    let stopped: Stopped = relay.run(stop).await;
    println!(
        "stopped clean={} delivered={} refused={} fenced={} late={} reason={:?}",
        stopped.is_clean(),
        stopped.delivered,
        stats.refused.get(),
        stats.fenced.get(),
        stats.late.get(),
        stopped.reason
    );
    Ok(())
}
