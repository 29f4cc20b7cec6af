//! `--latency`: how long after its append has begun a message reaches its handler.
//!
//! Messages are appended at a steady rate, one a call, whether or not earlier ones are answered. The time runs from the
//! call of the publisher (so the INSERT and its commit are in it) to the moment at which the handler is given the
//! message by the consumer runtime. How much of it is after the append's answer is told beside it; a message that is
//! faster than the answer counts as 0 there. Three ways take turns:
//!
//! * *in process*: publisher and member belong to the same queue, which tells the member,
//! * *polling only*: the member belongs to another handle of the queue. It runs in this process like the others, so that
//!   all are timed by the same runtime; but it hears of nothing, exactly like one in another process,
//! * *notifications*: the same, and both handles have notifications.
//!
//! On MySQL and SQLite, which have no notifications, there are the first two.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use outbox_core::Publisher as _;
use outbox_core::consumer::Consumer;
use outbox_sqlx::queue::SqlQueue;
use serde_json::{Map, Value, json};
use sqlx::Pool;
use tokio_util::sync::CancellationToken;

use super::{QUEUES, ours};
use crate::cli::{Common, QueueArgs};
use crate::clock;
use crate::content::{self, PAYLOAD_BYTES, TOPIC};
use crate::database::{Kind, Server};
use crate::floor::log::BareLog;
use crate::member::{GROUP, Handled};
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::scenarios::steady::{Committed, Pace, Waited, waited};
use crate::stats::{Spread, median, quantile};
use crate::worker::Told as _;

const RATE: u32 = 500;
const ROUNDS: usize = 5;
/// After the last append, for the last message to arrive; and for the first one.
const ARRIVE_WITHIN: Duration = Duration::from_secs(10);

/// How the member hears of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    InProcess,
    PollingOnly,
    Notifications,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in process",
            Self::PollingOnly => "another handle, polling only",
            Self::Notifications => "another handle, notifications",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::InProcess => "in_process",
            Self::PollingOnly => "polling_only",
            Self::Notifications => "notifications",
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

pub(super) async fn run<E: BareLog>(
    common: &Common,
    args: &QueueArgs,
    server: &mut Server,
) -> Result<Report> {
    let ways: &[Way] = match server.kind() {
        Kind::Postgres => &[Way::InProcess, Way::PollingOnly, Way::Notifications],
        Kind::Mysql | Kind::Sqlite => &[Way::InProcess, Way::PollingOnly],
    };
    let database = server.database().await?;
    // On SQLite one more than clients: the member lends one.
    let pool = E::pool(&database.url, E::CLIENTS + 1).await?;
    let rate = args.rate.unwrap_or(RATE);
    let rounds = common.rounds_or(ROUNDS, 3);
    let pace = Pace::new(common, u64::from(rate), rounds * ways.len());
    let mut found: Vec<Found> = ways.iter().map(|_| Found::default()).collect();
    let progress = Progress::new((rounds * ways.len()) as u64);
    for round in 0..rounds {
        for at in 0..ways.len() {
            let at = (at + round) % ways.len();
            progress.says(format!("round {} of {rounds}: {}", round + 1, ways[at].name()));
            E::empty_queue(&pool).await?;
            let other = E::pool(&database.url, E::CLIENTS + 1).await?;
            let waited = turn(ways[at], pace, &pool, &other).await?;
            other.close().await;
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
    drop(progress);
    pool.close().await;
    let mut settings = server.settings();
    settings.insert("messages_per_second".into(), rate.into());
    settings.insert("turn_seconds".into(), number(pace.turn().as_secs_f64()));
    settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
    settings.insert("queues".into(), QUEUES.into());
    Ok(report(common, rate, rounds, settings, ways, &found))
}

async fn turn<E: BareLog>(way: Way, pace: Pace, pool: &Pool<E>, other: &Pool<E>) -> Result<Vec<Waited>> {
    let notifications = way == Way::Notifications;
    let handle = |pool: &Pool<E>| {
        SqlQueue::builder(pool.clone())
            .notifications(notifications)
            .build()
    };
    let queue = handle(pool)?;
    queue.declare_topic(TOPIC, QUEUES).await?;
    let theirs = match way {
        Way::InProcess => queue.clone(),
        Way::PollingOnly | Way::Notifications => handle(other)?,
    };
    let handled = Handled::new(true);
    let stop = CancellationToken::new();
    let consumer = Consumer::builder(theirs.subscribe(GROUP, [TOPIC]).await?, Arc::clone(&handled));
    let consuming = tokio::spawn(consumer.build()?.run(stop.clone()));
    let publisher = queue.publisher();
    let payload = content::payload(0);
    let append = async |n: u64| {
        let message = ours::message(n, &payload)?;
        let id = message.id().0;
        let begun = clock::now();
        for answer in publisher.publish(&[message]).await {
            answer?;
        }
        let answered = clock::now();
        Ok(Committed { id, begun, answered })
    };
    // Until the first one has come, the member joins and takes its queues.
    append(0).await?;
    let mut count = handled.count.subscribe();
    let all = async |messages: u64, count: &mut tokio::sync::watch::Receiver<u64>| {
        tokio::time::timeout(ARRIVE_WITHIN, count.wait_for(|&seen| seen >= messages))
            .await
            .map_err(|_| anyhow!("messages did not arrive within {ARRIVE_WITHIN:?}"))??;
        anyhow::Ok(())
    };
    all(1, &mut count).await?;
    let committed = pace.write(append).await?;
    all(1 + pace.cold() + committed.len() as u64, &mut count).await?;
    stop.cancel();
    let stopped = consuming.await?;
    if stopped.failed + stopped.dead + stopped.unsettled + stopped.abandoned > 0 {
        bail!("the consumer did not do its work: {stopped}");
    }
    waited(&committed, handled.arrivals())
}

fn report(
    common: &Common,
    rate: u32,
    rounds: usize,
    settings: Map<String, Value>,
    ways: &[Way],
    found: &[Found],
) -> Report {
    let mut table = Table::new([
        "append → handler",
        "p50 ms",
        "p50 lowest – highest",
        "p99 ms",
        "max ms",
        "p50 after the answer",
    ]);
    let mut details = Map::new();
    for (way, found) in ways.iter().zip(found) {
        let p50 = Spread::of(&found.p50);
        let (p99, max) = (median(&found.p99), quantile(&found.max, 1.0));
        table.row([
            way.name(),
            &pretty(p50.median),
            &pretty_range(p50.low, p50.high),
            &pretty(p99),
            &pretty(max),
            &pretty(median(&found.after_answer)),
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
    Report {
        scenario: "queue",
        database: common.database.to_string(),
        unit: "ms (p50)",
        measured: format!(
            "{rate} appends a second, one message each: from the call of the publisher to the handler."
        ),
        floor: None,
        ours: found.first().map_or(f64::NAN, |found| median(&found.p50)),
        ratio: None,
        rounds,
        settings,
        details,
        table,
        notes: vec!["p50 and p99 are medians over the rounds, max is that of all.".to_owned()],
    }
}
