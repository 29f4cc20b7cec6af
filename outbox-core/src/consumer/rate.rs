use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// Most messages a second that a limit may say; beyond it a limit limits nothing.
pub(super) const MAX_PER_SECOND: u32 = 1_000_000;
/// A burst is at least what comes in this part of a second, rounded up: timers wake up some milliseconds late, and what
/// did not start meanwhile is then caught up with.
const LEAST_BURST_PART: u32 = 100;
/// A burst is by default what comes in this part of a second, and at least one message.
const DEFAULT_BURST_PART: u32 = 20;

/// How many messages may start in a second, and how many of these at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) per_second: NonZeroU32,
    pub(super) burst: NonZeroU32,
}

/// The smallest burst with which a rate can be kept.
pub(super) fn least_burst(per_second: u32) -> u32 {
    per_second.div_ceil(LEAST_BURST_PART).max(1)
}

/// The burst of a rate for which none is set.
pub(super) fn default_burst(per_second: u32) -> u32 {
    (per_second / DEFAULT_BURST_PART).max(1)
}

/// Says when messages may start. Pure: it is told the time and does not wait.
///
/// The algorithm is GCRA: the start of a message is due when the one before was, and one interval; one that comes later
/// moves all that follow, except for a burst.
pub(super) struct Limiter {
    limiter: RateLimiter<NotKeyed, InMemoryState, Told, NoOpMiddleware<Duration>>,
    /// Most messages that start together.
    together: NonZeroU32,
    /// From one message to the next.
    interval: Duration,
    /// What the limiter's times are counted from.
    base: Instant,
    /// When whoever was refused was told to come back.
    back_at: Option<Instant>,
}

/// The time that it was told last, since the limiter's base.
#[derive(Default)]
struct Told(Cell<Duration>);

impl Clock for Told {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.get()
    }
}

impl Limiter {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        let interval = Duration::from_secs(1) / rate.per_second.get();
        // Its own intervals are whole nanoseconds too: at the highest rate there is, 1,000 of them.
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, Told::default()),
            together: NonZeroU32::new(
                rate.burst
                    .get()
                    .saturating_sub(least_burst(rate.per_second.get())),
            )
            .unwrap_or(NonZeroU32::MIN),
            interval,
            base: now,
            back_at: None,
        }
    }

    /// Most messages that may start together: a burst, less what it takes to catch up with a timer that was late.
    pub(super) fn together(&self) -> usize {
        usize::try_from(self.together.get()).unwrap_or(usize::MAX)
    }

    /// Whether `messages`, at most [`together`](Self::together), may start now together; if not, when they may.
    pub(super) fn start(&mut self, messages: usize, now: Instant) -> Result<(), Instant> {
        let messages = u32::try_from(messages.min(self.together())).unwrap_or(u32::MAX);
        let Some(messages) = NonZeroU32::new(messages) else {
            return Ok(());
        };
        // Who comes back late because a timer was late has not chosen to; less than an interval of it is forgiven,
        // so that nobody starts more than a burst for it.
        let late = self.back_at.map_or(Duration::ZERO, |at| {
            now.saturating_duration_since(at)
                .min(self.interval - Duration::from_nanos(1))
        });
        let time = now.saturating_duration_since(self.base) - late;
        self.limiter.clock().0.set(time);
        match self.limiter.check_n(messages) {
            Ok(Ok(())) => {
                self.back_at = None;
                Ok(())
            }
            Ok(Err(not_until)) => {
                let at = self.base + not_until.earliest_possible();
                self.back_at = Some(at);
                Err(at)
            }
            // More than a burst, which the bound above rules out.
            Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limiter(per_second: u32, burst: u32, now: Instant) -> Limiter {
        let rate = Rate {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        };
        Limiter::new(rate, now)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whoever always comes back when told, up to 10 ms late, starts what the rate says within 1 %, and at no time
        /// more than a burst.
        #[test]
        fn the_rate_is_kept_although_timers_are_late(
            per_second in prop_oneof![1u32..300, 1u32..200_000],
            bursts in 1u32..20,
            sizes in proptest::collection::vec(1usize..300, 1..20),
            late in proptest::collection::vec(0u64..9_900_000, 1..20),
        ) {
            let burst = (least_burst(per_second) * bursts).min(per_second);
            let base = Instant::now();
            let mut limiter = limiter(per_second, burst, base);
            // As long as it takes for 1 % to be more than a burst.
            let whole = Duration::from_secs(1) * 300 * burst / per_second;
            let (mut now, mut started, mut at_once, mut turn) = (base, 0u64, 0usize, 0usize);
            while now - base < whole {
                let size = sizes[turn % sizes.len()].min(limiter.together());
                match limiter.start(size, now) {
                    Ok(()) => {
                        at_once += size;
                        started += size as u64;
                        prop_assert!(at_once <= burst as usize, "{at_once} at once");
                        turn += 1;
                    }
                    Err(at) => {
                        let back = at + Duration::from_nanos(late[turn % late.len()]);
                        prop_assert!(back > now || at <= now);
                        if back > now { at_once = 0; }
                        now = back.max(now);
                    }
                }
            }
            let expected = (now - base).as_secs_f64() * f64::from(per_second);
            let ratio = started as f64 / expected;
            prop_assert!((0.99..=1.01).contains(&ratio), "{started} started, {expected} expected");
        }
    }

    #[test]
    fn who_does_not_come_saves_up_a_burst_and_no_more() {
        let base = Instant::now();
        let mut limiter = limiter(100, 5, base);
        let hour = base + Duration::from_secs(3_600);
        for _ in 0..5 {
            limiter.start(1, hour).unwrap();
        }
        let next = limiter.start(1, hour).unwrap_err();
        assert_eq!(next - hour, Duration::from_millis(10));
        assert_eq!(
            limiter.start(4, hour).unwrap_err() - hour,
            Duration::from_millis(40)
        );
    }
}
