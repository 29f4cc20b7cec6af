//! When it is over.

use std::time::Duration;

use indicatif::ProgressBar;
use outbox_sqlx::queue::QueueError;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::tap::Tap;
use crate::groups;
use crate::messaging::queue::Queue;

/// How often is looked.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until every message that was committed has arrived and every group has handled what it was sent. Gives up
/// when for so long as `patience` nothing moves any more, and says whether it came to rest.
///
/// # Errors
/// The queue's database can't be reached.
pub(super) async fn wait(
    queue: &Queue,
    tap: &Tap,
    messages: u64,
    patience: Duration,
    bar: &ProgressBar,
) -> Result<bool, QueueError> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut moved = Instant::now();
    let mut before = (0, 0);
    let at_rest = loop {
        looks.tick().await;
        let arrived = tap.messages();
        let waiting = queue.backlog(groups::INVENTORY).await? + queue.backlog(groups::ORDERS).await?;
        bar.set_position(arrived.saturating_sub(waiting));
        if arrived >= messages && waiting == 0 {
            break true;
        }
        if (arrived, waiting) != before {
            before = (arrived, waiting);
            moved = Instant::now();
        } else if moved.elapsed() > patience {
            break false;
        }
    };
    bar.finish_and_clear();
    Ok(at_rest)
}
