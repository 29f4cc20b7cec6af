//! `relay`: how fast a backlog drains.
//!
//! The bare loop ([`crate::floor::drain`]) and our relay take turns on the same table, which is emptied, loaded,
//! vacuumed and analysed, and written to disk before each turn. Both are timed from the moment they are connected
//! to the end of the DELETE that settled the last message; both run in this process, with one connection. The
//! relay's leases, its holds, its passes and its order of keys belong to what is timed.
//!
//! `--keys K`: few hot keys, so that order decides. The sink answers each call after 0.2 ms (a thread of its own
//! sleeps, see `relay::timer`), and a key has one message with it at a time: K keys can't do more than K / 0.2 ms.
//! The bare loop sends waves that hold each key once. The sink checks the order.
//!
//! `--backlog A,B,…`: the same drain with backlogs of several sizes, in turn. The first is the floor, and the rate
//! is to stay what it is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use sqlx::{MySql, Pool, Postgres, Sqlite};

use crate::cli::{Common, RelayArgs};
use crate::content::{KEY_BYTES, PAYLOAD_BYTES};
use crate::database::{Database, Engine, Kind, Server};
use crate::floor;
use crate::progress::Progress;
use crate::relay::{Meter, Running, Seen, Setup, Sink};
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, median, ratios};

const MESSAGES: u64 = 200_000;
const ROUNDS: usize = 7;
/// How long the sink of `--keys` takes to answer.
const SINK: Duration = Duration::from_micros(200);
/// Smaller ones measure how a drain begins.
const SMALLEST: u64 = 1_000;
const TARGET: f64 = 0.90;
const TARGET_FLAT: f64 = 0.90;

pub(crate) async fn run(common: &Common, args: &RelayArgs, server: &mut Server) -> Result<Report> {
    let database = server.database().await?;
    match server.kind() {
        Kind::Postgres => measure::<Postgres>(common, args, server, &database).await,
        Kind::Mysql => measure::<MySql>(common, args, server, &database).await,
        Kind::Sqlite => measure::<Sqlite>(common, args, server, &database).await,
    }
}

async fn measure<E: Engine>(
    common: &Common,
    args: &RelayArgs,
    server: &Server,
    database: &Database,
) -> Result<Report> {
    // For loading and emptying; both sides have connections of their own.
    let pool = E::pool(&database.url, 1).await?;
    let bench = Bench {
        common,
        args,
        server,
        database,
        pool,
        keys: args.keys,
    };
    let report = if args.backlog.is_empty() {
        bench.against_the_floor().await
    } else {
        bench.by_size().await
    };
    bench.pool.close().await;
    report
}

struct Bench<'a, E: Engine> {
    common: &'a Common,
    args: &'a RelayArgs,
    server: &'a Server,
    database: &'a Database,
    pool: Pool<E>,
    keys: Option<u64>,
}

impl<E: Engine> Bench<'_, E> {
    /// The same state before every turn.
    async fn load(&self, messages: u64) -> Result<()> {
        E::empty(&self.pool).await?;
        E::load(&self.pool, messages, self.keys.unwrap_or(messages)).await?;
        E::settle_down(&self.pool).await
    }

    fn sink(&self) -> Result<Sink> {
        let Some(keys) = self.keys else {
            return Ok(Sink::nothing());
        };
        let in_flight = self.args.in_flight.unwrap_or(keys);
        Sink::slow(SINK, self.args.sink_batch as usize, in_flight as usize)
    }

    async fn ours(&self, messages: u64, sink: Sink) -> Result<(Duration, Vec<(String, Value)>)> {
        let mut relay = Running::start(self.database, Setup::of(sink)).await?;
        relay.settled(messages).await?;
        let meter = relay.meter.clone();
        let took = meter.settled_at() - meter.opened_at();
        let calls = calls(&meter, took);
        let delivered = relay.stop().await?.delivered;
        let left = E::pending(&self.pool).await?;
        if left != 0 || delivered != messages {
            bail!("of {messages} messages the relay delivered {delivered} and left {left} in the outbox");
        }
        Ok((took, calls))
    }

    async fn against_the_floor(&self) -> Result<Report> {
        let per_second = if self.keys.is_some() { 800.0 } else { 2_000.0 };
        let messages = self
            .args
            .messages
            .unwrap_or_else(|| self.common.scaled(MESSAGES, per_second, 1_000));
        let rounds = self.common.rounds_or(ROUNDS, 5);
        let progress = Progress::new(rounds as u64 * 2);
        let (mut floor, mut ours) = (Vec::new(), Vec::new());
        let mut where_time_goes = Vec::new();
        let (floor_sink, our_sink) = (self.sink()?, self.sink()?);
        let (floor_seen, our_seen) = (Seen::ordered(), Seen::ordered());
        for round in 0..rounds {
            // Who begins alternates.
            for turn in [round % 2, (round + 1) % 2] {
                progress.says(format!("round {} of {rounds}: loading", round + 1));
                self.load(messages).await?;
                let rate = |took: Duration| messages as f64 / took.as_secs_f64();
                if turn == 0 {
                    progress.says(format!("round {} of {rounds}: the bare loop", round + 1));
                    // Books are kept where order is what it is about.
                    let sink = self.keys.map(|_| floor_sink.clone().seen_by(&floor_seen));
                    let durable = self.args.durable_floor;
                    let took = floor::drain::drain(self.database, messages, durable, sink).await?;
                    floor.push(rate(took));
                } else {
                    progress.says(format!("round {} of {rounds}: the relay", round + 1));
                    let sink = match self.keys {
                        Some(_) => our_sink.clone().seen_by(&our_seen),
                        None => our_sink.clone(),
                    };
                    // Each turn loads the same numbers again.
                    our_seen.forget_order();
                    let (took, calls) = self.ours(messages, sink).await?;
                    ours.push(rate(took));
                    where_time_goes = calls;
                }
                floor_seen.forget_order();
                progress.step();
            }
        }
        drop(progress);
        let out_of_order = our_seen.out_of_order.load(Ordering::Relaxed);
        if out_of_order > 0 {
            bail!("{out_of_order} messages came out of the order of their keys");
        }

        let ratio = Interval::of(&ratios(&ours, &floor));
        let (floor, ours) = (Spread::of(&floor), Spread::of(&ours));
        let mut table = Table::new(["drain", "messages/s", "lowest – highest"]);
        table.row([
            "bare loop",
            &pretty(floor.median),
            &pretty_range(floor.low, floor.high),
        ]);
        table.row(["relay", &pretty(ours.median), &pretty_range(ours.low, ours.high)]);
        table.row([
            "ratio",
            &pretty(ratio.median),
            &pretty_range(ratio.low, ratio.high),
        ]);
        let mut settings = self.settings();
        settings.insert("messages".into(), messages.into());
        let mut details = Map::new();
        let mut notes = Vec::new();
        let measured = match self.keys {
            None => {
                details.insert("target".into(), number(TARGET));
                notes.push(format!("Target: a ratio of at least {TARGET}."));
                format!(
                    "{} committed messages of distinct keys, drained to a sink that does nothing, until the last one \
                     is settled.",
                    pretty(messages as f64)
                )
            }
            Some(keys) => {
                let theory = keys as f64 / SINK.as_secs_f64();
                let actual = our_sink.actual_delay();
                let reachable = keys as f64 / actual.as_secs_f64();
                let calls = our_seen.calls.load(Ordering::Relaxed);
                let batch = our_seen.messages.load(Ordering::Relaxed) as f64 / calls.max(1) as f64;
                let in_flight = our_seen.in_flight_max.load(Ordering::Relaxed);
                table.row(["theory", &pretty(theory), ""]);
                table.row(["theory, as the sink really answered", &pretty(reachable), ""]);
                details.insert("theory".into(), number(theory));
                details.insert("of_theory".into(), number(ours.median / theory));
                details.insert(
                    "sink_answered_after_ms".into(),
                    number(actual.as_secs_f64() * 1e3),
                );
                details.insert("theory_as_answered".into(), number(reachable));
                details.insert("publish_calls".into(), calls.into());
                details.insert("messages_per_call".into(), number(batch));
                details.insert("calls_in_flight_max".into(), in_flight.into());
                details.insert("out_of_order".into(), out_of_order.into());
                settings.insert("keys".into(), keys.into());
                settings.insert("sink_ms".into(), number(SINK.as_secs_f64() * 1e3));
                settings.insert("sink_batch".into(), self.args.sink_batch.into());
                settings.insert(
                    "sink_in_flight".into(),
                    self.args.in_flight.unwrap_or(keys).into(),
                );
                notes.push(format!(
                    "The sink took {} messages a call, up to {in_flight} calls at a time, and answered after {} ms \
                     on average. No message came out of its key's order.",
                    pretty(batch),
                    pretty(actual.as_secs_f64() * 1e3)
                ));
                format!(
                    "{} committed messages of {keys} hot keys in strict order, to a sink that answers after 0.2 ms.",
                    pretty(messages as f64)
                )
            }
        };
        notes.push(format!(
            "Where the relay's time went, last round: {}.",
            spoken(&where_time_goes)
        ));
        details.insert("ratio_interval".into(), ratio.into());
        details.insert("floor_spread".into(), floor.into());
        details.insert("ours_spread".into(), ours.into());
        details.insert(
            "relay_seconds".into(),
            Value::Object(where_time_goes.into_iter().collect()),
        );
        Ok(Report {
            scenario: "relay",
            database: self.common.database.to_string(),
            unit: "messages/s",
            measured,
            floor: Some(floor.median),
            ours: ours.median,
            ratio: Some(ratio.median),
            rounds,
            settings,
            details,
            table,
            notes,
        })
    }

    async fn by_size(&self) -> Result<Report> {
        let asked: u64 = self.args.backlog.iter().sum();
        // What fits into the time, and the sizes keep their proportions.
        let fits = self.common.scaled(asked, 3_000.0, 1_000);
        let sizes: Vec<u64> = self
            .args
            .backlog
            .iter()
            .map(|&size| ((size as f64 * fits as f64 / asked.max(1) as f64) as u64).max(SMALLEST.min(size)))
            .collect();
        let rounds = self.common.rounds_or(5, 3);
        let progress = Progress::new((rounds * sizes.len()) as u64);
        let mut rates = vec![Vec::new(); sizes.len()];
        for round in 0..rounds {
            for at in 0..sizes.len() {
                let at = (at + round) % sizes.len();
                let size = sizes[at];
                progress.says(format!("round {} of {rounds}: loading {size}", round + 1));
                self.load(size).await?;
                progress.says(format!("round {} of {rounds}: draining {size}", round + 1));
                let (took, _) = self.ours(size, Sink::nothing()).await?;
                rates[at].push(size as f64 / took.as_secs_f64());
                progress.step();
            }
        }
        drop(progress);
        let mut table = Table::new(["backlog", "messages/s", "lowest – highest", "of the first"]);
        let mut sizes_found = Vec::new();
        let mut worst = 1.0_f64;
        for (size, found) in sizes.iter().zip(&rates) {
            let spread = Spread::of(found);
            let ratio = median(&ratios(found, &rates[0]));
            worst = worst.min(ratio);
            table.row([
                pretty(*size as f64),
                pretty(spread.median),
                pretty_range(spread.low, spread.high),
                pretty(ratio),
            ]);
            sizes_found
                .push(json!({ "messages": size, "rate": Value::from(spread), "ratio": number(ratio) }));
        }
        let mut details = Map::new();
        details.insert("target".into(), number(TARGET_FLAT));
        details.insert("backlogs".into(), sizes_found.into());
        let slowest = rates
            .iter()
            .map(|found| median(found))
            .fold(f64::INFINITY, f64::min);
        Ok(Report {
            scenario: "relay",
            database: self.common.database.to_string(),
            unit: "messages/s",
            measured: "Backlogs of several sizes, drained to a sink that does nothing: does the rate stay?"
                .into(),
            floor: rates.first().map(|found| median(found)),
            ours: slowest,
            ratio: Some(worst),
            rounds,
            settings: self.settings(),
            details,
            table,
            notes: vec![format!(
                "The floor is the first size, ours the slowest; target: at least {TARGET_FLAT} of the first."
            )],
        })
    }

    fn settings(&self) -> Map<String, Value> {
        let mut settings = self.server.settings();
        settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
        settings.insert("key_bytes".into(), KEY_BYTES.into());
        settings.insert("floor_waits_for_disk".into(), self.args.durable_floor.into());
        settings
    }
}

/// Seconds by kind of statement, and the rest.
fn calls(meter: &Meter, took: Duration) -> Vec<(String, Value)> {
    let calls = meter.calls();
    let mut shares = Vec::new();
    let mut rest = took;
    for (name, calls) in calls.into_iter().filter(|(name, _)| *name != "open") {
        rest = rest.saturating_sub(calls.time);
        shares.push((name.to_owned(), number(calls.time.as_secs_f64())));
    }
    shares.push(("between statements".to_owned(), number(rest.as_secs_f64())));
    shares.push(("all".to_owned(), number(took.as_secs_f64())));
    shares
}

fn spoken(shares: &[(String, Value)]) -> String {
    let shares: Vec<_> = shares
        .iter()
        .map(|(name, value)| format!("{name} {value} s"))
        .collect();
    shares.join(", ")
}
