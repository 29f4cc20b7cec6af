use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Tells a relay in the same process that there may be something to read.
///
/// A hint and never more: a relay that hears nothing still polls. Clones share the signal.
#[derive(Debug, Clone)]
pub struct Wake {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The clock that `armed_until` counts on.
    started: Instant,
    /// Microseconds after `started` until which the relay polls fast: somebody published, and may commit.
    armed_until: AtomicU64,
    notify: Notify,
}

impl Wake {
    /// How long a publish keeps the relay polling fast while its commit is awaited.
    pub const ARMED: Duration = Duration::from_millis(50);
    /// Arming again within this time changes nothing, so a busy writer touches no shared memory.
    const REARM: Duration = Duration::from_millis(5);

    /// A signal that nobody has sent yet.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                started: Instant::now(),
                armed_until: AtomicU64::new(0),
                notify: Notify::new(),
            }),
        }
    }

    /// A message was committed: the relay reads at once.
    pub fn wake(&self) {
        self.shared.notify.notify_one();
    }

    /// A message was written by a transaction that has not committed yet: the relay polls fast for
    /// [`Wake::ARMED`].
    pub fn arm(&self) {
        let until = self.now() + Self::ARMED.as_micros() as u64;
        let before = self.shared.armed_until.load(Ordering::Relaxed);
        if before + (Self::REARM.as_micros() as u64) < until {
            self.shared.armed_until.store(until, Ordering::Relaxed);
            // Already polling fast: the next poll comes by itself.
            if before < self.now() {
                self.shared.notify.notify_one();
            }
        }
    }

    /// Whether a commit is awaited.
    pub fn is_armed(&self) -> bool {
        self.shared.armed_until.load(Ordering::Relaxed) > self.now()
    }

    /// Waits for [`Wake::wake`] or the first [`Wake::arm`] after a silence.
    pub async fn notified(&self) {
        self.shared.notify.notified().await;
    }

    fn now(&self) -> u64 {
        self.shared.started.elapsed().as_micros() as u64
    }
}

impl Default for Wake {
    fn default() -> Self {
        Self::new()
    }
}
