use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use transaction_scope::sql;

const NOTIFY: &str = sql!("postgres/notify.sql");
const NOTIFY_QUEUE: &str = sql!("postgres/queue_notify.sql");

/// The channel of the notifications, for `LISTEN`. They carry nothing.
pub const NOTIFY_CHANNEL: &str = "outbox";
/// The channel on which members of consumer groups are told that something was appended to the queue.
pub(crate) const QUEUE_CHANNEL: &str = "outbox_queue";

/// Tells relays in other processes that something was published, by `NOTIFY` from a connection of its own
/// and at most once per interval.
///
/// `NOTIFY` inside of a business transaction takes a lock on the whole server at commit and halves the
/// write throughput or worse; this costs the writers an atomic flag. It is lossy on purpose: relays poll
/// anyway, and a notification that comes before its commit makes them poll fast.
///
/// Clones share one task and one connection, which end when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Notifier {
    shared: Arc<Shared>,
    /// Ends the task together with the last clone; the task itself holds only `shared`.
    _task: Arc<Task>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Whether a signal waits to be sent; so that a busy writer only reads.
    pending: AtomicBool,
    signal: Notify,
}

#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Notifier {
    /// Starts it with the default interval, on the current tokio runtime. It connects when there is
    /// something to tell.
    pub fn start(options: PgConnectOptions) -> Self {
        Self::builder(options).start()
    }

    /// A notifier to be configured.
    pub fn builder(options: PgConnectOptions) -> NotifierBuilder {
        NotifierBuilder {
            options,
            interval: NotifierBuilder::INTERVAL,
            statement: NOTIFY,
        }
    }

    /// Something was published; relays are told within the interval.
    pub fn signal(&self) {
        if !self.shared.pending.load(Ordering::Relaxed) && !self.shared.pending.swap(true, Ordering::AcqRel) {
            self.shared.signal.notify_one();
        }
    }
}

/// Builds a [`Notifier`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is started"]
pub struct NotifierBuilder {
    options: PgConnectOptions,
    interval: Duration,
    statement: &'static str,
}

impl NotifierBuilder {
    /// Signals within this time are told together.
    const INTERVAL: Duration = Duration::from_millis(2);
    /// Waits between attempts to connect, doubled from the first to the last.
    const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
    /// A server that does not answer for so long is tried anew.
    const TIMEOUT: Duration = Duration::from_secs(5);

    /// At most one notification in this time, and at the same time how long a signal waits before it is
    /// told: its commit comes a moment later. Default: 2 ms.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Tells members of consumer groups instead of relays, and at once: what is told of is committed.
    pub(crate) fn for_queue(mut self) -> Self {
        self.statement = NOTIFY_QUEUE;
        self.interval = Duration::from_millis(1);
        self
    }

    /// Starts it on the current tokio runtime.
    pub fn start(self) -> Notifier {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(self.run(shared.clone()));
        Notifier {
            shared,
            _task: Arc::new(Task(task.abort_handle())),
        }
    }

    async fn run(self, shared: Arc<Shared>) {
        let mut connection: Option<PgConnection> = None;
        let mut backoff = Self::BACKOFF.0;
        loop {
            shared.signal.notified().await;
            tokio::time::sleep(self.interval).await;
            // From here on a signal counts for the next round: its commit may come after this NOTIFY.
            shared.pending.store(false, Ordering::Release);
            match tokio::time::timeout(Self::TIMEOUT, self.notify(&mut connection)).await {
                Ok(Ok(())) => backoff = Self::BACKOFF.0,
                outcome => {
                    connection = None;
                    if let Ok(Err(error)) = outcome {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "notifying relays failed"
                        );
                    } else {
                        tracing::warn!("notifying relays: no answer from the database");
                    }
                    // Full jitter, so that a fleet does not come back at once.
                    tokio::time::sleep(backoff.mul_f64(fastrand::f64())).await;
                    backoff = (backoff * 2).min(Self::BACKOFF.1);
                }
            }
        }
    }

    async fn notify(&self, connection: &mut Option<PgConnection>) -> sqlx::Result<()> {
        let connection = match connection {
            Some(connection) => connection,
            None => {
                let options = self.options.clone().disable_statement_logging();
                connection.insert(PgConnection::connect_with(&options).await?)
            }
        };
        connection.execute(self.statement).await.map(drop)
    }
}
