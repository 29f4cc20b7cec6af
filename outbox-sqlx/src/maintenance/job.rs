use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::Pool;
use tokio_cron_scheduler::{Job, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Purged, Retention, purge};
use crate::database::OutboxDatabase;
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
use crate::queue::{QueueError, SqlQueue};

type Run = Pin<Box<dyn Future<Output = Result<Purged, BoxError>> + Send>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the retention on a schedule, never twice at the same time, and waits for it at shutdown.
///
/// tokio-cron-scheduler starts a job again while it still runs, and its `shutdown` does not wait; so both are
/// done here. Other processes are kept out by the database, see [`purge`].
#[derive(Clone)]
pub struct Maintenance {
    run: Arc<dyn Fn() -> Run + Send + Sync>,
    running: Arc<AtomicBool>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Maintenance {
    /// Maintains the database of `pool`.
    pub fn new<DB: OutboxDatabase>(pool: Pool<DB>, retention: Retention) -> Self {
        let run = move || -> Run {
            let pool = pool.clone();
            Box::pin(async move { Ok(purge(&pool, &retention, |_| {}).await?) })
        };
        Self::that_runs(run)
    }

    fn that_runs(run: impl Fn() -> Run + Send + Sync + 'static) -> Self {
        Self {
            run: Arc::new(run),
            running: Arc::default(),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Maintains the database of `pool` and the durable queue, which may be in another one. A group that keeps messages
    /// from being removed and has had no member for a day is warned about: it may have been abandoned, and
    /// [`SqlQueue::remove_group`] is what to do about it then.
    #[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
    pub fn with_queue<DB: OutboxDatabase>(pool: Pool<DB>, queue: SqlQueue, retention: Retention) -> Self {
        let run = move || -> Run {
            let (pool, queue) = (pool.clone(), queue.clone());
            Box::pin(async move {
                let mut purged = purge(&pool, &retention, |_| {}).await?;
                if !purged.elsewhere {
                    purged.queue = purge_queue(&queue, &retention).await?;
                }
                Ok(purged)
            })
        };
        Self::that_runs(run)
    }

    /// A job for a [`tokio_cron_scheduler::JobScheduler`]. `schedule` has six fields, the first for seconds;
    /// UTC. `0 17 3 * * *` is every night at 03:17.
    ///
    /// # Errors
    /// The schedule can't be parsed.
    pub fn job(&self, schedule: &str) -> Result<Job, JobSchedulerError> {
        let this = self.clone();
        Job::new_async(schedule, move |_, _| {
            let this = this.clone();
            // Spawned on our tracker and not awaited here: the scheduler forgets what it runs.
            Box::pin(async move { this.start() })
        })
    }

    /// Starts one run in the background, unless one is running in this process or [`Maintenance::shutdown`]
    /// was called.
    pub fn start(&self) {
        if self.stop.is_cancelled() || self.running.swap(true, Ordering::AcqRel) {
            return;
        }
        // Given back also when the run panics.
        let running = Running(self.running.clone());
        let run = (self.run)();
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            let _running = running;
            match stop.run_until_cancelled(run).await {
                None => {}
                Some(Ok(purged)) if purged.total() > 0 => tracing::info!(?purged, "retention"),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::warn!(error = &*error as &dyn std::error::Error, "retention failed");
                }
            }
        });
    }

    /// How many runs are under way: none or one.
    pub fn running(&self) -> usize {
        self.tracker.len()
    }

    /// Stops a run between two of its steps and waits until nothing runs any more. Later starts do nothing.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// A group that had no member for so long may have been abandoned.
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
const ABANDONED_AFTER: std::time::Duration = std::time::Duration::from_secs(86_400);

#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
async fn purge_queue(queue: &SqlQueue, retention: &Retention) -> Result<u64, QueueError> {
    let purged = queue.purge(retention.queue, |_| {}).await?;
    for (group, unread) in &purged.held_by {
        let info = queue.group(group).await?;
        let silent = info.seen_at.elapsed().unwrap_or_default();
        if info.members == 0 && silent > ABANDONED_AFTER {
            tracing::warn!(
                group,
                unread,
                ?silent,
                "a consumer group without members keeps messages from being removed; if it was abandoned, remove it"
            );
        }
    }
    Ok(purged.messages)
}

impl fmt::Debug for Maintenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maintenance")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
