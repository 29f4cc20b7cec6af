//! `idle`: what a relay costs when nothing happens, and how soon it is there for the first message after that.
//!
//! Two relays, each in a process and with a database of its own: one polls only, one is also told by debounced
//! NOTIFY (Postgres; elsewhere there is none, and only the first). A message wakes them; then there is silence. After the silence, for a while, their statements
//! are counted (by themselves, and on Postgres by the server: pg_stat_statements would have to be installed, but
//! pg_stat_database counts transactions; MySQL counts the statements of everybody) and their processor time is read from the kernel. Then a message is
//! committed at a moment that has nothing to do with their polling, and the time runs from the answer to its commit
//! to the arrival at the sink in the other process, by the clock that both share. Silence and message repeat.

use anyhow::{Context, Result};
use outbox_core::Message;
use outbox_sqlx::Outbox;
use outbox_sqlx::postgres::Notifier;
use sqlx::postgres::PgConnectOptions;
use sqlx::{MySql, Pool, Postgres, Sqlite};

use super::waiting::{self, Counters, Side, Waiting};
use crate::cli::Common;
use crate::clock;
use crate::content::{self, TOPIC};
use crate::database::{Database, Engine, Kind, Server, connect_mysql, connect_postgres};
use crate::report::{Report, number, pretty};
use crate::subprocess::{Worker, WorkerSetup};

/// A relay, its database, and what was found.
struct Relay<E: Engine> {
    side: Side,
    pool: Pool<E>,
    outbox: Outbox,
}

pub(crate) async fn run(common: &Common, server: &mut Server) -> Result<Report> {
    match server.kind() {
        Kind::Postgres => {
            let (polling, notified) = (server.database().await?, server.database().await?);
            let options: PgConnectOptions = notified.url.parse().context("the database's URL")?;
            let told = Outbox::builder().notifier(Notifier::start(options)).build();
            let mut relays = vec![
                self::polling::<Postgres>(&polling).await?,
                relay::<Postgres>(&notified, "debounced NOTIFY", "debounced_notify", 5.0, told, true).await?,
            ];
            for (relay, database) in relays.iter_mut().zip([&polling, &notified]) {
                relay.side.counters = Some(Counters::Postgres(connect_postgres(&database.url).await?));
            }
            measure(common, server, relays).await
        }
        Kind::Mysql => {
            let database = server.database().await?;
            let mut relay = polling::<MySql>(&database).await?;
            relay.side.counters = Some(Counters::Mysql(connect_mysql(&database.url).await?));
            measure(common, server, vec![relay]).await
        }
        Kind::Sqlite => {
            let relay = polling::<Sqlite>(&server.database().await?).await?;
            measure(common, server, vec![relay]).await
        }
    }
}

async fn polling<E: Engine>(database: &Database) -> Result<Relay<E>> {
    relay(
        database,
        "polling only",
        "polling_only",
        200.0,
        Outbox::new(),
        false,
    )
    .await
}

async fn relay<E: Engine>(
    database: &Database,
    name: &'static str,
    key: &'static str,
    target_ms: f64,
    outbox: Outbox,
    listen: bool,
) -> Result<Relay<E>> {
    let setup = WorkerSetup {
        listen,
        each: true,
        ..WorkerSetup::default()
    };
    Ok(Relay {
        side: Side::new(name, key, target_ms, Worker::start(database, setup).await?),
        pool: E::pool(&database.url, 1).await?,
        outbox,
    })
}

impl<E: Engine> Waiting for Relay<E> {
    /// Commits a message and waits for it. Milliseconds from the answer to its commit to the sink.
    async fn message(&mut self, n: u64) -> Result<f64> {
        let message = Message::builder(TOPIC)
            .key(content::key(n))
            .payload(content::payload(n), outbox_core::Headers::DEFAULT_CONTENT_TYPE)
            .build()?;
        let id = message.id().0;
        let outbox = &self.outbox;
        outbox
            .transaction(&self.pool, async |tx| {
                E::publish(outbox, tx.as_mut(), message).await
            })
            .await?;
        let committed = clock::now();
        let arrived = self.side.worker.until_message(id).await?;
        Ok(arrived.saturating_sub(committed).as_secs_f64() * 1e3)
    }

    fn side(&mut self) -> &mut Side {
        &mut self.side
    }
}

async fn measure<E: Engine>(common: &Common, server: &Server, mut relays: Vec<Relay<E>>) -> Result<Report> {
    let times = waiting::measure(common, &mut relays).await?;
    let (table, details, mut notes) = waiting::tabulate(&mut relays, times, "an idle relay", "a relay");
    if server.kind() != Kind::Postgres {
        notes.push(format!("{} has no NOTIFY: relays poll.", server.kind().name()));
    }
    let mut settings = server.settings();
    settings.insert("silence_seconds".into(), number(times.silence.as_secs_f64()));
    settings.insert("count_seconds".into(), number(times.count.as_secs_f64()));
    let first = relays.first().map(|relay| &relay.side);
    let report = Report {
        scenario: "idle",
        database: common.database.to_string(),
        unit: "statements/s",
        measured: format!(
            "A relay in a process of its own, after {} s of silence; then the first message.",
            pretty(times.silence.as_secs_f64())
        ),
        floor: None,
        ours: first.map_or(f64::NAN, Side::statements),
        ratio: None,
        rounds: first.map_or(0, Side::rounds),
        settings,
        details,
        table,
        notes,
    };
    for relay in relays {
        relay.side.worker.stop().await?;
        relay.pool.close().await;
    }
    Ok(report)
}
