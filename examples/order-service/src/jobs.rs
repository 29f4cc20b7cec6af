//! What is done on a schedule: retention, the expiry of keys, and the look for orders that should have been closed. The
//! hot loops are plain tokio; the schedule is for what is cold.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use outbox_sqlx::maintenance::{Maintenance, Retention};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::Backend;

// Six fields, the first for seconds; UTC.
const RETENTION_AT: &str = "0 17 * * * *";
const EXPIRY_AT: &str = "0 37 * * * *";
const OVERDUE_AT: &str = "30 * * * * *";

/// The outbox's and the durable queue's retention, as long as the library thinks fit.
pub const RETENTION: Retention = Retention::DEFAULT;

/// How long after its time an unpaid order is looked for: by then its own message should have closed it.
pub const OVERDUE_GRACE: Duration = Duration::from_secs(60);

/// Keeps the schedule until it is told to stop, and waits for what is under way.
///
/// # Errors
/// The schedule can't be kept.
pub async fn run(backend: Backend, retention: Maintenance, stop: CancellationToken) -> anyhow::Result<()> {
    let mut scheduler = JobScheduler::new().await.context("making a schedule")?;
    let guarded = Guarded::default();
    let (keys, orders) = (Arc::clone(&backend.upkeep), Arc::clone(&backend.orders));
    let jobs = [
        retention.job(RETENTION_AT),
        guarded.job(EXPIRY_AT, move || {
            let keys = Arc::clone(&keys);
            Box::pin(async move {
                let expired = keys.expire_keys().await?;
                if expired > 0 {
                    tracing::info!(expired, "keys were forgotten");
                }
                Ok(())
            })
        }),
        guarded.job(OVERDUE_AT, move || {
            let orders = Arc::clone(&orders);
            Box::pin(async move {
                let closed = orders.close_overdue(OVERDUE_GRACE).await?;
                if closed > 0 {
                    tracing::warn!(closed, "unpaid orders were closed that no message had closed");
                }
                Ok(())
            })
        }),
    ];
    for job in jobs {
        let job = job.context("a schedule can't be read")?;
        scheduler.add(job).await.context("scheduling")?;
    }
    scheduler.start().await.context("starting the schedule")?;
    stop.cancelled().await;
    scheduler.shutdown().await.context("stopping the schedule")?;
    guarded.finish().await;
    retention.shutdown().await;
    Ok(())
}

type Run = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Jobs that never run twice at the same time in this process, and are waited for: tokio-cron-scheduler starts a job
/// again while it still runs, and its `shutdown` does not wait. Other processes may run them at the same time; what they
/// do is safe then.
#[derive(Default)]
struct Guarded {
    tracker: TaskTracker,
}

impl Guarded {
    fn job(
        &self,
        schedule: &str,
        run: impl Fn() -> Run + Send + Sync + 'static,
    ) -> Result<Job, JobSchedulerError> {
        let tracker = self.tracker.clone();
        let running = Arc::new(AtomicBool::new(false));
        Job::new_async(schedule, move |_, _| {
            if !running.swap(true, Ordering::AcqRel) {
                let (run, running) = (run(), Running(Arc::clone(&running)));
                tracker.spawn(async move {
                    let _running = running;
                    if let Err(error) = run.await {
                        tracing::warn!(
                            error = &*error as &dyn std::error::Error,
                            "a scheduled job failed"
                        );
                    }
                });
            }
            Box::pin(async {})
        })
    }

    async fn finish(self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Says that it runs no more, also when it panicked.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
