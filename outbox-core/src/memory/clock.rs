use std::time::SystemTime;

use tokio::time::Instant;

use super::queue::later;
use crate::group::Start;

/// What a queue tells times by: tokio's clock, which tests can pause, beside the time of day when the queue was made.
/// When the computer's time of day is set later, this one does not jump with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    base: Instant,
    pub(super) time_of_day: SystemTime,
}

/// A [`Start`] on the queue's clock.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Beginning,
    Now,
    From(Instant),
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            base: Instant::now(),
            time_of_day: SystemTime::now(),
        }
    }

    /// A time of day on this clock. The same one is always the same moment, whenever it is asked for; one from before the
    /// queue was made is the moment when it was.
    pub(super) fn at(&self, time: SystemTime) -> Instant {
        later(
            self.base,
            time.duration_since(self.time_of_day).unwrap_or_default(),
        )
    }

    /// The time of day at a moment of this clock.
    pub(super) fn time(&self, at: Instant) -> SystemTime {
        self.time_of_day + at.saturating_duration_since(self.base)
    }

    pub(super) fn place(&self, start: Start) -> Place {
        match start {
            Start::Beginning => Place::Beginning,
            Start::Now => Place::Now,
            Start::At(time) => match time.duration_since(self.time_of_day) {
                Ok(since) => Place::From(later(self.base, since)),
                // Before the queue was made, and so before all that is in it.
                Err(_) => Place::Beginning,
            },
        }
    }
}

impl Place {
    /// Whether a message that was appended then is from this place on.
    pub(super) fn includes(self, appended: Instant) -> bool {
        match self {
            Self::Beginning => true,
            Self::Now => false,
            Self::From(at) => appended >= at,
        }
    }
}
