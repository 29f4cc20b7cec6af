//! How fast messages are appended, consumed, and both at the same time.
//!
//! The bare log ([`crate::floor::log`]) and our queue take turns, each with empty tables, vacuumed, analysed and written
//! to disk before each part. A turn: *append* all messages, in batches of 1,000, one after the other on one connection;
//! *consume* them (bare: 1,000 rows a read, one UPDATE of the cursor after each; ours: one member that receives up to
//! 1,000 at a time and acknowledges each); then, from empty tables, *both* at once, until the last one is consumed. Ours
//! is also consumed by a second group through the consumer runtime, with a batch handler that does nothing
//! (`consume_runtime`; its floor is that of *consume*).
//!
//! Messages (ids, keys, payloads) are made before, on both sides. Ours is timed from when the subscriber is there to when
//! it has left the group: joining, taking eight queues, leases and giving them back belong to what is timed, beside
//! every ack. How much of it came before the first message is told.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};
use sqlx::Pool;
use tokio::sync::watch;

use super::ours::{self, Consumed};
use super::{BATCH, KEYS, QUEUES};
use crate::cli::{Common, QueueArgs};
use crate::content::{KEY_BYTES, PAYLOAD_BYTES};
use crate::database::{Database, Server};
use crate::floor::log::{self, BareLog, BareMessage};
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, median, ratios};

const MESSAGES: u64 = 200_000;
const ROUNDS: usize = 7;
const TARGET: f64 = 0.80;
/// One for who appends, one for the member on SQLite, and one for who looks.
const CONNECTIONS: u32 = 3;

pub(super) async fn run<E: BareLog>(
    common: &Common,
    args: &QueueArgs,
    server: &mut Server,
) -> Result<Report> {
    let database = server.database().await?;
    let messages = args
        .messages
        .unwrap_or_else(|| common.scaled(MESSAGES, 1_500.0, 2_000));
    let bench = Bench {
        database: &database,
        pool: E::pool(&database.url, CONNECTIONS).await?,
        messages,
        batch: args.batch as usize,
        durable: args.durable_floor,
    };
    let rounds = common.rounds_or(ROUNDS, 5);
    let progress = Progress::new(rounds as u64 * 2);
    let (mut floor, mut ours) = (Found::default(), Found::default());
    for round in 0..rounds {
        // Who begins alternates.
        for turn in [round % 2, (round + 1) % 2] {
            let who = ["the bare log", "the queue"][turn];
            progress.says(format!("round {} of {rounds}: {who}", round + 1));
            if turn == 0 {
                bench.floor(&mut floor).await?;
            } else {
                bench.ours(&mut ours).await?;
            }
            progress.step();
        }
    }
    drop(progress);
    bench.pool.close().await;
    let mut settings = server.settings();
    settings.insert("messages".into(), messages.into());
    settings.insert("batch".into(), BATCH.into());
    settings.insert("runtime_batch".into(), args.batch.into());
    settings.insert("queues".into(), QUEUES.into());
    settings.insert("keys".into(), KEYS.into());
    settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
    settings.insert("key_bytes".into(), KEY_BYTES.into());
    settings.insert("floor_waits_for_disk".into(), args.durable_floor.into());
    Ok(report(common, messages, rounds, settings, &floor, &ours))
}

/// Rates by round.
#[derive(Default)]
struct Found {
    append: Vec<f64>,
    consume: Vec<f64>,
    runtime: Vec<f64>,
    both: Vec<f64>,
    first_ms: Vec<f64>,
}

struct Bench<'a, E: BareLog> {
    database: &'a Database,
    pool: Pool<E>,
    messages: u64,
    batch: usize,
    durable: bool,
}

impl<E: BareLog> Bench<'_, E> {
    fn rate(&self, took: Duration) -> f64 {
        self.messages as f64 / took.as_secs_f64()
    }

    async fn floor(&self, found: &mut Found) -> Result<()> {
        let url = &self.database.url;
        E::empty_queue(&self.pool).await?;
        let (append, both) = (self.bare_batches()?, self.bare_batches()?);
        let (appended, seen) = watch::channel(0);
        found
            .append
            .push(self.rate(log::append::<E>(url, append, appended).await?));
        E::settle_queue(&self.pool).await?;
        found
            .consume
            .push(self.rate(log::consume::<E>(url, self.durable, self.messages, seen).await?));
        E::empty_queue(&self.pool).await?;
        let (appended, seen) = watch::channel(0);
        let (_, took) = tokio::try_join!(
            log::append::<E>(url, both, appended),
            log::consume::<E>(url, self.durable, self.messages, seen),
        )?;
        found.both.push(self.rate(took));
        Ok(())
    }

    async fn ours(&self, found: &mut Found) -> Result<()> {
        E::empty_queue(&self.pool).await?;
        let (append, both) = (ours::batches(self.messages)?, ours::batches(self.messages)?);
        let queue = ours::queue(&self.pool).await?;
        found
            .append
            .push(self.rate(ours::append(queue.publisher(), append).await?));
        E::settle_queue(&self.pool).await?;
        let Consumed { took, first } = ours::consume(&queue, "bare", self.messages).await?;
        found.consume.push(self.rate(took));
        found.first_ms.push(first.as_secs_f64() * 1e3);
        E::settle_queue(&self.pool).await?;
        let runtime = ours::consume_by_runtime(&queue, "runtime", self.messages, self.batch).await?;
        found.runtime.push(self.rate(runtime.took));
        E::empty_queue(&self.pool).await?;
        let queue = ours::queue(&self.pool).await?;
        let (_, consumed) = tokio::try_join!(
            ours::append(queue.publisher(), both),
            ours::consume(&queue, "both", self.messages),
        )?;
        found.both.push(self.rate(consumed.took));
        Ok(())
    }

    fn bare_batches(&self) -> Result<Arc<Vec<Vec<BareMessage>>>> {
        let batches = ours::batches(self.messages)?;
        let bare = |batch: &Vec<_>| {
            (0..)
                .zip(batch)
                .map(|(n, message)| BareMessage::of(n, message))
                .collect()
        };
        Ok(Arc::new(batches.iter().map(bare).collect()))
    }
}

fn report(
    common: &Common,
    messages: u64,
    rounds: usize,
    settings: Map<String, Value>,
    floor: &Found,
    ours: &Found,
) -> Report {
    let mut table = Table::new([
        "messages/s",
        "bare log",
        "lowest – highest",
        "queue",
        "lowest – highest",
        "ratio",
        "lowest – highest",
        "target",
    ]);
    let mut details = Map::new();
    let mut worst: Option<(f64, f64, f64)> = None;
    for (name, floor, ours, target) in [
        ("append", &floor.append, &ours.append, Some(TARGET)),
        ("consume", &floor.consume, &ours.consume, Some(TARGET)),
        ("both", &floor.both, &ours.both, Some(TARGET)),
        ("consume_runtime", &floor.consume, &ours.runtime, None),
    ] {
        let ratio = Interval::of(&ratios(ours, floor));
        let (floor, ours) = (Spread::of(floor), Spread::of(ours));
        table.row([
            name.to_owned(),
            pretty(floor.median),
            pretty_range(floor.low, floor.high),
            pretty(ours.median),
            pretty_range(ours.low, ours.high),
            pretty(ratio.median),
            pretty_range(ratio.low, ratio.high),
            target.map_or_else(String::new, |target| format!("≥ {target}")),
        ]);
        details.insert(
            name.to_owned(),
            json!({
                "floor": number(floor.median),
                "ours": number(ours.median),
                "ratio": number(ratio.median),
                "rounds": rounds,
                "target": target.map(number),
                "ratio_interval": Value::from(ratio),
                "floor_spread": Value::from(floor),
                "ours_spread": Value::from(ours),
            }),
        );
        if target.is_some() && worst.is_none_or(|(_, _, least)| ratio.median < least) {
            worst = Some((floor.median, ours.median, ratio.median));
        }
    }
    let (floor, ours_median, ratio) = worst.unwrap_or((f64::NAN, f64::NAN, f64::NAN));
    let first = median(&ours.first_ms);
    details.insert("before_first_message_ms".into(), number(first));
    Report {
        scenario: "queue",
        database: common.database.to_string(),
        unit: "messages/s",
        measured: format!(
            "{} messages of {} keys in {QUEUES} queues, appended in batches of {}, and consumed by one member.",
            pretty(messages as f64),
            pretty(KEYS as f64),
            pretty(BATCH as f64),
        ),
        floor: Some(floor),
        ours: ours_median,
        ratio: Some(ratio),
        rounds,
        settings,
        details,
        table,
        notes: vec![format!(
            "The scenario's own floor, ours and ratio are those of the lowest ratio with a target. Joining took {} ms \
             of what consume took.",
            pretty(first)
        )],
    }
}
