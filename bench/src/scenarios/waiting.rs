//! What it costs to wait, measured the same way for whoever waits: a message wakes everybody; then there is silence;
//! after it, for a while, statements, what the server counts and processor time are counted; then a message comes at a
//! moment that has nothing to do with anybody's polling, and is waited for. Silence and message repeat.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};
use sqlx::{MySqlConnection, PgConnection, Row as _};

use crate::cli::Common;
use crate::clock;
use crate::progress::Progress;
use crate::report::{Table, number, pretty, pretty_range};
use crate::stats::{Spread, median};
use crate::subprocess::Worker;

const SILENCE: Duration = Duration::from_secs(10);
const COUNT: Duration = Duration::from_secs(10);
const ROUNDS: usize = 5;
/// A message is committed so much later at most, at random: five idle polls.
const AT_RANDOM: Duration = Duration::from_secs(1);
/// The server writes its counters down at most once a second.
const POSTGRES_COUNTER: &str =
    "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
const MYSQL_COUNTER: &str = "SHOW GLOBAL STATUS LIKE 'Questions'";

pub(crate) const TARGET_QUERIES: f64 = 10.0;
const TARGET_CPU_PERCENT: f64 = 0.5;

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

/// Somebody who waits, in a process of its own.
pub(crate) trait Waiting {
    /// Sends a message and waits for it. Milliseconds from the answer to its arrival.
    async fn message(&mut self, n: u64) -> Result<f64>;

    /// What is known of it.
    fn side(&mut self) -> &mut Side;
}

/// Where to ask a server for its own count.
pub(crate) enum Counters {
    /// Of the database's transactions.
    Postgres(PgConnection),
    /// Of everybody's statements.
    Mysql(MySqlConnection),
}

impl Counters {
    async fn ask(&mut self) -> Result<i64> {
        Ok(match self {
            Self::Postgres(connection) => sqlx::query_scalar(POSTGRES_COUNTER).fetch_one(connection).await?,
            Self::Mysql(connection) => {
                let row = sqlx::query(MYSQL_COUNTER).fetch_one(connection).await?;
                row.try_get::<String, _>(1)?.parse()?
            }
        })
    }

    /// What is counted.
    fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "transactions",
            Self::Mysql(_) => "statements",
        }
    }
}

/// One who waits, and its figures.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) key: &'static str,
    /// How long its first message may take.
    pub(crate) target_ms: f64,
    pub(crate) worker: Worker,
    /// Where to ask the server for its counters, where there is one.
    pub(crate) counters: Option<Counters>,
    queries: Vec<f64>,
    /// By the server's count.
    served: Vec<f64>,
    cpu_percent: Vec<f64>,
    first_ms: Vec<f64>,
}

impl Side {
    pub(crate) fn new(name: &'static str, key: &'static str, target_ms: f64, worker: Worker) -> Self {
        Self {
            name,
            key,
            target_ms,
            worker,
            counters: None,
            queries: Vec::new(),
            served: Vec::new(),
            cpu_percent: Vec::new(),
            first_ms: Vec::new(),
        }
    }

    /// The median of its statements a second.
    pub(crate) fn statements(&self) -> f64 {
        median(&self.queries)
    }

    pub(crate) fn rounds(&self) -> usize {
        self.queries.len()
    }

    /// Statements by its own count, what the server counts, and processor time.
    async fn counted(&mut self) -> Result<Counted> {
        let served = match &mut self.counters {
            Some(counters) => Some(counters.ask().await?),
            None => None,
        };
        Ok(Counted {
            statements: self.worker.statements().await?,
            served,
            cpu: clock::cpu_time(self.worker.pid())?,
            at: clock::now(),
        })
    }

    fn count(&mut self, before: &Counted, after: &Counted) {
        let seconds = (after.at - before.at).as_secs_f64();
        self.queries
            .push((after.statements - before.statements) as f64 / seconds);
        self.cpu_percent
            .push((after.cpu - before.cpu).as_secs_f64() / seconds * 100.0);
        if let (Some(after), Some(before)) = (after.served, before.served) {
            self.served.push((after - before) as f64 / seconds);
        }
    }
}

struct Counted {
    statements: u64,
    served: Option<i64>,
    cpu: Duration,
    at: Duration,
}

/// Measures all of them side by side; returns how long the parts of a round took.
pub(crate) async fn measure<W: Waiting>(common: &Common, all: &mut [W]) -> Result<Times> {
    let rounds = common.rounds_or(ROUNDS, 2);
    let times = Times::new(common, rounds);
    let progress = Progress::new(rounds as u64);
    for waiting in &mut *all {
        waiting.message(0).await?;
    }
    for round in 0..rounds {
        progress.says(format!("round {} of {rounds}: silence", round + 1));
        tokio::time::sleep(times.silence).await;
        let mut before = Vec::new();
        for waiting in &mut *all {
            before.push(waiting.side().counted().await?);
        }
        progress.says(format!("round {} of {rounds}: counting", round + 1));
        tokio::time::sleep(times.count).await;
        for (waiting, before) in all.iter_mut().zip(&before) {
            let after = waiting.side().counted().await?;
            waiting.side().count(before, &after);
        }
        tokio::time::sleep(times.at_random()).await;
        for waiting in &mut *all {
            let waited = waiting.message(round as u64 + 1).await?;
            waiting.side().first_ms.push(waited);
        }
        progress.step();
    }
    Ok(times)
}

/// The table for people, the details for machines, and what there is to note. `who` is one of them, with its article.
pub(crate) fn tabulate<W: Waiting>(
    all: &mut [W],
    times: Times,
    heading: &'static str,
    who: &str,
) -> (Table, Map<String, Value>, Vec<String>) {
    let mut table = Table::new([heading, "median", "lowest – highest", "target"]);
    let mut details = Map::new();
    for waiting in all {
        let side = waiting.side();
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
        let mut found = json!({
            "statements_per_second": Value::from(queries),
            "cpu_percent": Value::from(cpu),
            "first_message_ms": Value::from(first),
        });
        if let Some(counters) = &side.counters {
            let (what, spread) = (counters.name(), Spread::of(&side.served));
            found[format!("{what}_per_second_by_server")] = number(spread.median);
            table.row([
                format!("{}: {what}/s, by the server", side.name),
                pretty(spread.median),
                pretty_range(spread.low, spread.high),
                String::new(),
            ]);
        }
        details.insert(side.key.to_owned(), found);
    }
    let mut notes = vec![
        "The server's count also has what this program asks it, once a round, and its own maintenance."
            .to_owned(),
    ];
    notes.extend(times.too_short(who));
    (table, details, notes)
}
