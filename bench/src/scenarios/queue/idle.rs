//! `--idle`: what a member of a consumer group costs when nothing happens, and how soon it is there for the first message
//! after that.
//!
//! Two members, each in a process and with a database of its own, on a topic of eight queues: one polls only, one has
//! notifications (Postgres). A message wakes them; then there is silence. After the silence, for a while, their
//! statements are counted (by their driver's log, and beside it on Postgres the server's count of transactions, on MySQL
//! its count of everybody's statements) and their
//! processor time is read from the kernel. Then a message is appended by this process, through a handle of the queue of
//! its own, at a moment that has nothing to do with their polling, and the time runs from the answer to the arrival at
//! the handler in the other process, by the clock that both share. Silence and message repeat.

use anyhow::Result;
use outbox_core::Publisher as _;
use outbox_sqlx::queue::SqlQueue;
use sqlx::Pool;

use super::{QUEUES, ours};
use crate::cli::Common;
use crate::clock;
use crate::content::{self, TOPIC};
use crate::database::{Kind, Server, connect_mysql, connect_postgres};
use crate::floor::log::BareLog;
use crate::report::{Report, number, pretty};
use crate::scenarios::waiting::{self, Counters, Side, Waiting};
use crate::subprocess::{MemberSetup, Worker};

const CONNECTIONS: u32 = 3;

/// A member, its database, and what was found.
struct Member<E: BareLog> {
    side: Side,
    pool: Pool<E>,
    queue: SqlQueue,
}

pub(super) async fn run<E: BareLog>(common: &Common, server: &mut Server) -> Result<Report> {
    let mut members = vec![member::<E>(server, "polling only", "polling_only", 200.0, false).await?];
    if server.kind() == Kind::Postgres {
        members.push(member::<E>(server, "notifications", "notifications", 5.0, true).await?);
    }
    measure(common, server, members).await
}

async fn member<E: BareLog>(
    server: &mut Server,
    name: &'static str,
    key: &'static str,
    target_ms: f64,
    notifications: bool,
) -> Result<Member<E>> {
    let database = server.database().await?;
    let pool = E::pool(&database.url, CONNECTIONS).await?;
    let queue = SqlQueue::builder(pool.clone())
        .notifications(notifications)
        .build()?;
    queue.declare_topic(TOPIC, QUEUES).await?;
    let setup = MemberSetup {
        notifications,
        each: true,
        ..MemberSetup::default()
    };
    let mut side = Side::new(
        name,
        key,
        target_ms,
        Worker::start_member(&database, setup).await?,
    );
    side.counters = match database.kind {
        Kind::Postgres => Some(Counters::Postgres(connect_postgres(&database.url).await?)),
        Kind::Mysql => Some(Counters::Mysql(connect_mysql(&database.url).await?)),
        Kind::Sqlite => None,
    };
    Ok(Member { side, pool, queue })
}

impl<E: BareLog> Waiting for Member<E> {
    /// Appends a message and waits for it. Milliseconds from the answer to the handler.
    async fn message(&mut self, n: u64) -> Result<f64> {
        let message = ours::message(n, &content::payload(n))?;
        let id = message.id().0;
        for answer in self.queue.publisher().publish(&[message]).await {
            answer?;
        }
        let answered = clock::now();
        let arrived = self.side.worker.until_message(id).await?;
        Ok(arrived.saturating_sub(answered).as_secs_f64() * 1e3)
    }

    fn side(&mut self) -> &mut Side {
        &mut self.side
    }
}

async fn measure<E: BareLog>(
    common: &Common,
    server: &Server,
    mut members: Vec<Member<E>>,
) -> Result<Report> {
    let times = waiting::measure(common, &mut members).await?;
    let (table, details, notes) = waiting::tabulate(&mut members, times, "an idle member", "a member");
    let mut settings = server.settings();
    settings.insert("silence_seconds".into(), number(times.silence.as_secs_f64()));
    settings.insert("count_seconds".into(), number(times.count.as_secs_f64()));
    settings.insert("queues".into(), QUEUES.into());
    let first = members.first().map(|member| &member.side);
    let report = Report {
        scenario: "queue",
        database: common.database.to_string(),
        unit: "statements/s",
        measured: format!(
            "A member of a consumer group in a process of its own, after {} s of silence on {QUEUES} queues; then the \
             first message.",
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
    for member in members {
        member.side.worker.stop().await?;
        drop(member.queue);
        member.pool.close().await;
    }
    Ok(report)
}
