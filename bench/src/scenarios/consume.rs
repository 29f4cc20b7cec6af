//! `consume`: what it costs that a message takes effect once.
//!
//! Four kinds of transaction take turns, in the same process, over pools of the same size, from the same number of clients:
//! one message by hand (the ledger's INSERT and the business INSERT), one message through [`IdempotentConsumer`] with a
//! handler that does the same business INSERT, and both with 100 messages in one transaction. Both sides write into the same
//! two tables, emptied before each turn, and handle the same messages, which are made before, with their ids as texts for
//! the side by hand. There is no lock in front of the ledger: every message comes for the first time.
//!
//! The ratios are medians over rounds of *ours by the floor of the same round*; the batch's gain is that of ours in batches by
//! ours one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use idempotency::Idempotency;
use idempotency::consumer::{IdempotentConsumer, IdempotentHandler, NoOutbox};
use outbox_core::consumer::{BatchHandler, HandleError, Handler};
use outbox_core::{Delivery, Message};
use serde_json::json;
use sqlx::{MySql, Pool, Postgres, Sqlite};
use tokio::task::JoinSet;
use transaction_scope::ScopedTransaction;

use super::deliveries::deliveries;
use crate::cli::{Common, ConsumeArgs};
use crate::database::{Kind, Server};
use crate::floor::ledger::BareLedger;
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, median, ratios};

const TURN: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(100);
const ROUNDS: usize = 11;
const TARGET: f64 = 0.90;
/// What batches have to gain.
const BATCH_TARGET: f64 = 5.0;
/// The ledger's scope.
const GROUP: &str = "inventory";
const CUSTOMER: &str = "customer-0000007";
/// Most messages of one turn: they are made before, and kept.
const MESSAGES_MAX: usize = 200_000;

/// One row for each message.
struct Place;

#[async_trait]
impl<E: BareLedger> IdempotentHandler<E, NoOutbox> for Place {
    async fn handle(
        &self,
        _: &Message,
        tx: &mut ScopedTransaction<E>,
        _: &NoOutbox,
    ) -> Result<(), HandleError> {
        E::insert_order(tx.as_mut(), CUSTOMER, 990).await?;
        Ok(())
    }
}

/// Who writes the transactions, and how many messages are in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    ByHand,
    Ours,
    BatchByHand,
    OurBatch,
}

impl Side {
    const ALL: [Self; 4] = [Self::ByHand, Self::Ours, Self::BatchByHand, Self::OurBatch];

    fn name(self) -> &'static str {
        match self {
            Self::ByHand => "one by one, by hand",
            Self::Ours => "one by one, through the guard",
            Self::BatchByHand => "batches, by hand",
            Self::OurBatch => "batches, through the guard",
        }
    }
}

pub(crate) async fn run(common: &Common, args: &ConsumeArgs, server: &mut Server) -> Result<Report> {
    match server.kind() {
        Kind::Postgres => measure::<Postgres>(common, args, server).await,
        Kind::Mysql => measure::<MySql>(common, args, server).await,
        Kind::Sqlite => measure::<Sqlite>(common, args, server).await,
    }
}

struct Bench<E: BareLedger> {
    pool: Pool<E>,
    consumer: IdempotentConsumer<E, NoOutbox, Place>,
    deliveries: Vec<Delivery>,
    keys: Vec<String>,
    batch: usize,
}

async fn measure<E: BareLedger>(common: &Common, args: &ConsumeArgs, server: &mut Server) -> Result<Report> {
    let database = server.database().await?;
    let clients = args.connections.unwrap_or(E::CLIENTS);
    let pool = E::pool(&database.url, clients).await?;
    idempotency::migrate(&pool)
        .await
        .context("making the ledger's tables")?;
    let guard = Idempotency::builder(pool.clone()).build().await?;
    let deliveries = deliveries(MESSAGES_MAX)?;
    let bench = Arc::new(Bench {
        consumer: guard.consumer(GROUP, NoOutbox, Place)?,
        keys: deliveries
            .iter()
            .map(|delivery| delivery.message().id().to_string())
            .collect(),
        deliveries,
        pool,
        batch: args.batch as usize,
    });
    let rounds = common.rounds_or(ROUNDS, 5);
    let progress = Progress::new((rounds * Side::ALL.len()) as u64);
    progress.says("warming up");
    let turn = common.seconds.map_or(TURN, |seconds| {
        TURN.min(Duration::from_secs_f64(
            seconds * 0.6 / (rounds * Side::ALL.len()) as f64,
        ))
    });
    let mut messages = [0; 4];
    for side in Side::ALL {
        messages[side as usize] = bench.warm_up(side, clients, turn).await?;
    }
    // Both sides of a pair handle the same number.
    for (by_hand, ours) in [(0, 1), (2, 3)] {
        messages[by_hand] = messages[ours];
    }
    let mut rates: [Vec<f64>; 4] = Default::default();
    for round in 0..rounds {
        for at in 0..Side::ALL.len() {
            let side = Side::ALL[(at + round) % Side::ALL.len()];
            progress.says(format!("round {} of {rounds}: {}", round + 1, side.name()));
            bench.empty().await?;
            let took = bench.turn(side, clients, messages[side as usize]).await?;
            rates[side as usize].push(messages[side as usize] as f64 / took.as_secs_f64());
            progress.step();
        }
    }
    drop(progress);
    let decisions = guard.decisions();
    anyhow::ensure!(
        decisions.duplicate_ledger == 0 && decisions.busy == 0,
        "every message comes for the first time: {decisions:?}"
    );
    bench.pool.close().await;
    Ok(report(common, args, server, clients, messages, &rates))
}

impl<E: BareLedger> Bench<E> {
    async fn empty(&self) -> Result<()> {
        E::empty_ledger(&self.pool).await?;
        E::empty(&self.pool).await
    }

    /// How many messages a turn of this length has.
    async fn warm_up(self: &Arc<Self>, side: Side, clients: u32, turn: Duration) -> Result<usize> {
        let mut messages = clients as usize * 4 * self.batch;
        loop {
            self.empty().await?;
            let took = self.turn(side, clients, messages).await?;
            if took >= WARM_UP.min(turn) || messages * 2 > MESSAGES_MAX {
                let wanted = messages as f64 * turn.as_secs_f64() / took.as_secs_f64();
                let least = clients as usize * self.batch;
                return Ok((wanted as usize).clamp(least, MESSAGES_MAX) / self.batch * self.batch);
            }
            messages *= 2;
        }
    }

    /// Handles so many messages, shared by all clients.
    async fn turn(self: &Arc<Self>, side: Side, clients: u32, messages: usize) -> Result<Duration> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let begun = Instant::now();
        for _ in 0..clients {
            let (bench, next) = (Arc::clone(self), Arc::clone(&next));
            tasks.spawn(async move {
                let step = match side {
                    Side::ByHand | Side::Ours => 1,
                    Side::BatchByHand | Side::OurBatch => bench.batch,
                };
                loop {
                    let from = next.fetch_add(step, Ordering::Relaxed);
                    if from >= messages {
                        return Ok(());
                    }
                    bench.transaction(side, from, (from + step).min(messages)).await?;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended
                .context("a client panicked")?
                .map_err(|error: anyhow::Error| error.context(format!("a transaction ({})", side.name())))?;
        }
        Ok(begun.elapsed())
    }

    async fn transaction(&self, side: Side, from: usize, to: usize) -> Result<()> {
        match side {
            Side::ByHand => {
                let mut tx = E::begin_by_hand(&self.pool).await?;
                E::insert_row(&mut tx, GROUP, &self.keys[from]).await?;
                E::insert_order(&mut tx, CUSTOMER, 990).await?;
                tx.commit().await?;
            }
            Side::BatchByHand => {
                let mut tx = E::begin_by_hand(&self.pool).await?;
                E::insert_rows(&mut tx, GROUP, &self.keys[from..to]).await?;
                for _ in from..to {
                    E::insert_order(&mut tx, CUSTOMER, 990).await?;
                }
                tx.commit().await?;
            }
            Side::Ours => {
                let handled = self.consumer.handle(&self.deliveries[from]).await;
                handled.map_err(|error| anyhow!("{error}"))?;
            }
            Side::OurBatch => {
                let handled = self.consumer.handle_batch(&self.deliveries[from..to]).await;
                handled.map_err(|error| anyhow!("{error}"))?;
            }
        }
        Ok(())
    }
}

fn report(
    common: &Common,
    args: &ConsumeArgs,
    server: &Server,
    clients: u32,
    messages: [usize; 4],
    rates: &[Vec<f64>; 4],
) -> Report {
    let of = |side: Side| &rates[side as usize];
    let one = Interval::of(&ratios(of(Side::Ours), of(Side::ByHand)));
    let batch = Interval::of(&ratios(of(Side::OurBatch), of(Side::BatchByHand)));
    let gain = Interval::of(&ratios(of(Side::OurBatch), of(Side::Ours)));
    let mut table = Table::new(["transaction", "messages/s", "lowest – highest", "of by hand"]);
    for side in Side::ALL {
        let spread = Spread::of(of(side));
        let of_floor = match side {
            Side::ByHand | Side::BatchByHand => String::new(),
            Side::Ours => format!("{} (target ≥ {TARGET})", pretty(one.median)),
            Side::OurBatch => pretty(batch.median),
        };
        table.row([
            side.name().to_owned(),
            pretty(spread.median),
            pretty_range(spread.low, spread.high),
            of_floor,
        ]);
    }
    table.row([
        "batches by one by one".to_owned(),
        pretty(gain.median),
        pretty_range(gain.low, gain.high),
        format!("target ≥ {BATCH_TARGET}"),
    ]);
    let part = |floor: Side, ours: Side, ratio: Interval| {
        json!({
            "floor": number(median(of(floor))),
            "ours": number(median(of(ours))),
            "ratio": number(ratio.median),
            "interval": [number(ratio.low), number(ratio.high)],
        })
    };
    let mut details = serde_json::Map::new();
    details.insert("one".into(), part(Side::ByHand, Side::Ours, one));
    details.insert("batch".into(), part(Side::BatchByHand, Side::OurBatch, batch));
    details.insert("batch_gain".into(), gain.into());
    details.insert("target".into(), number(TARGET));
    let mut settings = server.settings();
    settings.insert("connections".into(), clients.into());
    settings.insert("batch".into(), args.batch.into());
    settings.insert("messages_per_turn".into(), messages[Side::Ours as usize].into());
    settings.insert(
        "messages_per_batch_turn".into(),
        messages[Side::OurBatch as usize].into(),
    );
    Report {
        scenario: "consume",
        database: common.database.to_string(),
        unit: "messages/s",
        measured: format!(
            "{clients} clients handle messages that come for the first time: the ledger's row and a business row in one \
             transaction, by hand and through the guard; and {} messages in one transaction.",
            args.batch
        ),
        floor: Some(median(of(Side::ByHand))),
        ours: median(of(Side::Ours)),
        ratio: Some(one.median),
        rounds: of(Side::Ours).len(),
        settings,
        details,
        table,
        notes: vec![format!(
            "The ratio one by one lies in {} with {:.1} % confidence.",
            pretty_range(one.low, one.high),
            one.confidence * 100.0
        )],
    }
}
