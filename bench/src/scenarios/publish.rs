//! `publish`: what a message costs the transaction that writes it.
//!
//! Three transactions take turns, in the same process, over the same pool, from the same number of clients: the
//! business INSERT alone; with a bare INSERT beside it (the floor, see [`crate::floor::insert`]); with
//! `outbox.publish` beside it (ours). All tables are emptied before each turn, which then runs a fixed number of
//! transactions, so that both sides fill equally large tables. Payload and keys are built before; building the
//! message out of them belongs to ours. Who begins a round rotates, so that a machine that gets slower
//! favours nobody. On MySQL two more transactions take turns with them, which stand between the floor and ours.
//!
//! The ratio is the median over rounds of *ours by the floor of the same round*: noise that lasts longer than a
//! round disturbs both alike.
//!
//! `--pending N` asks another question: whether a full outbox makes publishing slower. Then both sides are ours,
//! one in a database whose outbox is empty, one where N messages wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use outbox_core::Message;
use outbox_sqlx::postgres::Notifier;
use outbox_sqlx::{Outbox, OutboxError};
use serde_json::{Map, Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{MySql, Pool, Postgres, Sqlite};
use tokio::task::JoinSet;

use crate::cli::{Common, PublishArgs};
use crate::content::{Content, KEY_BYTES, PAYLOAD_BYTES, TOPIC};
use crate::database::{Database, Engine, Kind, Server};
use crate::floor::insert::{BareInsert, Step};
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, median, ratios};

/// How long one turn takes at full size.
const TURN: Duration = Duration::from_secs(2);
/// How long the first turns, which say how many transactions a turn has, are at least.
const WARM_UP: Duration = Duration::from_millis(100);
/// Rounds at full size: enough for an interval that leaves out the three worst on either side.
const ROUNDS: usize = 15;

/// One kind of transaction, where it runs and what it found.
struct Side<E: Engine> {
    name: &'static str,
    work: Work,
    pool: Pool<E>,
    /// Messages that stay in the outbox, by the highest id.
    keep: Option<i64>,
    rates: Vec<f64>,
}

#[derive(Debug, Clone)]
enum Work {
    Business,
    Bare(Step),
    Publish(Outbox),
    Scope(Outbox),
}

pub(crate) async fn run(common: &Common, args: &PublishArgs, server: &mut Server) -> Result<Report> {
    let database = server.database().await?;
    match server.kind() {
        Kind::Postgres => {
            let mut outbox = Outbox::builder();
            if args.notify {
                let options: PgConnectOptions = database.url.parse().context("the database's URL")?;
                outbox = outbox.notifier(Notifier::start(options));
            }
            measure::<Postgres>(common, args, server, database, outbox.build()).await
        }
        kind if args.notify => bail!("--notify needs Postgres: {} has no NOTIFY", kind.name()),
        Kind::Mysql => measure::<MySql>(common, args, server, database, Outbox::new()).await,
        Kind::Sqlite => measure::<Sqlite>(common, args, server, database, Outbox::new()).await,
    }
}

async fn measure<E: BareInsert>(
    common: &Common,
    args: &PublishArgs,
    server: &mut Server,
    database: Database,
    outbox: Outbox,
) -> Result<Report> {
    let clients = args.connections.unwrap_or(E::CLIENTS);
    let pool = E::pool(&database.url, clients).await?;
    let ours = if args.scope {
        Work::Scope(outbox)
    } else {
        Work::Publish(outbox)
    };
    let side = |name, work, pool: &Pool<E>| Side {
        name,
        work,
        pool: pool.clone(),
        keep: None,
        rates: Vec::new(),
    };
    // The second one from the front is the floor, or with --pending the first; the last is ours.
    let mut sides = match args.pending {
        None => {
            let mut sides = vec![side("business only", Work::Business, &pool)];
            sides.extend(
                E::STEPS
                    .iter()
                    .map(|&step| side(step.name(), Work::Bare(step), &pool)),
            );
            sides.push(side("with outbox.publish", ours, &pool));
            sides
        }
        Some(pending) => {
            let full = E::pool(&server.database().await?.url, clients).await?;
            let mut full = side("publish, full outbox", ours.clone(), &full);
            full.keep = Some(fill(&full.pool, pending).await?);
            vec![side("publish, empty outbox", ours, &pool), full]
        }
    };

    let load = Load {
        clients,
        batch: args.batch as usize,
        content: Arc::new(Content::new()),
    };
    let rounds = common.rounds_or(ROUNDS, 5);
    let progress = Progress::new((rounds * sides.len()) as u64);
    progress.says("warming up");
    let turns = (rounds * sides.len()) as f64;
    // Emptying tables and warming up take their part of the time.
    let turn = common.seconds.map_or(TURN, |seconds| {
        TURN.min(Duration::from_secs_f64(seconds * 0.6 / turns))
    });
    let mut rate = 0.0;
    for side in &sides {
        reset(side).await?;
        rate = load.warm_up(side, WARM_UP.min(turn)).await?;
    }
    // By the rate of ours, which came last; all have the same number.
    let transactions = ((rate * turn.as_secs_f64()) as u64).max(u64::from(clients));

    for round in 0..rounds {
        for at in 0..sides.len() {
            let at = (at + round) % sides.len();
            let side = &mut sides[at];
            progress.says(format!("round {} of {rounds}: {}", round + 1, side.name));
            reset(side).await?;
            let took = load.turn(side, transactions).await?;
            side.rates.push(transactions as f64 / took.as_secs_f64());
            progress.step();
        }
    }
    drop(progress);
    for side in &sides {
        side.pool.close().await;
    }
    Ok(report(common, args, server, &sides, &load, transactions))
}

/// Loads what is to be pending. Returns the highest id of it.
async fn fill<E: Engine>(pool: &Pool<E>, pending: u64) -> Result<i64> {
    E::load(pool, pending, pending).await?;
    E::settle_down(pool).await?;
    E::highest(pool).await
}

async fn reset<E: Engine>(side: &Side<E>) -> Result<()> {
    match side.keep {
        None => E::empty(&side.pool).await,
        Some(highest) => E::cut(&side.pool, highest).await,
    }
}

/// What all turns have in common.
struct Load {
    clients: u32,
    batch: usize,
    content: Arc<Content>,
}

impl Load {
    /// Runs more and more transactions until they take long enough to say how many a second there are.
    async fn warm_up<E: BareInsert>(&self, side: &Side<E>, at_least: Duration) -> Result<f64> {
        let mut transactions = u64::from(self.clients) * 4;
        loop {
            let took = self.turn(side, transactions).await?;
            if took >= at_least {
                return Ok(transactions as f64 / took.as_secs_f64());
            }
            transactions *= 2;
        }
    }

    /// Runs so many transactions, shared by all clients, and says how long that took.
    async fn turn<E: BareInsert>(&self, side: &Side<E>, transactions: u64) -> Result<Duration> {
        let next = Arc::new(AtomicU64::new(0));
        let mut clients = JoinSet::new();
        let begun = Instant::now();
        for _ in 0..self.clients {
            let (pool, work, content) = (side.pool.clone(), side.work.clone(), self.content.clone());
            let (next, batch) = (next.clone(), self.batch);
            clients.spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= transactions {
                        return Ok(());
                    }
                    transaction::<E>(&pool, &work, &content, n, batch).await?;
                }
            });
        }
        while let Some(client) = clients.join_next().await {
            client
                .context("a client panicked")?
                .map_err(|error: anyhow::Error| error.context(format!("a transaction ({})", side.name)))?;
        }
        Ok(begun.elapsed())
    }
}

async fn transaction<E: BareInsert>(
    pool: &Pool<E>,
    work: &Work,
    content: &Content,
    n: u64,
    batch: usize,
) -> Result<()> {
    let total = (n % 10_000) as i64;
    let first = n * batch as u64;
    match work {
        Work::Business => {
            let mut tx = E::begin_by_hand(pool).await?;
            E::insert_order(&mut tx, content.key(n), total).await?;
            tx.commit().await?;
        }
        Work::Bare(step) => {
            let mut tx = E::begin_by_hand(pool).await?;
            E::insert_order(&mut tx, content.key(n), total).await?;
            if batch == 1 {
                E::insert_message(&mut tx, *step, content, first).await?;
            } else {
                E::insert_messages(&mut tx, *step, content, first, batch).await?;
            }
            tx.commit().await?;
        }
        Work::Publish(outbox) => {
            let mut tx = outbox.begin(pool).await?;
            E::insert_order(&mut tx, content.key(n), total).await?;
            publish::<E>(outbox, &mut tx, content, first, batch).await?;
            tx.commit().await.map_err(OutboxError::from_commit)?;
        }
        Work::Scope(outbox) => {
            let message = message(content, first)?;
            E::order_in_scope(outbox, pool, content.key(n), total, message).await?;
        }
    }
    Ok(())
}

async fn publish<E: Engine>(
    outbox: &Outbox,
    tx: &mut sqlx::Transaction<'static, E>,
    content: &Content,
    first: u64,
    batch: usize,
) -> Result<()> {
    if batch == 1 {
        E::publish(outbox, tx, message(content, first)?).await?;
    } else {
        E::publish_all(outbox, tx, messages(content, first, batch)?).await?;
    }
    Ok(())
}

fn messages(content: &Content, first: u64, batch: usize) -> Result<Vec<Message>> {
    (first..).take(batch).map(|n| message(content, n)).collect()
}

fn message(content: &Content, n: u64) -> Result<Message> {
    Ok(Message::builder(TOPIC)
        .key(content.key(n))
        .payload(
            content.payload.clone(),
            outbox_core::Headers::DEFAULT_CONTENT_TYPE,
        )
        .build()?)
}

fn report<E: Engine>(
    common: &Common,
    args: &PublishArgs,
    server: &Server,
    sides: &[Side<E>],
    load: &Load,
    transactions: u64,
) -> Report {
    let (floor, ours) = (
        &sides[usize::from(args.pending.is_none())],
        &sides[sides.len() - 1],
    );
    let ratio = Interval::of(&ratios(&ours.rates, &floor.rates));
    let base = &sides[0];
    let of_base = if args.pending.is_some() {
        "of the empty"
    } else {
        "of business only"
    };
    let mut table = Table::new(["transaction", "tx/s", "lowest – highest", of_base, "of the floor"]);
    let mut details = Map::new();
    let mut steps = Map::new();
    for side in sides {
        let spread = Spread::of(&side.rates);
        let of_base = pretty(median(&ratios(&side.rates, &base.rates)));
        table.row([
            side.name.to_owned(),
            pretty(spread.median),
            pretty_range(spread.low, spread.high),
            of_base,
            pretty(median(&ratios(&side.rates, &floor.rates))),
        ]);
        if let Work::Bare(step) = side.work
            && step != Step::Bare
        {
            let of_floor = Interval::of(&ratios(&side.rates, &floor.rates));
            steps.insert(
                step.key().to_owned(),
                json!({ "rate": Value::from(Spread::of(&side.rates)), "of_floor": Value::from(of_floor) }),
            );
        }
    }
    let target = match (args.pending, args.batch) {
        (Some(_), _) => 0.95,
        (None, 1) if !args.notify => 0.97,
        _ => 0.95,
    };
    table.row([
        "ratio".to_owned(),
        pretty(ratio.median),
        pretty_range(ratio.low, ratio.high),
        format!("target ≥ {target}"),
        String::new(),
    ]);
    details.insert("target".into(), number(target));
    details.insert("ratio_interval".into(), ratio.into());
    details.insert("floor_spread".into(), Spread::of(&floor.rates).into());
    details.insert("ours_spread".into(), Spread::of(&ours.rates).into());
    if args.pending.is_none() {
        details.insert("business_only".into(), number(median(&base.rates)));
        details.insert(
            "ours_of_business".into(),
            number(median(&ratios(&ours.rates, &base.rates))),
        );
        details.insert(
            "floor_of_business".into(),
            number(median(&ratios(&floor.rates, &base.rates))),
        );
    }

    if !steps.is_empty() {
        details.insert("steps".into(), Value::Object(steps));
    }

    let mut settings = server.settings();
    settings.insert("connections".into(), load.clients.into());
    settings.insert("batch".into(), args.batch.into());
    settings.insert("transactions_per_turn".into(), transactions.into());
    settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
    settings.insert("key_bytes".into(), KEY_BYTES.into());
    settings.insert("notify".into(), args.notify.into());
    settings.insert("scope".into(), args.scope.into());
    if let Some(pending) = args.pending {
        settings.insert("pending".into(), pending.into());
    }
    let measured = match args.pending {
        None => format!(
            "{} clients, one business INSERT and {} in each transaction; the floor's message table has the outbox's \
             columns and only its primary key.",
            load.clients,
            if args.batch == 1 {
                "one message".to_owned()
            } else {
                format!("{} messages", args.batch)
            },
        ),
        Some(pending) => format!(
            "{} clients publish into an empty outbox and into one with {} pending messages.",
            load.clients,
            pretty(pending as f64)
        ),
    };
    Report {
        scenario: "publish",
        database: common.database.to_string(),
        unit: "transactions/s",
        measured,
        floor: Some(median(&floor.rates)),
        ours: median(&ours.rates),
        ratio: Some(ratio.median),
        rounds: ours.rates.len(),
        settings,
        details,
        table,
        notes: vec![format!(
            "The ratio is the median of {} pairs; the true median lies in its interval with {:.1} % confidence.",
            ours.rates.len(),
            ratio.confidence * 100.0
        )],
    }
}
