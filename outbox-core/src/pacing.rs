//! How long to wait before looking again. Pure: time is passed in.

use std::time::{Duration, Instant};

/// Polls fast while there is something to expect, and rarely when there has been silence.
#[derive(Debug, Clone)]
pub struct Pacer {
    armed: Duration,
    busy: Duration,
    idle: Duration,
    linger: Duration,
    /// When something was last found.
    found_at: Option<Instant>,
    current: Duration,
}

impl Pacer {
    /// While a commit of this process is awaited.
    pub const ARMED: Duration = Duration::from_millis(1);
    /// While messages keep coming.
    pub const BUSY: Duration = Duration::from_millis(3);
    /// After a silence.
    pub const IDLE: Duration = Duration::from_millis(200);
    /// How long after the last message `BUSY` goes on, before the pause grows to `IDLE`.
    pub const LINGER: Duration = Duration::from_millis(500);

    /// Polls every `busy` while messages keep coming and every `idle` after a silence.
    pub fn new(busy: Duration, idle: Duration) -> Self {
        Self {
            armed: Self::ARMED.min(busy),
            busy,
            idle: idle.max(busy),
            linger: Self::LINGER,
            found_at: None,
            current: idle,
        }
    }

    /// The pause before the next poll, after one that did or did not find something and took `took`.
    ///
    /// Never shorter than what the poll took, so that polling can't use more than half of a connection
    /// however expensive polls have become.
    pub fn after_poll(&mut self, now: Instant, found: bool, armed: bool, took: Duration) -> Duration {
        if found {
            self.found_at = Some(now);
        }
        let lingering = self
            .found_at
            .is_some_and(|at| now.saturating_duration_since(at) < self.linger);
        self.current = if lingering {
            self.busy
        } else {
            (self.current * 2).clamp(self.busy, self.idle)
        };
        let pause = if armed { self.armed } else { self.current };
        pause.max(took.min(self.idle))
    }
}

impl Default for Pacer {
    fn default() -> Self {
        Self::new(Self::BUSY, Self::IDLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slows_down_in_silence_and_not_before() {
        let start = Instant::now();
        let mut pacer = Pacer::default();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(pacer.after_poll(at(0), true, false, Duration::ZERO), Pacer::BUSY);
        assert_eq!(
            pacer.after_poll(at(499), false, false, Duration::ZERO),
            Pacer::BUSY
        );
        let mut pauses = Vec::new();
        for n in 0..8 {
            pauses.push(
                pacer
                    .after_poll(at(600 + n), false, false, Duration::ZERO)
                    .as_millis(),
            );
        }
        assert_eq!(pauses, [6, 12, 24, 48, 96, 192, 200, 200]);
        assert_eq!(
            pacer.after_poll(at(700), false, true, Duration::ZERO),
            Pacer::ARMED
        );
        assert_eq!(
            pacer
                .after_poll(at(701), true, false, Duration::from_millis(40))
                .as_millis(),
            40
        );
    }
}
