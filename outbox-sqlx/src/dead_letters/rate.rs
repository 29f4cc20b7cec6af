use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// How many messages a redrive gives back in a second, at most: so that who has to handle them, and may still be weak, is not
/// flooded.
///
/// They go in small batches: of a tenth of a second, and at least of one message. A parked key goes as a whole, and what
/// follows waits the longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// So many.
    pub const fn per_second(messages: NonZeroU32) -> Self {
        Self(messages)
    }

    /// How many may go together, of at most `most`.
    pub(super) fn together(self, most: u32) -> u32 {
        (self.0.get() / 10).clamp(1, most)
    }
}

/// Says when the next batch may go. Pure: it is told the time and does not wait.
pub(super) struct Pace {
    rate: Option<Rate>,
    next_at: Instant,
}

impl Pace {
    pub(super) fn new(rate: Option<Rate>, now: Instant) -> Self {
        Self { rate, next_at: now }
    }

    /// So many have gone. What was late is not caught up with.
    pub(super) fn gone(&mut self, messages: u64, now: Instant) {
        if let Some(Rate(per_second)) = self.rate {
            let span = Duration::from_secs_f64(messages as f64 / f64::from(per_second.get()));
            let from = self.next_at.max(now);
            self.next_at = from.checked_add(span).unwrap_or(from);
        }
    }

    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(messages: u32) -> Rate {
        Rate::per_second(NonZeroU32::new(messages).unwrap())
    }

    #[test]
    fn batches_are_a_tenth_of_a_second() {
        assert_eq!(rate(1).together(100), 1);
        assert_eq!(rate(55).together(100), 5);
        assert_eq!(rate(5_000).together(100), 100);
    }

    #[test]
    fn what_goes_is_waited_for() {
        let begin = Instant::now();
        let mut pace = Pace::new(Some(rate(10)), begin);
        assert_eq!(pace.next_at(), begin);
        pace.gone(1, begin);
        assert_eq!(pace.next_at(), begin + Duration::from_millis(100));
        pace.gone(50, begin);
        assert_eq!(pace.next_at(), begin + Duration::from_millis(5_100));
        // The time that the batches took is part of it, but what is late is not caught up with.
        let late = begin + Duration::from_secs(60);
        pace.gone(1, late);
        assert_eq!(pace.next_at(), late + Duration::from_millis(100));
        pace.gone(u64::MAX, late);
        let mut unlimited = Pace::new(None, begin);
        unlimited.gone(1_000, begin);
        assert_eq!(unlimited.next_at(), begin);
    }
}
