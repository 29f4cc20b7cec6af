use std::fmt;

/// Why a consumer stopped, and what it did. When there is one, nothing of the consumer runs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Why.
    pub reason: StopReason,
    /// Deliveries that were handled and acknowledged.
    pub handled: u64,
    /// Attempts that failed and are made again later.
    pub failed: u64,
    /// Messages that went to the dead letters.
    pub dead: u64,
    /// Deliveries whose outcome the queue did not take; they come again.
    pub unsettled: u64,
    /// Deliveries that were received and not finished when it stopped: not started, or cut off at the
    /// drain deadline. They come again.
    pub abandoned: u64,
}

/// Why a consumer stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// It was asked to, and what was in flight was finished.
    Cancelled,
    /// The subscription was closed: the queue is shut down, or this member was removed.
    Closed,
    /// It was asked to, or the subscription was closed, and some handlers were still running at the drain
    /// deadline: they were aborted.
    DrainTimedOut,
}

impl Stopped {
    pub(super) fn nothing_yet() -> Self {
        Self {
            reason: StopReason::Cancelled,
            handled: 0,
            failed: 0,
            dead: 0,
            unsettled: 0,
            abandoned: 0,
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            StopReason::Cancelled => "cancelled",
            StopReason::Closed => "subscription closed",
            StopReason::DrainTimedOut => "cancelled, with handlers aborted at the drain deadline",
        };
        write!(
            f,
            "{reason}: {} handled, {} failed, {} dead, {} unsettled, {} abandoned",
            self.handled, self.failed, self.dead, self.unsettled, self.abandoned
        )
    }
}
