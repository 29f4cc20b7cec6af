//! `scale`: how throughput grows with relay processes when the queue is what takes time.
//!
//! The sink of each relay takes batches of 10, one call at a time, 2 ms each: one relay can't do more than 5,000
//! messages a second however fast the database is. 1, 2 and 4 relays take turns. They are started on an empty outbox
//! and share its shards before anything is measured; then the whole backlog is committed by one transaction, and the
//! time runs from there to the moment at which the last relay has settled its last message. So the tail, in which some
//! relays are done and others are not, belongs to it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use sqlx::Postgres;
use sqlx::postgres::PgPool;

use crate::cli::{Common, ScaleArgs};
use crate::clock;
use crate::content::PAYLOAD_BYTES;
use crate::database::{Database, Engine, Kind, Server};
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, median, ratios};
use crate::subprocess::{Worker, WorkerSetup};

const MESSAGES: u64 = 40_000;
const ROUNDS: usize = 5;
const RELAYS: [usize; 3] = [1, 2, 4];
const TARGETS: [f64; 3] = [1.0, 1.8, 3.2];
const SINK: (Duration, usize) = (Duration::from_millis(2), 10);
/// Short, so that shards are shared soon. A third of it passes between renewals.
const LEASE: Duration = Duration::from_secs(2);
const SHARED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How many relays own shards, and the least and the most shards of one.
const SHARES: &str = include_str!("../../sql/postgres/shares.sql");

pub(crate) async fn run(common: &Common, args: &ScaleArgs, server: &mut Server) -> Result<Report> {
    if server.kind() == Kind::Sqlite {
        bail!("one process relays a SQLite database, so there is nothing to scale: measure on Postgres");
    }
    let database = server.database().await?;
    let pool = Postgres::pool(&database.url, 1).await?;
    let messages = args
        .messages
        .unwrap_or_else(|| common.scaled(MESSAGES, 200.0, 400));
    let rounds = match common.seconds {
        // Sharing out the shards takes its time in each.
        Some(seconds) if seconds < 60.0 && common.rounds.is_none() => 1,
        _ => common.rounds_or(ROUNDS),
    };
    let progress = Progress::new((rounds * RELAYS.len()) as u64);
    let mut rates = vec![Vec::new(); RELAYS.len()];
    for round in 0..rounds {
        for at in 0..RELAYS.len() {
            let at = (at + round) % RELAYS.len();
            progress.says(format!("round {} of {rounds}: {} relays", round + 1, RELAYS[at]));
            Postgres::empty(&pool).await?;
            let took = drain(&database, &pool, RELAYS[at], messages).await?;
            rates[at].push(messages as f64 / took.as_secs_f64());
            progress.step();
        }
    }
    drop(progress);
    pool.close().await;
    Ok(report(common, server, messages, &rates))
}

async fn drain(database: &Database, pool: &PgPool, relays: usize, messages: u64) -> Result<Duration> {
    let setup = WorkerSetup {
        sink: Some(SINK),
        lease: Some(LEASE),
        ..WorkerSetup::default()
    };
    let mut workers = Vec::new();
    for _ in 0..relays {
        workers.push(Worker::start(database, setup).await?);
    }
    wait_for_shares(pool, relays).await?;
    Postgres::load(pool, messages, messages).await?;
    let begun = clock::now();
    let mut ended = begun;
    // All lines are read as they come: a pipe that is full would stop its worker.
    let mut waiting: tokio::task::JoinSet<Result<Worker>> = tokio::task::JoinSet::new();
    let (told, mut progress) = tokio::sync::mpsc::unbounded_channel();
    let enough = tokio_util::sync::CancellationToken::new();
    for (at, mut worker) in workers.into_iter().enumerate() {
        let (told, enough) = (told.clone(), enough.clone());
        waiting.spawn(async move {
            loop {
                tokio::select! {
                    progressed = worker.until_progress() => {
                        progressed?;
                        let (settled, when) = worker.settled();
                        // Nobody listens any more when all is settled.
                        let _ = told.send((at, settled, when));
                    }
                    () = enough.cancelled() => return Ok(worker),
                }
            }
        });
    }
    drop(told);
    let mut settled = vec![0; relays];
    while settled.iter().sum::<u64>() < messages {
        let Some((at, count, when)) = progress.recv().await else {
            break;
        };
        settled[at] = count;
        ended = ended.max(when);
    }
    enough.cancel();
    while let Some(worker) = waiting.join_next().await {
        worker.context("a task panicked")??.stop().await?;
    }
    let all: u64 = settled.iter().sum();
    let left = Postgres::pending(pool).await?;
    if all != messages || left != 0 {
        bail!("of {messages} messages {all} were settled and {left} are left");
    }
    Ok(ended - begun)
}

/// Waits until every relay owns shards, and none more than one above another.
async fn wait_for_shares(pool: &PgPool, relays: usize) -> Result<()> {
    let deadline = clock::now() + SHARED_WITHIN;
    loop {
        let (owners, least, most): (i64, i64, i64) = sqlx::query_as(SHARES)
            .fetch_one(pool)
            .await
            .context("asking who owns the shards")?;
        if owners == relays as i64 && most - least <= 1 {
            return Ok(());
        }
        if clock::now() > deadline {
            bail!("after {SHARED_WITHIN:?} {owners} of {relays} relays own shards, {least} to {most} each");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn report(common: &Common, server: &Server, messages: u64, rates: &[Vec<f64>]) -> Report {
    let mut table = Table::new([
        "relay processes",
        "messages/s",
        "lowest – highest",
        "of one",
        "target",
    ]);
    let mut by_relays = Map::new();
    let mut last = None;
    for ((relays, target), found) in RELAYS.iter().zip(TARGETS).zip(rates) {
        let spread = Spread::of(found);
        let ratio = Interval::of(&ratios(found, &rates[0]));
        table.row([
            relays.to_string(),
            pretty(spread.median),
            pretty_range(spread.low, spread.high),
            pretty(ratio.median),
            if *relays == 1 {
                "–".to_owned()
            } else {
                format!("≥ {target}")
            },
        ]);
        by_relays.insert(
            relays.to_string(),
            serde_json::json!({ "rate": Value::from(spread), "ratio": Value::from(ratio), "target": number(target) }),
        );
        last = Some((spread.median, ratio.median));
    }
    let theory = SINK.1 as f64 / SINK.0.as_secs_f64();
    let mut settings = server.settings();
    settings.insert("messages".into(), messages.into());
    settings.insert("sink_ms".into(), number(SINK.0.as_secs_f64() * 1e3));
    settings.insert("sink_batch".into(), SINK.1.into());
    settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
    let mut details = Map::new();
    details.insert("relays".into(), Value::Object(by_relays));
    details.insert("theory_of_one".into(), number(theory));
    Report {
        scenario: "scale",
        database: common.database.to_string(),
        unit: "messages/s",
        measured: format!(
            "{} messages drained by 1, 2 and 4 relay processes; each sink takes 10 messages in 2 ms, so one relay can \
             do {} messages/s.",
            pretty(messages as f64),
            pretty(theory)
        ),
        floor: rates.first().map(|found| median(found)),
        ours: last.map_or(f64::NAN, |(rate, _)| rate),
        ratio: last.map(|(_, ratio)| ratio),
        rounds: rates.first().map_or(0, Vec::len),
        settings,
        details,
        table,
        notes: vec!["The floor is one relay, ours are four.".to_owned()],
    }
}
