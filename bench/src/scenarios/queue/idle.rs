//! `--idle`: what a member of a consumer group costs when nothing happens, and how soon it is there for the first message
//! after that.
//!
//! Two members, each in a process and with a database of its own, on a topic of eight queues: one polls only, one has
//! notifications (Postgres). A message wakes them; then there is silence. After the silence, for a while, their
//! statements are counted (by their driver's log, and on Postgres the server's count of transactions beside it) and their
//! processor time is read from the kernel. Then a message is appended by this process, through a handle of the queue of
//! its own, at a moment that has nothing to do with their polling, and the time runs from the answer to the arrival at
//! the handler in the other process, by the clock that both share. Silence and message repeat.

use std::time::Duration;

use anyhow::Result;
use outbox_core::Publisher as _;
use outbox_sqlx::queue::SqlQueue;
use serde_json::{Map, Value, json};
use sqlx::Pool;
use sqlx::postgres::PgConnection;

use super::{QUEUES, ours};
use crate::cli::Common;
use crate::clock;
use crate::content::{self, TOPIC};
use crate::database::{Kind, Server, connect_postgres};
use crate::floor::log::BareLog;
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::scenarios::idle::{COUNTERS, TARGET_CPU_PERCENT, TARGET_QUERIES, Times};
use crate::stats::{Spread, median};
use crate::subprocess::{MemberSetup, Worker};

const ROUNDS: usize = 5;
const CONNECTIONS: u32 = 3;

/// A member, its database, and what was found.
struct Side<E: BareLog> {
    name: &'static str,
    key: &'static str,
    target_ms: f64,
    pool: Pool<E>,
    queue: SqlQueue,
    member: Worker,
    counters: Option<PgConnection>,
    queries: Vec<f64>,
    transactions: Vec<f64>,
    cpu_percent: Vec<f64>,
    first_ms: Vec<f64>,
}

pub(super) async fn run<E: BareLog>(common: &Common, server: &mut Server) -> Result<Report> {
    let mut sides = vec![side::<E>(server, "polling only", "polling_only", 200.0, false).await?];
    if server.kind() == Kind::Postgres {
        sides.push(side::<E>(server, "notifications", "notifications", 5.0, true).await?);
    }
    measure(common, server, sides).await
}

async fn side<E: BareLog>(
    server: &mut Server,
    name: &'static str,
    key: &'static str,
    target_ms: f64,
    notifications: bool,
) -> Result<Side<E>> {
    let database = server.database().await?;
    let pool = E::pool(&database.url, CONNECTIONS).await?;
    let queue = SqlQueue::builder(pool.clone())
        .notifications(notifications)
        .build()?;
    queue.declare_topic(TOPIC, QUEUES).await?;
    let setup = MemberSetup {
        notifications,
        each: true,
        ..MemberSetup::default()
    };
    let counters = match database.kind {
        Kind::Postgres => Some(connect_postgres(&database.url).await?),
        Kind::Sqlite => None,
    };
    Ok(Side {
        name,
        key,
        target_ms,
        pool,
        queue,
        member: Worker::start_member(&database, setup).await?,
        counters,
        queries: Vec::new(),
        transactions: Vec::new(),
        cpu_percent: Vec::new(),
        first_ms: Vec::new(),
    })
}

struct Counted {
    statements: u64,
    transactions: Option<i64>,
    cpu: Duration,
    at: Duration,
}

impl<E: BareLog> Side<E> {
    /// Appends a message and waits for it. Milliseconds from the answer to the handler.
    async fn message(&mut self, n: u64) -> Result<f64> {
        let message = ours::message(n, &content::payload(n))?;
        let id = message.id().0;
        for answer in self.queue.publisher().publish(&[message]).await {
            answer?;
        }
        let answered = clock::now();
        let arrived = self.member.until_message(id).await?;
        Ok(arrived.saturating_sub(answered).as_secs_f64() * 1e3)
    }

    async fn counted(&mut self) -> Result<Counted> {
        let transactions = match &mut self.counters {
            Some(connection) => Some(sqlx::query_scalar(COUNTERS).fetch_one(connection).await?),
            None => None,
        };
        Ok(Counted {
            statements: self.member.statements().await?,
            transactions,
            cpu: clock::cpu_time(self.member.pid())?,
            at: clock::now(),
        })
    }
}

async fn measure<E: BareLog>(common: &Common, server: &Server, mut sides: Vec<Side<E>>) -> Result<Report> {
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
        side.member.stop().await?;
        drop(side.queue);
        side.pool.close().await;
    }
    Ok(report)
}

fn report<E: BareLog>(common: &Common, server: &Server, sides: &[Side<E>], times: Times) -> Report {
    let mut table = Table::new(["an idle member", "median", "lowest – highest", "target"]);
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
    notes.extend(times.too_short("a member"));
    let mut settings = server.settings();
    settings.insert("silence_seconds".into(), number(times.silence.as_secs_f64()));
    settings.insert("count_seconds".into(), number(times.count.as_secs_f64()));
    settings.insert("queues".into(), QUEUES.into());
    Report {
        scenario: "queue",
        database: common.database.to_string(),
        unit: "statements/s",
        measured: format!(
            "A member of a consumer group in a process of its own, after {} s of silence on {QUEUES} queues; then the \
             first message.",
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
