//! A member of a consumer group in a process of its own: what a scenario starts as `outbox-bench queue-worker`. It
//! consumes through the runtime, each message by itself, and says what happens as [`crate::worker`] does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use outbox_core::Delivery;
use outbox_core::consumer::{Consumer, HandleError, Handler, StopReason};
use outbox_sqlx::queue::{QueueDatabase, SqlQueue};
use sqlx::mysql::{MySqlConnectOptions, MySqlPoolOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{MySql, Pool, Postgres, Sqlite};
use tokio::io::stdout;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cli::QueueWorkerArgs;
use crate::content::TOPIC;
use crate::database::Kind;
use crate::worker::{Told, obey, of_parent, say};
use crate::{clock, statements};

/// The consumer group of every scenario.
pub(crate) const GROUP: &str = "bench";
/// One for what is declared, and on SQLite one for the member.
const CONNECTIONS: u32 = 2;

pub(crate) async fn run(args: &QueueWorkerArgs) -> Result<()> {
    // Its database goes with the parent: there is nothing left to be stopped in order.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    let database = of_parent()?;
    // Statements are logged here, unlike elsewhere: the log is what counts them.
    match database.kind {
        Kind::Postgres => {
            let options: PgConnectOptions = database.url.parse().context("the database's URL")?;
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS);
            work::<Postgres>(args, pool.connect_with(options).await?).await
        }
        Kind::Mysql => {
            let options: MySqlConnectOptions = database.url.parse().context("the database's URL")?;
            let pool = MySqlPoolOptions::new().max_connections(CONNECTIONS);
            work::<MySql>(args, pool.connect_with(options).await?).await
        }
        Kind::Sqlite => {
            let options = outbox_sqlx::sqlite::connect_options(&database.url)?;
            let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS);
            work::<Sqlite>(args, pool.connect_with(options).await?).await
        }
    }
}

async fn work<DB: QueueDatabase>(args: &QueueWorkerArgs, pool: Pool<DB>) -> Result<()> {
    let queue = SqlQueue::builder(pool)
        .notifications(args.notifications)
        .build()?;
    let subscriber = queue.subscribe(GROUP, [TOPIC]).await?;
    let handled = Handled::new(args.each);
    let mut consumer = Consumer::builder(subscriber, Arc::clone(&handled));
    if let Some(limit) = args.rate_limit {
        consumer = consumer.rate_limit(limit);
    }
    let stop = CancellationToken::new();
    let consuming = tokio::spawn(consumer.build()?.run(stop.clone()));
    let mut output = stdout();
    let mut settled = handled.count.subscribe();
    obey(&mut output, &mut settled, &*handled).await?;
    stop.cancel();
    let stopped = consuming.await.context("the consumer panicked")?;
    if stopped.reason != StopReason::Cancelled || stopped.failed + stopped.dead + stopped.unsettled > 0 {
        bail!("the consumer did not stop cleanly: {stopped}");
    }
    say(&mut output, &format!("stopped {}\n", stopped.handled)).await
}

/// What reached a handler that does nothing else.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) count: watch::Sender<u64>,
    last_nanos: AtomicU64,
    arrivals: Option<Mutex<Vec<(Uuid, Duration)>>>,
}

impl Handled {
    /// `each`: it notes when each message came.
    pub(crate) fn new(each: bool) -> Arc<Self> {
        Arc::new(Self {
            count: watch::Sender::new(0),
            last_nanos: AtomicU64::new(0),
            arrivals: each.then(Mutex::default),
        })
    }
}

#[async_trait]
impl Handler for Handled {
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        let now = clock::now();
        if let Some(arrivals) = &self.arrivals {
            let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.push((delivery.message().id().0, now));
        }
        self.last_nanos
            .fetch_max(now.as_nanos() as u64, Ordering::Relaxed);
        self.count.send_modify(|count| *count += 1);
        Ok(())
    }
}

impl Told for Handled {
    fn settled_at(&self) -> Duration {
        Duration::from_nanos(self.last_nanos.load(Ordering::Relaxed))
    }

    fn arrivals(&self) -> Vec<(Uuid, Duration)> {
        let arrivals = self.arrivals.as_ref();
        arrivals.map_or_else(Vec::new, |arrivals| {
            std::mem::take(&mut *arrivals.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }

    fn stats(&self) -> (u64, u64) {
        (statements::count(), *self.count.borrow())
    }
}
