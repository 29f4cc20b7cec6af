//! `bloat`: what becomes of the rate when dead rows can't be vacuumed.
//!
//! Another session holds a snapshot open (on Postgres and MySQL a REPEATABLE READ transaction that has read, on SQLite a
//! read transaction), as a backup or a long report does. Then five times: messages appear, and are drained. One
//! relay, in a process of its own, lives through all of it. The messages appear all at once, by one commit, so that
//! draining is measured and not a mixture; the relay polls as often as a busy one does also when it has nothing to do,
//! so that its waiting is not. The rate of the fifth drain by that of the first is the result; its median over
//! several such sequences, each in empty tables and with a new relay.

use anyhow::{Context, Result};
use outbox_core::pacing::Pacer;
use serde_json::{Map, Value};
use sqlx::{Connection, Executor, MySql, Postgres, Sqlite};

use crate::cli::{BloatArgs, Common};
use crate::clock;
use crate::content::PAYLOAD_BYTES;
use crate::database::{Database, Engine, Kind, Server, connect_mysql, connect_postgres};
use crate::progress::Progress;
use crate::report::{Report, Table, number, pretty, pretty_range};
use crate::stats::{Interval, Spread, median};
use crate::subprocess::{Worker, WorkerSetup};

const MESSAGES: u64 = 50_000;
/// Publish and drain, this often with the same snapshot held.
const CYCLES: usize = 5;
const SEQUENCES: usize = 11;
/// Messages that are drained before.
const WARM_UP: u64 = 500;
const TARGET: f64 = 0.95;

pub(crate) async fn run(common: &Common, args: &BloatArgs, server: &mut Server) -> Result<Report> {
    let database = server.database().await?;
    match server.kind() {
        Kind::Postgres => measure::<Postgres>(common, args, server, &database).await,
        Kind::Mysql => measure::<MySql>(common, args, server, &database).await,
        Kind::Sqlite => measure::<Sqlite>(common, args, server, &database).await,
    }
}

async fn measure<E: Engine>(
    common: &Common,
    args: &BloatArgs,
    server: &Server,
    database: &Database,
) -> Result<Report> {
    let pool = E::pool(&database.url, 1).await?;
    let messages = args
        .messages
        .unwrap_or_else(|| common.scaled(MESSAGES, 600.0, 500));
    let sequences = common.rounds_or(SEQUENCES, 3);
    let progress = Progress::new((sequences * CYCLES) as u64);
    // By cycle, then by sequence.
    let mut rates = vec![Vec::new(); CYCLES];
    for sequence in 0..sequences {
        progress.says(format!("sequence {} of {sequences}: starting", sequence + 1));
        E::empty(&pool).await?;
        let setup = WorkerSetup {
            poll_idle: Some(Pacer::BUSY),
            ..WorkerSetup::default()
        };
        let mut relay = Worker::start(database, setup).await?;
        // Some are drained before: the relay's statements are prepared, its first pass is over.
        E::load(&pool, WARM_UP, WARM_UP).await?;
        relay.until_settled(WARM_UP).await?;
        let snapshot = Snapshot::hold(database).await?;
        let mut expected = WARM_UP;
        for (cycle, rates) in rates.iter_mut().enumerate() {
            progress.says(format!(
                "sequence {} of {sequences}: cycle {} of {CYCLES}",
                sequence + 1,
                cycle + 1
            ));
            E::load(&pool, messages, messages).await?;
            let begun = clock::now();
            expected += messages;
            let ended = relay.until_settled(expected).await?;
            rates.push(messages as f64 / (ended - begun).as_secs_f64());
            progress.step();
        }
        snapshot.release().await?;
        relay.stop().await?;
    }
    drop(progress);
    pool.close().await;
    Ok(report(common, server, messages, &rates))
}

/// A transaction that has looked and does not end.
enum Snapshot {
    Postgres(sqlx::PgConnection),
    Mysql(sqlx::MySqlConnection),
    Sqlite(sqlx::SqliteConnection),
}

impl Snapshot {
    async fn hold(database: &Database) -> Result<Self> {
        let look = "SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT 1) AS one";
        match database.kind {
            Kind::Postgres => {
                let mut connection = connect_postgres(&database.url).await?;
                connection
                    .execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                    .await
                    .context("holding a snapshot")?;
                connection.execute(look).await.context("holding a snapshot")?;
                Ok(Self::Postgres(connection))
            }
            Kind::Mysql => {
                let mut connection = connect_mysql(&database.url).await?;
                connection
                    .execute(
                        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                         START TRANSACTION WITH CONSISTENT SNAPSHOT",
                    )
                    .await
                    .context("holding a snapshot")?;
                connection.execute(look).await.context("holding a snapshot")?;
                Ok(Self::Mysql(connection))
            }
            Kind::Sqlite => {
                let options = outbox_sqlx::sqlite::connect_options(&database.url)?;
                let mut connection = sqlx::SqliteConnection::connect_with(&options)
                    .await
                    .context("holding a snapshot")?;
                connection.execute("BEGIN").await.context("holding a snapshot")?;
                connection.execute(look).await.context("holding a snapshot")?;
                Ok(Self::Sqlite(connection))
            }
        }
    }

    /// Ends it; that it could be told so proves that it was held all the time.
    async fn release(self) -> Result<()> {
        match self {
            Self::Postgres(mut connection) => connection.execute("COMMIT").await.map(drop),
            Self::Mysql(mut connection) => connection.execute("COMMIT").await.map(drop),
            Self::Sqlite(mut connection) => connection.execute("COMMIT").await.map(drop),
        }
        .context("releasing the snapshot")
    }
}

fn report(common: &Common, server: &Server, messages: u64, rates: &[Vec<f64>]) -> Report {
    let empty = Vec::new();
    let (first, last) = (rates.first().unwrap_or(&empty), rates.last().unwrap_or(&empty));
    let ratios = crate::stats::ratios(last, first);
    let ratio = Interval::of(&ratios);
    let mut table = Table::new(["drain", "messages/s", "lowest – highest", "of the first"]);
    for (cycle, found) in rates.iter().enumerate() {
        let spread = Spread::of(found);
        table.row([
            format!("round {}", cycle + 1),
            pretty(spread.median),
            pretty_range(spread.low, spread.high),
            pretty(median(&crate::stats::ratios(found, first))),
        ]);
    }
    table.row([
        "last / first".to_owned(),
        pretty(ratio.median),
        pretty_range(ratio.low, ratio.high),
        format!("target ≥ {TARGET}"),
    ]);
    let mut settings = server.settings();
    settings.insert("messages".into(), messages.into());
    settings.insert("cycles".into(), CYCLES.into());
    settings.insert("payload_bytes".into(), PAYLOAD_BYTES.into());
    let mut details = Map::new();
    details.insert("target".into(), number(TARGET));
    details.insert("ratio_interval".into(), ratio.into());
    details.insert(
        "by_cycle".into(),
        rates
            .iter()
            .map(|found| Value::from(Spread::of(found)))
            .collect::<Vec<_>>()
            .into(),
    );
    Report {
        scenario: "bloat",
        database: common.database.to_string(),
        unit: "messages/s",
        measured: format!(
            "Another session holds a snapshot open; {CYCLES} times, {} messages are published and drained by one \
             relay.",
            pretty(messages as f64)
        ),
        floor: Some(median(first)),
        ours: median(last),
        ratio: Some(ratio.median),
        rounds: first.len(),
        settings,
        details,
        table,
        notes: vec![format!(
            "The floor is the first round, ours the last; {} such sequences.",
            first.len()
        )],
    }
}
