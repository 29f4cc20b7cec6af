//! `--retained A,B,…`: the same appending and consuming with logs of several sizes, in turn: does the rate stay?
//!
//! Each size has a database of its own, filled by the database itself: so many messages over the eight queues,
//! interleaved as appending leaves them, and one group that has read all of them. A turn appends messages on top, lets
//! that group consume them, and removes them again, so that each turn finds the log as the first one did. The first size
//! is the floor; what is quoted is the last by the first.

use std::time::Duration;

use anyhow::{Context, Result};
use outbox_core::Subscriber as _;
use outbox_core::group::Start;
use serde_json::{Map, Value, json};
use sqlx::Pool;

use super::ours;
use super::{BATCH, KEYS, QUEUES};
use crate::cli::{Common, QueueArgs};
use crate::content::{KEY_BYTES, PAYLOAD_BYTES, TOPIC};
use crate::database::Server;
use crate::floor::log::BareLog;
use crate::member::GROUP;
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Spread, median, ratios};

const MESSAGES: u64 = 200_000;
const ROUNDS: usize = 5;
const TARGET: f64 = 0.90;
const CONNECTIONS: u32 = 3;

/// A log of one size, and what was found with it.
struct Log<E: BareLog> {
    pool: Pool<E>,
    /// Messages retained in each queue.
    each: i64,
    append: Vec<f64>,
    consume: Vec<f64>,
}

impl<E: BareLog> Log<E> {
    fn retained(&self) -> u64 {
        self.each.unsigned_abs() * u64::from(QUEUES)
    }
}

pub(super) async fn run<E: BareLog>(
    common: &Common,
    args: &QueueArgs,
    server: &mut Server,
) -> Result<Report> {
    let asked: u64 = args.retained.iter().sum();
    // What fits into the time, and the sizes keep their proportions.
    let fits = common.scaled(asked, 20_000.0, 1_000);
    let messages = args
        .messages
        .unwrap_or_else(|| common.scaled(MESSAGES, 1_000.0, 2_000));
    let rounds = common.rounds_or(ROUNDS, 3);
    let mut logs: Vec<Log<E>> = Vec::new();
    for &size in &args.retained {
        let size = (size as f64 * fits as f64 / asked.max(1) as f64) as u64;
        let each = i64::try_from(size.div_ceil(u64::from(QUEUES)))?;
        let database = server.database().await?;
        let pool = E::pool(&database.url, CONNECTIONS).await?;
        let queue = ours::queue(&pool).await?;
        let progress = Progress::new(each.unsigned_abs());
        progress.says(format!("filling a log with {size} messages"));
        E::retain(&pool, each, |filled| progress.at(filled.unsigned_abs())).await?;
        drop(progress);
        let mut subscriber = queue
            .subscribe_from(Start::Now, GROUP, [TOPIC])
            .await
            .context("placing the group at the end")?;
        subscriber.close().await?;
        logs.push(Log {
            pool,
            each,
            append: Vec::new(),
            consume: Vec::new(),
        });
    }
    let progress = Progress::new((rounds * logs.len()) as u64);
    let rate = |took: Duration| messages as f64 / took.as_secs_f64();
    for round in 0..rounds {
        for at in 0..logs.len() {
            let at = (at + round) % logs.len();
            let log = &mut logs[at];
            progress.says(format!("round {} of {rounds}: {}", round + 1, log.retained()));
            E::cut_queue(&log.pool, log.each).await?;
            let queue = ours::queue(&log.pool).await?;
            let batches = ours::batches(messages)?;
            log.append
                .push(rate(ours::append(queue.publisher(), batches).await?));
            E::settle_queue(&log.pool).await?;
            log.consume
                .push(rate(ours::consume(&queue, GROUP, messages).await?.took));
            progress.step();
        }
    }
    drop(progress);
    for log in &logs {
        log.pool.close().await;
    }
    let mut settings = server.settings();
    settings.insert("messages".into(), messages.into());
    settings.insert("batch".into(), BATCH.into());
    settings.insert("queues".into(), QUEUES.into());
    settings.insert("keys".into(), KEYS.into());
    settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
    settings.insert("key_bytes".into(), KEY_BYTES.into());
    Ok(report(common, messages, rounds, settings, &logs))
}

fn report<E: BareLog>(
    common: &Common,
    messages: u64,
    rounds: usize,
    settings: Map<String, Value>,
    logs: &[Log<E>],
) -> Report {
    let mut table = Table::new([
        "retained",
        "messages/s",
        "lowest – highest",
        "of the first",
        "target",
    ]);
    let mut details = Map::new();
    let (mut floor, mut ours, mut worst) = (f64::NAN, f64::NAN, f64::INFINITY);
    for (name, of) in [
        ("append", (|log| &log.append) as fn(&Log<E>) -> &Vec<f64>),
        ("consume", |log| &log.consume),
    ] {
        let Some((first, last)) = logs.first().zip(logs.last()) else {
            continue;
        };
        let mut sizes = Vec::new();
        for log in logs {
            let (spread, ratio) = (Spread::of(of(log)), median(&ratios(of(log), of(first))));
            table.row([
                format!("{name}, {}", pretty(log.retained() as f64)),
                pretty(spread.median),
                pretty_range(spread.low, spread.high),
                pretty(ratio),
                format!("≥ {TARGET}"),
            ]);
            sizes.push(json!({
                "retained": log.retained(), "rate": Value::from(spread), "ratio": number(ratio),
            }));
        }
        let ratio = median(&ratios(of(last), of(first)));
        details.insert(
            name.to_owned(),
            json!({
                "floor": number(median(of(first))),
                "ours": number(median(of(last))),
                "ratio": number(ratio),
                "rounds": rounds,
                "target": number(TARGET),
                "sizes": sizes,
            }),
        );
        if ratio < worst {
            (floor, ours, worst) = (median(of(first)), median(of(last)), ratio);
        }
    }
    Report {
        scenario: "queue",
        database: common.database.to_string(),
        unit: "messages/s",
        measured: format!(
            "{} messages appended to and consumed from logs that have retained messages of before: does the rate stay?",
            pretty(messages as f64)
        ),
        floor: Some(floor),
        ours,
        ratio: Some(worst),
        rounds,
        settings,
        details,
        table,
        notes: vec![
            "The floor is the first size, ours the last; the scenario's own ratio is the lower one of append and consume."
                .to_owned(),
        ],
    }
}
