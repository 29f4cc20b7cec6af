//! When it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::audit::Progress;
use crate::database::Database;
use crate::store_error::StoreError;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(100);

/// Waits until every order is settled, and every message handled and confirmed; not before all of `done` are true. Gives up
/// when for so long as `patience` nothing moves any more, and says whether it came to rest.
///
/// # Errors
/// The database can't be reached.
pub(super) async fn wait(
    database: &Database,
    done: &[&AtomicBool],
    patience: Duration,
    bar: &ProgressBar,
) -> Result<bool, StoreError> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut moved = Instant::now();
    let mut before = None;
    let at_rest = loop {
        looks.tick().await;
        // Asked before the database is: what was done until then is in its answer.
        let done = done.iter().all(|done| done.load(Ordering::Acquire));
        let progress = Progress::of(database).await?;
        bar.set_length(progress.to_handle.try_into().unwrap_or_default());
        bar.set_position(progress.handled.try_into().unwrap_or_default());
        if done && is_at_rest(&progress) {
            break true;
        }
        if before != Some((done, progress)) {
            before = Some((done, progress));
            moved = Instant::now();
        } else if moved.elapsed() > patience {
            break false;
        }
    };
    bar.finish_and_clear();
    Ok(at_rest)
}

fn is_at_rest(progress: &Progress) -> bool {
    progress.open_orders == 0
        && progress.handled == progress.to_handle
        && progress.waiting == 0
        && progress.refunds_open == 0
}
