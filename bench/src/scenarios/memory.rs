//! `memory`: what a relay keeps in memory while a large backlog drains.
//!
//! The relay runs in a process of its own, so that its resident memory is nobody else's. That is sampled from the
//! kernel all the time, and the kernel's own high-water mark is read at the end. Flat means: the last quarter of the
//! samples has the same median as the second quarter (in the first, buffers grow to their size).

use std::time::Duration;

use anyhow::Result;
use serde_json::Map;
use sqlx::{MySql, Postgres, Sqlite};

use crate::cli::{Common, MemoryArgs};
use crate::clock;
use crate::content::PAYLOAD_BYTES;
use crate::database::{Database, Engine, Kind, Server};
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::resident::{highest_mib, resident_mib};
use crate::stats::{Spread, median};
use crate::subprocess::{Worker, WorkerSetup};

const MESSAGES: u64 = 5_000_000;
const SAMPLE_EVERY: Duration = Duration::from_millis(50);
const TARGET_MIB: f64 = 100.0;

pub(crate) async fn run(common: &Common, args: &MemoryArgs, server: &mut Server) -> Result<Report> {
    let database = server.database().await?;
    match server.kind() {
        Kind::Postgres => measure::<Postgres>(common, args, server, &database).await,
        Kind::Mysql => measure::<MySql>(common, args, server, &database).await,
        Kind::Sqlite => measure::<Sqlite>(common, args, server, &database).await,
    }
}

async fn measure<E: Engine>(
    common: &Common,
    args: &MemoryArgs,
    server: &Server,
    database: &Database,
) -> Result<Report> {
    let messages = args
        .messages
        .unwrap_or_else(|| common.scaled(MESSAGES, 20_000.0, 10_000));
    let progress = Progress::new(messages);
    let pool = E::pool(&database.url, 1).await?;
    progress.says("loading");
    E::load(&pool, messages, messages).await?;
    E::settle_down(&pool).await?;
    pool.close().await;
    progress.says("draining");
    let mut relay = Worker::start(database, WorkerSetup::default()).await?;
    let begun = clock::now();
    let mut samples = vec![resident_mib(relay.pid())?];
    let mut tick = tokio::time::interval(SAMPLE_EVERY);
    while relay.settled().0 < messages {
        // What was read of a line when the tick comes is kept for the next look.
        tokio::select! {
            progressed = relay.until_progress() => {
                progressed?;
                progress.at(relay.settled().0);
            }
            _ = tick.tick() => samples.push(resident_mib(relay.pid())?),
        }
    }
    let took = relay.settled().1.saturating_sub(begun);
    samples.push(resident_mib(relay.pid())?);
    let highest = highest_mib(relay.pid())?;
    relay.stop().await?;
    drop(progress);

    let quarter = |n: usize| {
        let (from, to) = (samples.len() * n / 4, samples.len() * (n + 1) / 4);
        samples.get(from..to.max(from + 1)).unwrap_or(&samples)
    };
    let (second, last) = (median(quarter(1)), median(quarter(3)));
    let spread = Spread::of(&samples);
    let rate = messages as f64 / took.as_secs_f64();
    let mut table = Table::new(["resident memory of a relay", "MiB", "target"]);
    table.row([
        "highest (the kernel's mark)",
        &pretty(highest),
        &format!("≤ {TARGET_MIB}"),
    ]);
    table.row([
        "lowest – highest sample",
        &pretty_range(spread.low, spread.high),
        "",
    ]);
    table.row(["median of the second quarter", &pretty(second), ""]);
    table.row(["median of the last quarter", &pretty(last), ""]);
    table.row(["last / second", &pretty(last / second), "flat"]);
    let mut details = Map::new();
    details.insert("target".into(), number(TARGET_MIB));
    details.insert("resident_mib".into(), spread.into());
    details.insert("second_quarter_mib".into(), number(second));
    details.insert("last_quarter_mib".into(), number(last));
    details.insert("last_by_second".into(), number(last / second));
    details.insert("samples".into(), samples.len().into());
    details.insert("messages_per_second".into(), number(rate));
    let mut settings = server.settings();
    settings.insert("messages".into(), messages.into());
    settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
    Ok(Report {
        scenario: "memory",
        database: common.database.to_string(),
        unit: "MiB (highest)",
        measured: format!(
            "A relay in a process of its own drains {} messages ({} messages/s).",
            pretty(messages as f64),
            pretty(rate)
        ),
        floor: None,
        ours: highest,
        ratio: None,
        // Flatness is found within one drain.
        rounds: 1,
        settings,
        details,
        table,
        notes: vec![format!("{} samples, one every {SAMPLE_EVERY:?}.", samples.len())],
    })
}
