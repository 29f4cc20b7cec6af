//! When to stop handing messages to a queue that is down, and when to look again. Pure: time is passed in.

use std::time::{Duration, Instant};

/// Opens at the first sign that the queue is away, then asks for probes with a growing pause.
///
/// While it is open nothing is handed over and no message loses an attempt.
#[derive(Debug, Clone)]
pub struct Breaker {
    first: Duration,
    cap: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// The next probe may go at this time; so many have failed.
    Open {
        probe_at: Instant,
        failed: u32,
    },
}

impl Breaker {
    /// A closed breaker whose probes pause from `first`, doubling up to `cap`.
    pub fn new(first: Duration, cap: Duration) -> Self {
        Self {
            first,
            cap,
            state: State::Closed,
        }
    }

    /// Whether nothing may be handed over.
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// The queue did not answer: open, and probe at once. Opening an open breaker changes nothing.
    pub fn trip(&mut self, now: Instant) {
        if self.state == State::Closed {
            self.state = State::Open {
                probe_at: now,
                failed: 0,
            };
        }
    }

    /// When the next probe may go, while the breaker is open.
    pub fn probe_at(&self) -> Option<Instant> {
        match self.state {
            State::Closed => None,
            State::Open { probe_at, .. } => Some(probe_at),
        }
    }

    /// The probe was answered: messages may go again.
    pub fn probe_succeeded(&mut self) {
        self.state = State::Closed;
    }

    /// The probe failed as well: wait longer.
    pub fn probe_failed(&mut self, now: Instant) {
        if let State::Open { failed, .. } = self.state {
            let pause = self.first.saturating_mul(1 << failed.min(20)).min(self.cap);
            self.state = State::Open {
                probe_at: now + pause,
                failed: failed.saturating_add(1),
            };
        }
    }
}

impl Default for Breaker {
    /// Probes pause from 100 ms to 5 s.
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_at_once_then_ever_more_rarely() {
        let start = Instant::now();
        let mut breaker = Breaker::new(Duration::from_secs(1), Duration::from_secs(4));
        assert!(!breaker.is_open());
        breaker.trip(start);
        assert_eq!(breaker.probe_at(), Some(start));
        let pauses: Vec<_> = (0..4)
            .map(|_| {
                breaker.probe_failed(start);
                breaker.trip(start);
                (breaker.probe_at().unwrap() - start).as_secs()
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 4]);
        breaker.probe_succeeded();
        assert!(!breaker.is_open());
        assert_eq!(breaker.probe_at(), None);
    }
}
