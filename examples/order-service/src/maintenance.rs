//! Retention, on a schedule: what is finished and old goes.

use anyhow::Context;
use outbox_sqlx::maintenance::{Maintenance, Retention};
use tokio_cron_scheduler::JobScheduler;
use tokio_util::sync::CancellationToken;

/// At the seventeenth minute of every hour: six fields, the first for seconds.
const SCHEDULE: &str = "0 17 * * * *";

/// The outbox's and the durable queue's retention, as long as the library thinks fit.
pub const RETENTION: Retention = Retention::DEFAULT;

/// Keeps the schedule until it is told to stop, and waits for a run that is under way.
///
/// # Errors
/// The schedule can't be kept.
pub async fn run(maintenance: Maintenance, stop: CancellationToken) -> anyhow::Result<()> {
    let mut scheduler = JobScheduler::new().await.context("making a schedule")?;
    let job = maintenance.job(SCHEDULE).context("scheduling retention")?;
    scheduler.add(job).await.context("scheduling retention")?;
    scheduler.start().await.context("starting the schedule")?;
    stop.cancelled().await;
    scheduler.shutdown().await.context("stopping the schedule")?;
    maintenance.shutdown().await;
    Ok(())
}
