//! `idle`: what a relay costs when nothing happens, and how soon it is there for the first message after that.
//!
//! Two relays, each in a process and with a database of its own: one polls only, one is also told by debounced
//! NOTIFY (Postgres). A message wakes them; then there is silence. After the silence, for a while, their statements
//! are counted (by themselves, and on Postgres by the server: pg_stat_statements would have to be installed, but
//! pg_stat_database counts transactions) and their processor time is read from the kernel. Then a message is
//! committed at a moment that has nothing to do with their polling, and the time runs from the answer to its commit
//! to the arrival at the sink in the other process, by the clock that both share. Silence and message repeat.

use std::time::Duration;

use anyhow::{Context, Result};
use outbox_core::Message;
use outbox_sqlx::Outbox;
use outbox_sqlx::postgres::Notifier;
use serde_json::{Map, Value, json};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Pool, Postgres, Sqlite};

use crate::cli::Common;
use crate::clock;
use crate::content::{self, TOPIC};
use crate::database::{Database, Engine, Kind, Server, connect_postgres};
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Spread, median};
use crate::subprocess::{Worker, WorkerSetup};

const SILENCE: Duration = Duration::from_secs(10);
const COUNT: Duration = Duration::from_secs(10);
const ROUNDS: usize = 5;
/// A message is committed so much later at most, at random: five idle polls.
const AT_RANDOM: Duration = Duration::from_secs(1);
/// The server writes its counters down at most once a second.
pub(crate) const COUNTERS: &str =
    "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";

pub(crate) const TARGET_QUERIES: f64 = 10.0;
pub(crate) const TARGET_CPU_PERCENT: f64 = 0.5;

/// How long the parts of a round take. Short ones are told from full ones by a scenario's settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) silence: Duration,
    pub(crate) count: Duration,
    at_random: Duration,
}

impl Times {
    pub(crate) fn new(common: &Common, rounds: usize) -> Self {
        let part = |full: Duration, of_time: f64| {
            common.seconds.map_or(full, |seconds| {
                full.min(Duration::from_secs_f64(seconds * of_time / rounds as f64))
            })
        };
        Self {
            silence: part(SILENCE, 0.4),
            count: part(COUNT, 0.3),
            at_random: part(AT_RANDOM, 0.2),
        }
    }

    /// How much later the message is committed, this time.
    pub(crate) fn at_random(&self) -> Duration {
        self.at_random.mul_f64(fastrand::f64())
    }

    /// What is to be said where the silence is cut short.
    pub(crate) fn too_short(&self, who: &str) -> Option<String> {
        (self.silence < SILENCE).then(|| {
            format!("After less than {SILENCE:?} of silence {who} still polls faster than the targets allow.")
        })
    }
}

/// A relay, its database, and what was found.
struct Side<E: Engine> {
    name: &'static str,
    key: &'static str,
    target_ms: f64,
    pool: Pool<E>,
    outbox: Outbox,
    relay: Worker,
    counters: Option<PgConnection>,
    queries: Vec<f64>,
    transactions: Vec<f64>,
    cpu_percent: Vec<f64>,
    first_ms: Vec<f64>,
}

pub(crate) async fn run(common: &Common, server: &mut Server) -> Result<Report> {
    match server.kind() {
        Kind::Postgres => {
            let (polling, notified) = (server.database().await?, server.database().await?);
            let options: PgConnectOptions = notified.url.parse().context("the database's URL")?;
            let told = Outbox::builder().notifier(Notifier::start(options)).build();
            let mut sides = vec![
                side::<Postgres>(
                    &polling,
                    "polling only",
                    "polling_only",
                    200.0,
                    Outbox::new(),
                    false,
                )
                .await?,
                side::<Postgres>(&notified, "debounced NOTIFY", "debounced_notify", 5.0, told, true).await?,
            ];
            for (side, database) in sides.iter_mut().zip([&polling, &notified]) {
                side.counters = Some(connect_postgres(&database.url).await?);
            }
            measure(common, server, sides).await
        }
        Kind::Sqlite => {
            let database = server.database().await?;
            let side = side::<Sqlite>(
                &database,
                "polling only",
                "polling_only",
                200.0,
                Outbox::new(),
                false,
            )
            .await?;
            measure(common, server, vec![side]).await
        }
    }
}

async fn side<E: Engine>(
    database: &Database,
    name: &'static str,
    key: &'static str,
    target_ms: f64,
    outbox: Outbox,
    listen: bool,
) -> Result<Side<E>> {
    let setup = WorkerSetup {
        listen,
        each: true,
        ..WorkerSetup::default()
    };
    Ok(Side {
        name,
        key,
        target_ms,
        pool: E::pool(&database.url, 1).await?,
        outbox,
        relay: Worker::start(database, setup).await?,
        counters: None,
        queries: Vec::new(),
        transactions: Vec::new(),
        cpu_percent: Vec::new(),
        first_ms: Vec::new(),
    })
}

impl<E: Engine> Side<E> {
    /// Commits a message and waits for it. Milliseconds from the answer to its commit to the sink.
    async fn message(&mut self, n: u64) -> Result<f64> {
        let message = Message::builder(TOPIC)
            .key(content::key(n))
            .payload(content::payload(n), outbox_core::Headers::DEFAULT_CONTENT_TYPE)
            .build()?;
        let id = message.id().0;
        let outbox = &self.outbox;
        outbox
            .transaction(&self.pool, async |tx| {
                E::publish(outbox, tx.as_mut(), message).await
            })
            .await?;
        let committed = clock::now();
        let arrived = self.relay.until_message(id).await?;
        Ok(arrived.saturating_sub(committed).as_secs_f64() * 1e3)
    }

    /// Statements by the relay's own count, transactions by the server's, and processor time.
    async fn counted(&mut self) -> Result<Counted> {
        let transactions = match &mut self.counters {
            Some(connection) => Some(sqlx::query_scalar(COUNTERS).fetch_one(connection).await?),
            None => None,
        };
        Ok(Counted {
            statements: self.relay.statements().await?,
            transactions,
            cpu: clock::cpu_time(self.relay.pid())?,
            at: clock::now(),
        })
    }
}

struct Counted {
    statements: u64,
    transactions: Option<i64>,
    cpu: Duration,
    at: Duration,
}

async fn measure<E: Engine>(common: &Common, server: &Server, mut sides: Vec<Side<E>>) -> Result<Report> {
    let rounds = common.rounds_or(ROUNDS, 2);
    let times = Times::new(common, rounds);
    let progress = Progress::new(rounds as u64);
    for side in &mut sides {
        side.message(0).await?;
    }
    for round in 0..rounds {
        progress.says(format!("round {} of {rounds}: silence", round + 1));
        tokio::time::sleep(times.silence).await;
        let mut before = Vec::new();
        for side in &mut sides {
            before.push(side.counted().await?);
        }
        progress.says(format!("round {} of {rounds}: counting", round + 1));
        tokio::time::sleep(times.count).await;
        for (side, before) in sides.iter_mut().zip(&before) {
            let after = side.counted().await?;
            let seconds = (after.at - before.at).as_secs_f64();
            side.queries
                .push((after.statements - before.statements) as f64 / seconds);
            side.cpu_percent
                .push((after.cpu - before.cpu).as_secs_f64() / seconds * 100.0);
            if let (Some(after), Some(before)) = (after.transactions, before.transactions) {
                side.transactions.push((after - before) as f64 / seconds);
            }
        }
        tokio::time::sleep(times.at_random()).await;
        for side in &mut sides {
            let waited = side.message(round as u64 + 1).await?;
            side.first_ms.push(waited);
        }
        progress.step();
    }
    drop(progress);
    let report = report(common, server, &sides, times);
    for side in sides {
        side.relay.stop().await?;
        side.pool.close().await;
    }
    Ok(report)
}

fn report<E: Engine>(common: &Common, server: &Server, sides: &[Side<E>], times: Times) -> Report {
    let mut table = Table::new(["an idle relay", "median", "lowest – highest", "target"]);
    let mut details = Map::new();
    for side in sides {
        let (queries, cpu, first) = (
            Spread::of(&side.queries),
            Spread::of(&side.cpu_percent),
            Spread::of(&side.first_ms),
        );
        for (what, spread, target) in [
            ("statements/s", queries, TARGET_QUERIES),
            ("processor, % of a core", cpu, TARGET_CPU_PERCENT),
            ("first message after it, ms", first, side.target_ms),
        ] {
            table.row([
                format!("{}: {what}", side.name),
                pretty(spread.median),
                pretty_range(spread.low, spread.high),
                format!("≤ {target}"),
            ]);
        }
        details.insert(
            side.key.to_owned(),
            json!({
                "statements_per_second": Value::from(queries),
                "transactions_per_second": number(median(&side.transactions)),
                "cpu_percent": Value::from(cpu),
                "first_message_ms": Value::from(first),
            }),
        );
        if !side.transactions.is_empty() {
            let spread = Spread::of(&side.transactions);
            table.row([
                format!("{}: transactions/s, by the server", side.name),
                pretty(spread.median),
                pretty_range(spread.low, spread.high),
                String::new(),
            ]);
        }
    }
    let mut notes = vec![
        "The server's count also has what this program asks it, once a round, and its own maintenance."
            .to_owned(),
    ];
    notes.extend(times.too_short("a relay"));
    let mut settings = server.settings();
    settings.insert("silence_seconds".into(), number(times.silence.as_secs_f64()));
    settings.insert("count_seconds".into(), number(times.count.as_secs_f64()));
    Report {
        scenario: "idle",
        database: common.database.to_string(),
        unit: "statements/s",
        measured: format!(
            "A relay in a process of its own, after {} s of silence; then the first message.",
            pretty(times.silence.as_secs_f64())
        ),
        floor: None,
        ours: sides.first().map_or(f64::NAN, |side| median(&side.queries)),
        ratio: None,
        rounds: sides.first().map_or(0, |side| side.queries.len()),
        settings,
        details,
        table,
        notes,
    }
}
