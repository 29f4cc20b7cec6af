//! A consumer of the durable queue in a process of its own, to be killed, frozen and poisoned by tests. Its handler
//! writes each message to a journal before anything else. With `--confirm` it takes effect once, by a unique key, and then
//! confirms to the sender.
//!
//! Prints `ready` when it runs, `holding` when it holds a message, `committed` when it was told to wait after an effect,
//! and its figures when it was stopped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use outbox_core::Message;
use outbox_core::confirmation::Confirming;
use outbox_core::consumer::{Consumer, HandleError};
use outbox_core::retry::RetryPolicy;
use outbox_tests::{Backend, Journal, TOPIC, on_pool};
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    database: String,
    #[arg(long)]
    group: String,
    #[arg(long)]
    journal: PathBuf,
    #[arg(long, default_value_t = 1_000)]
    lease_ms: u64,
    #[arg(long, default_value_t = 0)]
    handler_ms: u64,
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    #[arg(long, default_value_t = 1_000)]
    max_attempts: u32,
    /// One attempt in so many fails.
    #[arg(long)]
    fail_one_in: Option<u32>,
    /// The handler of this key's messages aborts the process.
    #[arg(long)]
    abort_key: Option<String>,
    /// The handler of this key's messages waits until there is this file.
    #[arg(long, num_args = 2)]
    hold_key: Option<Vec<String>>,
    /// Writes an effect and confirms it.
    #[arg(long)]
    confirm: bool,
    /// Waits between the effect and its confirmation until there is this file.
    #[arg(long)]
    hold_committed: Option<PathBuf>,
}

struct Handler {
    arguments: Arguments,
    journal: Journal,
    backend: Backend,
}

impl Handler {
    async fn handle(&self, message: Message) -> Result<(), HandleError> {
        self.journal
            .append(std::slice::from_ref(&message))
            .map_err(|error| HandleError::retryable(error.to_string()))?;
        let key = message.key();
        if key.is_some() && key == self.arguments.abort_key.as_deref() {
            std::process::abort();
        }
        if let Some([held, until]) = self.arguments.hold_key.as_deref()
            && key == Some(held)
            && !std::fs::exists(until).unwrap_or(true)
        {
            println!("holding");
            while !std::fs::exists(until).unwrap_or(true) {
                // A folder tells nobody when it gets a file.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        if self.arguments.confirm {
            self.take_effect(&message)
                .await
                .map_err(|error| HandleError::retryable(error.to_string()))?;
        }
        if let Some(until) = &self.arguments.hold_committed {
            println!("committed");
            while !std::fs::exists(until).unwrap_or(true) {
                // A folder tells nobody when it gets a file.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        if self.arguments.handler_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.arguments.handler_ms)).await;
        }
        if self
            .arguments
            .fail_one_in
            .is_some_and(|n| fastrand::u32(0..n) == 0)
        {
            return Err(HandleError::retryable("failed by chance"));
        }
        Ok(())
    }

    /// Once per message: a second time the unique key is in the way, which is what a ledger is.
    async fn take_effect(&self, message: &Message) -> Result<()> {
        let insert = self.backend.ask(
            "INSERT INTO effect (message_id) VALUES ($1)",
            "INSERT INTO effect (message_id) VALUES (?)",
        );
        let id = message.id().to_string();
        let done =
            on_pool!(&self.backend, pool => sqlx::query(insert).bind(id).execute(pool).await.map(drop));
        match done {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(()),
            other => Ok(other?),
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter("outbox=info,outbox_core=error,outbox_sqlx=info")
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let lease = Duration::from_millis(arguments.lease_ms);
    let backend = Backend::connect(&arguments.database).await?;
    let queue = backend.queue(lease)?;
    if arguments.confirm {
        backend
            .execute("CREATE TABLE IF NOT EXISTS effect (message_id VARCHAR(36) PRIMARY KEY)")
            .await?;
    }
    let confirm = arguments.confirm;
    let group = arguments.group.clone();
    let subscriber = queue.subscribe(arguments.group.as_str(), [TOPIC]).await?;
    let (concurrency, max_attempts) = (arguments.concurrency, arguments.max_attempts);
    let journal = Journal::open(&arguments.journal)?;
    let handler = Arc::new(Handler {
        arguments,
        journal,
        backend,
    });
    let handle = move |message| {
        let handler = Arc::clone(&handler);
        async move { handler.handle(message).await }
    };
    let builder = if confirm {
        let publisher = Arc::new(queue.publisher());
        Consumer::builder(subscriber, Confirming::new(group, publisher, handle))
    } else {
        Consumer::builder(subscriber, handle)
    };
    let consumer = builder
        .concurrency(concurrency)
        .handler_timeout(lease / 2)
        .drain_deadline(Duration::from_secs(5))
        .retry(RetryPolicy::DEFAULT.with_max_attempts(max_attempts).with_backoff(
            Duration::from_millis(5),
            Duration::from_millis(10),
            Duration::from_millis(100),
        ))
        .build()?;
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        asked.cancel();
    });
    println!("ready");
    let stopped = consumer.run(stop).await;
    println!(
        "stopped handled={} failed={} dead={} unsettled={} abandoned={} reason={:?}",
        stopped.handled, stopped.failed, stopped.dead, stopped.unsettled, stopped.abandoned, stopped.reason
    );
    Ok(())
}
