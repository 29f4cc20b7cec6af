//! `scale`: how throughput grows with relay processes when the queue is what takes time.
//!
//! The sink of each relay takes batches of 10, one call at a time, 2 ms each: one relay can't do more than 5,000
//! messages a second however fast the database is. 1, 2 and 4 relays take turns, each time with as many messages for
//! each relay. They are started on an empty outbox and share its shards before anything is measured. The backlog is
//! written by one transaction; before that commits, some other messages see to it that no relay is asleep. The time
//! runs from the commit to the moment at which the last relay has settled its last message, so the tail, in which some
//! relays are done and others are not, belongs to it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use sqlx::{MySql, Pool, Postgres};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::{Common, ScaleArgs};
use crate::clock;
use crate::content::PAYLOAD_BYTES;
use crate::database::{Database, Kind, Server, Shared};
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, median, ratios};
use crate::subprocess::{Worker, WorkerSetup};

/// For each relay.
const MESSAGES: u64 = 30_000;
/// They wake all relays: some for every shard.
const AWAKE: u64 = 512;
const ROUNDS: usize = 5;
const RELAYS: [usize; 3] = [1, 2, 4];
const TARGETS: [f64; 3] = [1.0, 1.8, 3.2];
const SINK: (Duration, usize) = (Duration::from_millis(2), 10);
/// Short, so that shards are shared soon. A third of it passes between renewals.
const LEASE: Duration = Duration::from_secs(2);
const SHARED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) async fn run(common: &Common, args: &ScaleArgs, server: &mut Server) -> Result<Report> {
    match server.kind() {
        Kind::Postgres => measure::<Postgres>(common, args, server).await,
        Kind::Mysql => measure::<MySql>(common, args, server).await,
        Kind::Sqlite => bail!(
            "one process relays a SQLite database, so there is nothing to scale: measure on Postgres or MySQL"
        ),
    }
}

async fn measure<E: Shared>(common: &Common, args: &ScaleArgs, server: &mut Server) -> Result<Report> {
    let database = server.database().await?;
    let pool = E::pool(&database.url, 2).await?;
    let messages = args
        .messages
        .unwrap_or_else(|| common.scaled(MESSAGES, 400.0, 500));
    // Sharing out the shards takes its time in each.
    let rounds = common.rounds_or(ROUNDS, 1);
    let progress = Progress::new((rounds * RELAYS.len()) as u64);
    let mut rates = vec![Vec::new(); RELAYS.len()];
    for round in 0..rounds {
        for at in 0..RELAYS.len() {
            let at = (at + round) % RELAYS.len();
            progress.says(format!("round {} of {rounds}: {} relays", round + 1, RELAYS[at]));
            E::empty(&pool).await?;
            let all = messages * RELAYS[at] as u64;
            let took = drain::<E>(&database, &pool, RELAYS[at], all).await?;
            rates[at].push(all as f64 / took.as_secs_f64());
            progress.step();
        }
    }
    drop(progress);
    pool.close().await;
    Ok(report(common, server, messages, &rates))
}

async fn drain<E: Shared>(
    database: &Database,
    pool: &Pool<E>,
    relays: usize,
    messages: u64,
) -> Result<Duration> {
    let setup = WorkerSetup {
        sink: Some(SINK),
        lease: Some(LEASE),
        ..WorkerSetup::default()
    };
    let mut workers = Vec::new();
    for _ in 0..relays {
        workers.push(Worker::start(database, setup).await?);
    }
    wait_for_shares::<E>(pool, relays).await?;
    let mut settled = Settled::watch(workers);
    let mut backlog = E::begin_by_hand(pool).await.context("loading a backlog")?;
    E::load_into(&mut backlog, messages, messages).await?;
    E::load(pool, AWAKE, AWAKE).await?;
    settled.until(AWAKE).await?;
    backlog.commit().await.context("loading a backlog")?;
    let begun = clock::now();
    let ended = settled.until(AWAKE + messages).await?;
    settled.stop().await?;
    let left = E::pending(pool).await?;
    if left != 0 {
        bail!("all {messages} messages are settled, yet {left} are left");
    }
    Ok(ended.saturating_sub(begun))
}

/// What several workers have settled together. Each has a task that reads its lines as they come: a pipe that is full
/// would stop it.
struct Settled {
    workers: JoinSet<Result<Worker>>,
    enough: CancellationToken,
    news: mpsc::UnboundedReceiver<(usize, u64, Duration)>,
    by_worker: Vec<u64>,
    last_at: Duration,
}

impl Settled {
    fn watch(workers: Vec<Worker>) -> Self {
        let (told, news) = mpsc::unbounded_channel();
        let mut settled = Self {
            by_worker: vec![0; workers.len()],
            workers: JoinSet::new(),
            enough: CancellationToken::new(),
            news,
            last_at: Duration::ZERO,
        };
        for (at, mut worker) in workers.into_iter().enumerate() {
            let (told, enough) = (told.clone(), settled.enough.clone());
            settled.workers.spawn(async move {
                loop {
                    tokio::select! {
                        progressed = worker.until_progress() => {
                            progressed?;
                            let (messages, when) = worker.settled();
                            // Nobody listens any more when all is settled.
                            let _ = told.send((at, messages, when));
                        }
                        () = enough.cancelled() => return Ok(worker),
                    }
                }
            });
        }
        settled
    }

    /// Waits until so many messages are settled. Returns when the last one was.
    async fn until(&mut self, messages: u64) -> Result<Duration> {
        while self.by_worker.iter().sum::<u64>() < messages {
            tokio::select! {
                Some((at, count, when)) = self.news.recv() => {
                    self.by_worker[at] = count;
                    self.last_at = self.last_at.max(when);
                }
                Some(ended) = self.workers.join_next() => {
                    ended.context("a task panicked")??;
                    bail!("a relay process ended early");
                }
            }
        }
        Ok(self.last_at)
    }

    async fn stop(mut self) -> Result<()> {
        self.enough.cancel();
        while let Some(worker) = self.workers.join_next().await {
            worker.context("a task panicked")??.stop().await?;
        }
        Ok(())
    }
}

/// Waits until every relay owns shards, and none more than one above another.
async fn wait_for_shares<E: Shared>(pool: &Pool<E>, relays: usize) -> Result<()> {
    let deadline = clock::now() + SHARED_WITHIN;
    loop {
        let (owners, least, most) = E::shares(pool).await?;
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
    settings.insert("messages_per_relay".into(), messages.into());
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
            "{} messages for each of 1, 2 and 4 relay processes; each sink takes 10 messages in 2 ms, so one relay can \
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
