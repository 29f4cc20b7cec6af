//! A consumer whose messages take effect once, in a process of its own: to be killed at each step, and frozen.
//!
//! Its handler writes a row to the table `effect`, which has no unique index, in the transaction that it is given. Prints
//! `ready` when it runs, `holding` when it holds a message in its handler, and its decisions when it was stopped.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use clap::{Parser, ValueEnum};
use idempotency::consumer::{IdempotentHandler, NoOutbox};
use idempotency::lock::{Acquired, Lock, LockError, LockKey, RedisLock, Token};
use idempotency::{Idempotency, LedgerDatabase};
use outbox_core::consumer::{Consumer, HandleError, Handler};
use outbox_core::{Delivery, Message};
use outbox_tests::{Effects, TOPIC};
use sqlx::Pool;
use tokio_util::sync::CancellationToken;
use transaction_scope::ScopedTransaction;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    database: String,
    #[arg(long)]
    redis: String,
    #[arg(long)]
    group: String,
    /// Of the queue's member.
    #[arg(long, default_value_t = 1_000)]
    lease_ms: u64,
    /// Of the lock.
    #[arg(long, default_value_t = 2_000)]
    lock_lease_ms: u64,
    /// Dies at this step of the message with the key `fatal`.
    #[arg(long)]
    die: Option<Step>,
    /// The handler of this key's messages waits until there is this file.
    #[arg(long, num_args = 2)]
    hold_key: Option<Vec<String>>,
    /// The database ends a session that leaves its transaction alone for so long (Postgres).
    #[arg(long)]
    idle_in_transaction_ms: Option<u64>,
}

/// Where it dies: GUARANTEES, faults of a consumer. (The done mark is written before the ack, and with it the lock goes.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    BeforeLock,
    AfterLock,
    AfterLedgerRow,
    AfterEffect,
    AfterCommit,
    BeforeAck,
}

/// The key of the message at which it dies.
const FATAL: &str = "fatal";

fn die() -> ! {
    let me = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args(["-9", &me]).status();
    std::process::abort();
}

/// A lock that does not outlive its process.
struct MortalLock {
    lock: RedisLock,
    dies: Option<(Step, LockKey)>,
}

impl MortalLock {
    fn dies(&self, step: Step, key: &LockKey) -> bool {
        self.dies
            .as_ref()
            .is_some_and(|(at, fatal)| *at == step && fatal == key)
    }
}

#[async_trait]
impl Lock for MortalLock {
    async fn acquire(&self, key: &LockKey, lease: Duration) -> Result<Acquired, LockError> {
        if self.dies(Step::BeforeLock, key) {
            die();
        }
        let acquired = self.lock.acquire(key, lease).await;
        if self.dies(Step::AfterLock, key) {
            die();
        }
        acquired
    }

    async fn extend(&self, key: &LockKey, token: Token, lease: Duration) -> Result<bool, LockError> {
        self.lock.extend(key, token, lease).await
    }

    async fn release(&self, key: &LockKey, token: Token) -> Result<bool, LockError> {
        self.lock.release(key, token).await
    }

    /// Called right after the commit.
    async fn mark_done(&self, key: &LockKey, keep: Duration) -> Result<(), LockError> {
        if self.dies(Step::AfterCommit, key) {
            die();
        }
        self.lock.mark_done(key, keep).await
    }
}

struct Effect {
    group: String,
    die: Option<Step>,
    hold_key: Option<Vec<String>>,
}

impl Effect {
    fn dies(&self, step: Step, message: &Message) -> bool {
        self.die == Some(step) && message.key() == Some(FATAL)
    }
}

#[async_trait]
impl<DB: LedgerDatabase + Effects> IdempotentHandler<DB, NoOutbox> for Effect {
    async fn handle(
        &self,
        message: &Message,
        tx: &mut ScopedTransaction<DB>,
        _: &NoOutbox,
    ) -> Result<(), HandleError> {
        if self.dies(Step::AfterLedgerRow, message) {
            die();
        }
        if let Some([held, until]) = self.hold_key.as_deref()
            && message.key() == Some(held)
            && !std::fs::exists(until).unwrap_or(true)
        {
            println!("holding");
            while !std::fs::exists(until).unwrap_or(true) {
                // A folder tells nobody when it gets a file.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        DB::take_effect(&mut *tx, &self.group, message.id()).await?;
        if self.dies(Step::AfterEffect, message) {
            die();
        }
        Ok(())
    }
}

/// Dies between the handler's end and the ack.
struct Acknowledging<H> {
    handler: H,
    dies: bool,
}

#[async_trait]
impl<H: Handler> Handler for Acknowledging<H> {
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        self.handler.handle(delivery).await?;
        if self.dies && delivery.message().key() == Some(FATAL) {
            die();
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter("outbox_core=error,outbox_sqlx=info,idempotency=info")
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    if arguments.database.starts_with("mysql") {
        let pool = outbox_sqlx::mysql::pool_options()
            .connect(&arguments.database)
            .await?;
        return run(arguments, pool).await;
    }
    if arguments.database.starts_with("sqlite") {
        let pool = outbox_sqlx::sqlite::open(&arguments.database).await?;
        return run(arguments, pool).await;
    }
    let mut options: sqlx::postgres::PgConnectOptions = arguments.database.parse()?;
    if let Some(idle) = arguments.idle_in_transaction_ms {
        options = options.options([("idle_in_transaction_session_timeout", idle.to_string())]);
    }
    let pool = sqlx::PgPool::connect_with(options).await?;
    run(arguments, pool).await
}

async fn run<DB>(arguments: Arguments, pool: Pool<DB>) -> Result<()>
where
    DB: LedgerDatabase + Effects + outbox_sqlx::queue::QueueDatabase,
{
    let lease = Duration::from_millis(arguments.lease_ms);
    let namespace = Idempotency::builder(pool.clone()).build().await?.namespace();
    let fatal = DB::fatal(&pool, FATAL).await?;
    let dies = arguments
        .die
        .zip(fatal)
        .map(|(step, id)| (step, LockKey::new(namespace, &arguments.group, &id.to_string())));
    let lock = RedisLock::builder(&arguments.redis).build()?;
    let guard = Idempotency::builder(pool.clone())
        .lock(Arc::new(MortalLock { lock, dies }))
        .lease(Duration::from_millis(arguments.lock_lease_ms))
        .lock_timeout(Duration::from_millis(300))
        .build()
        .await?;
    let handler = guard.consumer(
        arguments.group.as_str(),
        NoOutbox,
        Effect {
            group: arguments.group.clone(),
            die: arguments.die,
            hold_key: arguments.hold_key,
        },
    )?;
    let queue = outbox_sqlx::queue::SqlQueue::builder(pool).lease(lease).build()?;
    let subscriber = queue.subscribe(arguments.group.as_str(), [TOPIC]).await?;
    let handler = Acknowledging {
        handler,
        dies: arguments.die == Some(Step::BeforeAck),
    };
    let consumer = Consumer::builder(subscriber, handler)
        .handler_timeout(lease / 2)
        .drain_deadline(Duration::from_secs(5))
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
    println!("stopped handled={} {:?}", stopped.handled, guard.decisions());
    Ok(())
}
