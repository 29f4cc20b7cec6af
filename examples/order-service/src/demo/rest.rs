//! When it is over.

use std::time::Duration;

use indicatif::ProgressBar;
use outbox_core::memory::MemoryQueue;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::tap::Tap;
use crate::{inventory, orders};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until every message that was committed has arrived and every group has handled what it was sent. Gives up
/// when for so long as `patience` nothing moves any more, and says whether it came to rest.
pub(super) async fn wait(
    queue: &MemoryQueue,
    tap: &Tap,
    messages: u64,
    patience: Duration,
    bar: &ProgressBar,
) -> bool {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut moved = Instant::now();
    let mut before = (0, 0);
    let at_rest = loop {
        looks.tick().await;
        let arrived = tap.messages();
        let waiting = queue.backlog(inventory::GROUP).total() + queue.backlog(orders::GROUP).total();
        bar.set_position(arrived.saturating_sub(waiting as u64));
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
    at_rest
}
