//! `dedupe`: how fast duplicates are told by the lock's done mark, with no database.
//!
//! A private Redis has the done marks of so many messages. The floor reads these same keys by GET; ours handles the messages
//! again, through [`IdempotentConsumer`] and the lock, which reads the mark before it would ask for a lock, and each is told
//! to be a duplicate. Both have 16 tasks over
//! one connection of the same client, which sends what several tasks ask at once together. Keys and messages are made
//! before; what a call makes of a message (the text of its id, the key's hash, the command) belongs to ours.
//!
//! The guard's pool is closed before anything is measured: a duplicate that asked the database would fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use async_trait::async_trait;
use idempotency::Idempotency;
use idempotency::consumer::{IdempotentConsumer, IdempotentHandler, NoOutbox};
use idempotency::lock::{Lock, LockKey, RedisLock};
use outbox_core::consumer::{HandleError, Handler};
use outbox_core::{Delivery, Message};
use outbox_test_harness::{Redis, RedisOptions};
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use serde_json::Map;
use sqlx::Sqlite;
use tokio::task::JoinSet;
use transaction_scope::ScopedTransaction;

use super::deliveries::deliveries;
use crate::cli::Common;
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, median, ratios};

const TURN: Duration = Duration::from_secs(2);
const ROUNDS: usize = 11;
const TARGET: f64 = 0.80;
const TASKS: usize = 16;
const MESSAGES: usize = 10_000;
const GROUP: &str = "inventory";
/// Longer than any run.
const KEEP: Duration = Duration::from_secs(86_400);

/// Is never called.
struct Never;

#[async_trait]
impl IdempotentHandler<Sqlite, NoOutbox> for Never {
    async fn handle(
        &self,
        _: &Message,
        _: &mut ScopedTransaction<Sqlite>,
        _: &NoOutbox,
    ) -> Result<(), HandleError> {
        Err(HandleError::permanent("a duplicate was taken for the first"))
    }
}

pub(crate) async fn run(common: &Common) -> Result<Report> {
    let redis = tokio::task::spawn_blocking(|| Redis::start_with(&RedisOptions::new()))
        .await?
        .context("a private Redis: install redis-server, as `cargo xtask test` does")?;
    let lock = Arc::new(RedisLock::builder(&redis.url()).build()?);
    let pool = transaction_scope::sqlite::open("sqlite::memory:").await?;
    idempotency::migrate(&pool).await?;
    let guard = Idempotency::builder(pool.clone())
        .lock(Arc::clone(&lock) as Arc<dyn Lock>)
        .build()
        .await?;
    let consumer = guard.consumer(GROUP, NoOutbox, Never)?;
    pool.close().await;

    let deliveries = deliveries(MESSAGES)?;
    let keys: Vec<LockKey> = deliveries
        .iter()
        .map(|delivery| LockKey::new(guard.namespace(), GROUP, &delivery.message().id().to_string()))
        .collect();
    for marked in lock.mark_all_done(&keys, KEEP).await {
        marked.context("marking messages as done")?;
    }
    // As they are called in Redis.
    let names = redis.client()?.run(&["KEYS", "*"])?;
    let names: Vec<String> = names.lines().map(str::to_owned).collect();
    ensure!(names.len() == MESSAGES, "there are {} marks", names.len());
    let bench = Arc::new(Bench {
        consumer,
        deliveries,
        connection: redis::Client::open(redis.url())?
            // As the lock's: no timer for each answer.
            .get_multiplexed_async_connection_with_config(
                &AsyncConnectionConfig::new().set_response_timeout(None),
            )
            .await?,
        names,
    });

    let rounds = common.rounds_or(ROUNDS, 5);
    let turn = common.seconds.map_or(TURN, |seconds| {
        TURN.min(Duration::from_secs_f64(seconds * 0.8 / (rounds * 2) as f64))
    });
    let progress = Progress::new(rounds as u64 * 2);
    let mut rates: [Vec<f64>; 2] = Default::default();
    for round in 0..rounds {
        // Who begins alternates.
        for side in [round % 2, (round + 1) % 2] {
            rates[side].push(bench.turn(side == 1, turn).await?);
            progress.step();
        }
    }
    drop(progress);
    let decisions = guard.decisions();
    ensure!(
        decisions.first == 0 && decisions.duplicate_ledger == 0 && decisions.redis_skipped == 0,
        "every duplicate is told by its mark: {decisions:?}"
    );
    let [floor, ours] = &rates;
    Ok(report(&redis, floor, ours, decisions.duplicate_mark))
}

struct Bench {
    consumer: IdempotentConsumer<Sqlite, NoOutbox, Never>,
    deliveries: Vec<Delivery>,
    connection: MultiplexedConnection,
    names: Vec<String>,
}

impl Bench {
    /// How many a second, by all tasks for so long.
    async fn turn(self: &Arc<Self>, ours: bool, turn: Duration) -> Result<f64> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let begun = Instant::now();
        for _ in 0..TASKS {
            let (bench, next) = (Arc::clone(self), Arc::clone(&next));
            let mut connection = self.connection.clone();
            tasks.spawn(async move {
                while begun.elapsed() < turn {
                    let n = next.fetch_add(1, Ordering::Relaxed) % MESSAGES;
                    if ours {
                        let handled = bench.consumer.handle(&bench.deliveries[n]).await;
                        handled.map_err(|error| anyhow!("{error}"))?;
                    } else {
                        let mut get = redis::Cmd::with_capacity(2, 128);
                        get.arg("GET").arg(bench.names[n].as_str());
                        let mark: Option<Vec<u8>> = get.query_async(&mut connection).await?;
                        mark.context("there is no mark")?;
                    }
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.context("a task panicked")??;
        }
        Ok(next.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
    }
}

fn report(redis: &Redis, floor: &[f64], ours: &[f64], duplicates: u64) -> Report {
    let ratio = Interval::of(&ratios(ours, floor));
    let mut table = Table::new(["", "duplicates/s", "lowest – highest"]);
    for (name, rates) in [("bare GET", floor), ("told by the mark", ours)] {
        let spread = Spread::of(rates);
        table.row([
            name.to_owned(),
            pretty(spread.median),
            pretty_range(spread.low, spread.high),
        ]);
    }
    table.row([
        format!("ratio (target ≥ {TARGET})"),
        pretty(ratio.median),
        pretty_range(ratio.low, ratio.high),
    ]);
    let mut settings = Map::new();
    settings.insert("redis".into(), redis.version().into());
    settings.insert("tasks".into(), TASKS.into());
    settings.insert("messages".into(), MESSAGES.into());
    let mut details = Map::new();
    details.insert("target".into(), number(TARGET));
    details.insert("ratio_interval".into(), ratio.into());
    details.insert("duplicates".into(), duplicates.into());
    details.insert("database_queries".into(), 0.into());
    Report {
        scenario: "dedupe",
        database: "none".to_owned(),
        unit: "duplicates/s",
        measured: format!(
            "{TASKS} tasks over one connection to Redis: GET of {MESSAGES} done marks, and the guard's answers to the same \
             messages. The guard's database is closed."
        ),
        floor: Some(median(floor)),
        ours: median(ours),
        ratio: Some(ratio.median),
        rounds: ours.len(),
        settings,
        details,
        table,
        notes: Vec::new(),
    }
}
