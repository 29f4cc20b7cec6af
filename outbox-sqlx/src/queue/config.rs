use std::time::Duration;

use outbox_core::Limits;

use super::error::QueueError;
use super::topics::{DEFAULT_QUEUES, MAX_QUEUES};

/// What a [`SqlQueue`](super::SqlQueue) was told.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) queues_per_topic: u32,
    pub(super) lease: Duration,
    pub(super) idle_poll: Duration,
    pub(super) ack_interval: Duration,
    pub(super) prefetch_rows: usize,
    pub(super) prefetch_bytes: usize,
    pub(super) retries_max: usize,
    pub(super) limits: Limits,
    pub(super) notifications: bool,
}

/// Shorter leases would be lost by a hiccup of the database.
const LEASE_MIN: Duration = Duration::from_millis(100);
/// A longer lease is no lease.
const LEASE_MAX: Duration = Duration::from_secs(24 * 3_600);
/// The queue must go on when its window is all retries; see `owned::WINDOW_ROWS`.
const RETRIES_MIN: usize = 2_048;

impl Config {
    pub(super) fn new() -> Self {
        Self {
            queues_per_topic: DEFAULT_QUEUES,
            lease: Duration::from_secs(45),
            idle_poll: Duration::from_millis(150),
            ack_interval: Duration::from_millis(10),
            prefetch_rows: 2_048,
            prefetch_bytes: 16 * 1024 * 1024,
            retries_max: 10_000,
            limits: Limits::default(),
            notifications: false,
        }
    }

    pub(super) fn check(&self) -> Result<(), QueueError> {
        let setting = |setting, value: String, bounds| {
            Err(QueueError::Setting {
                setting,
                value,
                bounds,
            })
        };
        if self.queues_per_topic == 0 || self.queues_per_topic > MAX_QUEUES {
            return setting("queues_per_topic", self.queues_per_topic.to_string(), "1 to 1024");
        }
        if self.lease < LEASE_MIN || self.lease > LEASE_MAX {
            return setting("lease", format!("{:?}", self.lease), "100 ms to 24 h");
        }
        if self.idle_poll.is_zero() {
            return setting("idle_poll", "0".to_owned(), "longer");
        }
        if self.ack_interval > self.lease / 4 {
            return setting(
                "ack_interval",
                format!("{:?}", self.ack_interval),
                "at most a quarter of the lease",
            );
        }
        if self.prefetch_rows == 0 {
            return setting("prefetch_rows", "0".to_owned(), "at least 1");
        }
        if self.prefetch_bytes == 0 {
            return setting("prefetch_bytes", "0".to_owned(), "at least 1");
        }
        if self.retries_max < RETRIES_MIN {
            return setting("retries_max", self.retries_max.to_string(), "at least 2048");
        }
        Ok(())
    }

    /// What of a lease is always left when something is handed out: it is renewed more often than that.
    pub(super) fn assured_lease(&self) -> Duration {
        self.lease / 4 * 3
    }

    /// How often a lease is renewed, and the group looked at.
    pub(super) fn heartbeat(&self) -> Duration {
        (self.lease / 8).min(Duration::from_secs(1))
    }
}
