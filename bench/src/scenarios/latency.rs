//! `latency`: how long after its commit a message reaches the relay's sink.
//!
//! Transactions (a business row and a message each) begin at a steady rate, whether or not earlier ones have
//! ended. The time runs from the moment at which the application has done its part and the commit begins (so the
//! commit's own time is in it, on both sides) to the moment at which the sink is given the message. How much of it is
//! after the commit's answer is told beside it; a message that is faster than the answer counts as 0 there. Four
//! ways take turns:
//!
//! * *NOTIFY in the transaction* (the floor): a bare listener that does nothing but note the time,
//! * *in process*: `outbox.transaction(…)`, and a relay that listens to that outbox's wake-up,
//! * *polling only*: a relay that nobody wakes. It runs in this process like the others, so that all are timed by
//!   the same runtime; but it hears of nothing, exactly like one in another process,
//! * *debounced NOTIFY*: a relay that hears of the outbox only through `PostgresWakeListener`.
//!
//! On MySQL and SQLite, which have no NOTIFY, there are the second and the third.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use outbox_core::{Message, Wake};
use outbox_sqlx::postgres::Notifier;
use outbox_sqlx::{Outbox, PostgresWakeListener};
use serde_json::{Map, Value, json};
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{MySql, Pool, Postgres, Sqlite};
use uuid::Uuid;

use crate::cli::{Common, LatencyArgs};
use crate::clock;
use crate::content::{Content, PAYLOAD_BYTES, TOPIC};
use crate::database::{Database, Engine, Kind, Server};
use crate::floor::notify;
use crate::progress::Progress;
use crate::relay::{Running, Seen, Setup, Sink};
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::scenarios::steady::{Committed, Pace, Waited, waited};
use crate::stats::{Spread, median, quantile};

const ROUNDS: usize = 5;
/// After the last commit, for the last message to arrive.
const ARRIVE_WITHIN: Duration = Duration::from_secs(10);

/// How the relay hears of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    NotifyInTransaction,
    InProcess,
    PollingOnly,
    DebouncedNotify,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::NotifyInTransaction => "NOTIFY in the transaction",
            Self::InProcess => "in process",
            Self::PollingOnly => "polling only",
            Self::DebouncedNotify => "debounced NOTIFY",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::NotifyInTransaction => "notify_in_transaction",
            Self::InProcess => "in_process",
            Self::PollingOnly => "polling_only",
            Self::DebouncedNotify => "debounced_notify",
        }
    }

    fn target(self) -> &'static str {
        match self {
            Self::NotifyInTransaction => "the floor",
            Self::InProcess => "p50 ≤ 1, p99 ≤ 5",
            Self::PollingOnly => "p50 ≤ 4",
            Self::DebouncedNotify => "p50 ≤ 2",
        }
    }
}

/// Milliseconds of one way, by round.
#[derive(Debug, Default)]
struct Found {
    p50: Vec<f64>,
    p99: Vec<f64>,
    max: Vec<f64>,
    after_answer: Vec<f64>,
    messages: usize,
}

pub(crate) async fn run(common: &Common, args: &LatencyArgs, server: &mut Server) -> Result<Report> {
    let database = server.database().await?;
    match server.kind() {
        Kind::Postgres => {
            let pool = Postgres::pool(&database.url, Postgres::CLIENTS).await?;
            let ways = [
                Way::NotifyInTransaction,
                Way::InProcess,
                Way::PollingOnly,
                Way::DebouncedNotify,
            ];
            let bench = Bench::new(common, args, &database, pool.clone());
            let found = bench.measure(&ways, Some(&pool)).await?;
            Ok(bench.report(server, &ways, &found))
        }
        Kind::Mysql => without_notify::<MySql>(common, args, server, &database).await,
        Kind::Sqlite => without_notify::<Sqlite>(common, args, server, &database).await,
    }
}

async fn without_notify<E: Engine>(
    common: &Common,
    args: &LatencyArgs,
    server: &Server,
    database: &Database,
) -> Result<Report> {
    let pool = E::pool(&database.url, E::CLIENTS).await?;
    let ways = [Way::InProcess, Way::PollingOnly];
    let bench = Bench::new(common, args, database, pool);
    let found = bench.measure(&ways, None).await?;
    Ok(bench.report(server, &ways, &found))
}

struct Bench<'a, E: Engine> {
    common: &'a Common,
    args: &'a LatencyArgs,
    database: &'a Database,
    pool: Pool<E>,
    content: Content,
    rounds: usize,
    pace: Pace,
}

impl<'a, E: Engine> Bench<'a, E> {
    fn new(common: &'a Common, args: &'a LatencyArgs, database: &'a Database, pool: Pool<E>) -> Self {
        let rounds = common.rounds_or(ROUNDS, 3);
        let pace = Pace::new(common, args.rate, rounds * 4);
        Self {
            common,
            args,
            database,
            pool,
            content: Content::new(),
            rounds,
            pace,
        }
    }

    async fn measure(&self, ways: &[Way], notify: Option<&PgPool>) -> Result<Vec<Found>> {
        let mut found: Vec<Found> = ways.iter().map(|_| Found::default()).collect();
        let progress = Progress::new((self.rounds * ways.len()) as u64);
        for round in 0..self.rounds {
            for at in 0..ways.len() {
                let at = (at + round) % ways.len();
                let way = ways[at];
                progress.says(format!("round {} of {}: {}", round + 1, self.rounds, way.name()));
                E::empty(&self.pool).await?;
                let waited = match (way, notify) {
                    (Way::NotifyInTransaction, Some(pool)) => self.floor(pool).await?,
                    (way, _) => self.relayed(way).await?,
                };
                let found = &mut found[at];
                let all: Vec<f64> = waited.iter().map(|waited| waited.all).collect();
                let after: Vec<f64> = waited.iter().map(|waited| waited.after_answer).collect();
                found.p50.push(quantile(&all, 0.5));
                found.p99.push(quantile(&all, 0.99));
                found.max.push(quantile(&all, 1.0));
                found.after_answer.push(quantile(&after, 0.5));
                found.messages += waited.len();
                progress.step();
            }
        }
        self.pool.close().await;
        Ok(found)
    }

    async fn floor(&self, pool: &PgPool) -> Result<Vec<Waited>> {
        let listener = notify::Listener::start(pool).await?;
        let committed = self
            .pace
            .write(async |n| {
                let id = Uuid::now_v7();
                let (begun, answered) = notify::write(pool, &self.content, n, id).await?;
                Ok(Committed { id, begun, answered })
            })
            .await?;
        // The last notification is on its way.
        tokio::time::sleep(Duration::from_millis(100)).await;
        waited(&committed, listener.stop().await?)
    }

    async fn relayed(&self, way: Way) -> Result<Vec<Waited>> {
        let mut outbox = Outbox::builder();
        let wake = Wake::new();
        let mut listener = None;
        match way {
            Way::InProcess => outbox = outbox.wake(wake.clone()),
            Way::DebouncedNotify => {
                let options: PgConnectOptions = self.database.url.parse().context("the database's URL")?;
                outbox = outbox.notifier(Notifier::start(options.clone()));
                listener = Some(PostgresWakeListener::with_options(options, wake.clone()));
            }
            Way::PollingOnly | Way::NotifyInTransaction => {}
        }
        let outbox = outbox.build();
        let seen = Seen::each();
        let mut setup = Setup::of(Sink::nothing().seen_by(&seen));
        setup.wake = Some(wake);
        let mut relay = Running::start(self.database, setup).await?;
        relay.ready().await?;
        let outbox = &outbox;
        let committed = self
            .pace
            .write(async |n| {
                let message = Message::builder(TOPIC)
                    .key(self.content.key(n))
                    .payload(
                        self.content.payload.clone(),
                        outbox_core::Headers::DEFAULT_CONTENT_TYPE,
                    )
                    .build()?;
                let id = message.id().0;
                let begun = E::order_in_scope(outbox, &self.pool, self.content.key(n), 990, message).await?;
                Ok(Committed {
                    id,
                    begun,
                    answered: clock::now(),
                })
            })
            .await?;
        tokio::time::timeout(
            ARRIVE_WITHIN,
            relay.settled(self.pace.cold() + committed.len() as u64),
        )
        .await
        .map_err(|_| anyhow!("messages did not arrive within {ARRIVE_WITHIN:?}"))??;
        relay.stop().await?;
        drop(listener);
        waited(&committed, seen.arrivals())
    }

    fn report(&self, server: &Server, ways: &[Way], found: &[Found]) -> Report {
        let mut table = Table::new([
            "commit → sink",
            "p50 ms",
            "p50 lowest – highest",
            "p99 ms",
            "max ms",
            "p50 after the answer",
            "target",
        ]);
        let mut details = Map::new();
        let (mut floor, mut ours) = (None, f64::NAN);
        for (way, found) in ways.iter().zip(found) {
            let p50 = Spread::of(&found.p50);
            let (p99, max) = (median(&found.p99), quantile(&found.max, 1.0));
            match way {
                Way::NotifyInTransaction => floor = Some(p50.median),
                Way::InProcess => ours = p50.median,
                Way::PollingOnly | Way::DebouncedNotify => {}
            }
            table.row([
                way.name(),
                &pretty(p50.median),
                &pretty_range(p50.low, p50.high),
                &pretty(p99),
                &pretty(max),
                &pretty(median(&found.after_answer)),
                way.target(),
            ]);
            details.insert(
                way.key().to_owned(),
                json!({
                    "p50": Value::from(p50),
                    "p99": Value::from(Spread::of(&found.p99)),
                    "max": number(max),
                    "p50_after_answer": number(median(&found.after_answer)),
                    "messages": found.messages,
                }),
            );
        }
        let mut settings = server.settings();
        settings.insert("messages_per_second".into(), self.args.rate.into());
        settings.insert("turn_seconds".into(), number(self.pace.turn().as_secs_f64()));
        settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
        let mut notes = vec![
            "p50 and p99 are medians over the rounds, max is that of all. \"Polling only\" and \"debounced NOTIFY\" \
             are what a relay in another process sees; here all run in one, timed by one runtime."
                .to_owned(),
        ];
        if floor.is_none() {
            notes.push(format!(
                "{} has no NOTIFY, and so this scenario has no floor on it.",
                server.kind().name()
            ));
        }
        Report {
            scenario: "latency",
            database: self.common.database.to_string(),
            unit: "ms (p50)",
            measured: format!(
                "{} transactions a second, one message each: from the beginning of its commit to the sink.",
                self.args.rate
            ),
            floor,
            ours,
            ratio: floor.map(|floor| ours / floor),
            rounds: self.rounds,
            settings,
            details,
            table,
            notes,
        }
    }
}
