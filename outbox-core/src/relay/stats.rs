use std::sync::atomic::{AtomicU64, Ordering};

/// What a relay has done since it started. Read it at any time; each number only grows.
#[derive(Debug, Default)]
pub struct RelayStats {
    /// Messages the queue has taken.
    pub delivered: Counter,
    /// Attempts that the queue refused.
    pub refused: Counter,
    /// Messages whose outcome stayed unknown and that were handed over again, at no cost to them.
    pub unanswered: Counter,
    /// Messages moved to the dead letters.
    pub dead: Counter,
    /// Messages held for an operator.
    pub blocked: Counter,
    /// Rows that only a full pass found, though their ids lay below the floor. Above 0, something
    /// hands out ids long before it commits (or has taken them from the sequence by itself).
    pub late: Counter,
    /// Delivered messages that ask to be confirmed in a way that can't be understood: nothing waits for it.
    pub malformed_confirms: Counter,
    /// Settlements that were refused because the shard belonged to another relay by then.
    pub fenced: Counter,
    /// Statements sent to the database.
    pub statements: Counter,
    /// Errors of the database.
    pub store_errors: Counter,
    /// How often the breaker opened.
    pub breaker_opened: Counter,
    /// How often a topic was paused because too many of its keys were held.
    pub topics_paused: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }
}
