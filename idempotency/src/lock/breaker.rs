//! Whether a lock that failed is asked again. Pure: told the time, and what came of each call.
//!
//! ```text
//!            a call failed                    rested                 answered
//!   closed ────────────────► resting ────────────────────► probing ───────────► closed
//!                               ▲        one call goes         │
//!                               └──────────────────────────────┘
//!                                  failed: rest twice as long
//! ```
//!
//! A lock that is away costs the calls that were on their way one wait, and from then on one call a rest.

use std::time::Duration;

use tokio::time::Instant;

/// How long it is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// After the first failure.
    pub(super) least: Duration,
    /// However often it failed.
    pub(super) most: Duration,
}

/// What one lock is known to be worth at the moment.
#[derive(Debug)]
pub(super) struct Breaker {
    rest: Rest,
    /// How long a probe may take before another call may be one.
    probe_within: Duration,
    state: State,
    /// Grows with each change between closed and not: what calls from before a change say is out of date.
    generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Resting { until: Instant, rest: Duration },
    Probing { until: Instant, rest: Duration },
}

/// Leave to make one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) struct Pass {
    generation: u64,
}

/// What a call changed, to be told to people once and not with each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is left alone from now on.
    Opened,
    /// It is asked again.
    Closed,
}

impl Breaker {
    pub(super) fn new(rest: Rest, probe_within: Duration) -> Self {
        Self {
            rest,
            probe_within,
            state: State::Closed,
            generation: 0,
        }
    }

    /// Leave to call, or how long it is still to rest.
    pub(super) fn enter(&mut self, now: Instant) -> Result<Pass, Duration> {
        match self.state {
            State::Closed => {}
            State::Resting { until, rest } | State::Probing { until, rest } => {
                if now < until {
                    return Err(until - now);
                }
                self.state = State::Probing {
                    until: now + self.probe_within,
                    rest,
                };
                // A probe that was given up on says nothing any more.
                self.generation += 1;
            }
        }
        Ok(Pass {
            generation: self.generation,
        })
    }

    /// The call was answered, whatever the answer.
    pub(super) fn answered(&mut self, pass: Pass) -> Option<Change> {
        if pass.generation != self.generation || self.state == State::Closed {
            return None;
        }
        self.state = State::Closed;
        self.generation += 1;
        Some(Change::Closed)
    }

    /// The call was not answered.
    pub(super) fn failed(&mut self, pass: Pass, now: Instant) -> Option<Change> {
        if pass.generation != self.generation {
            return None;
        }
        let (rest, change) = match self.state {
            State::Closed => (self.rest.least, Some(Change::Opened)),
            State::Resting { rest, .. } | State::Probing { rest, .. } => {
                ((2 * rest).min(self.rest.most), None)
            }
        };
        self.state = State::Resting {
            until: now + rest,
            rest,
        };
        self.generation += 1;
        change
    }

    /// Nobody waits for the call's answer any more. The next call may be the probe in its place.
    pub(super) fn abandoned(&mut self, pass: Pass, now: Instant) {
        if let State::Probing { rest, .. } = self.state
            && pass.generation == self.generation
        {
            self.state = State::Resting { until: now, rest };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Rest = Rest {
        least: Duration::from_secs(1),
        most: Duration::from_secs(10),
    };
    const PROBE: Duration = Duration::from_millis(100);
    const TICK: Duration = Duration::from_millis(1);

    fn breaker() -> (Breaker, Instant) {
        (Breaker::new(REST, PROBE), Instant::now())
    }

    #[test]
    fn after_a_failure_it_rests_and_then_one_call_probes() {
        let (mut breaker, start) = breaker();
        let pass = breaker.enter(start).unwrap();
        assert_eq!(breaker.failed(pass, start), Some(Change::Opened));
        assert_eq!(breaker.enter(start), Err(REST.least));
        let rested = start + REST.least;
        assert_eq!(breaker.enter(rested - TICK), Err(TICK));
        let probe = breaker.enter(rested).unwrap();
        assert_eq!(
            breaker.enter(rested),
            Err(PROBE),
            "one call, and not all that wait"
        );
        assert_eq!(breaker.answered(probe), Some(Change::Closed));
        assert!(breaker.enter(rested).is_ok());
    }

    #[test]
    fn it_rests_longer_each_time_up_to_a_limit_and_forgets_that_with_an_answer() {
        let (mut breaker, mut now) = breaker();
        let pass = breaker.enter(now).unwrap();
        breaker.failed(pass, now);
        for expected in [1, 2, 4, 8, 10, 10] {
            let rest = breaker.enter(now).unwrap_err();
            assert_eq!(rest, Duration::from_secs(expected));
            now += rest;
            let probe = breaker.enter(now).unwrap();
            assert_eq!(breaker.failed(probe, now), None, "it was open already");
        }
        now += REST.most;
        let probe = breaker.enter(now).unwrap();
        breaker.answered(probe);
        let pass = breaker.enter(now).unwrap();
        breaker.failed(pass, now);
        assert_eq!(breaker.enter(now), Err(REST.least));
    }

    #[test]
    fn calls_that_fail_together_open_it_once() {
        let (mut breaker, now) = breaker();
        let passes: Vec<Pass> = (0..100).map(|_| breaker.enter(now).unwrap()).collect();
        let changes: Vec<Change> = passes
            .into_iter()
            .filter_map(|pass| breaker.failed(pass, now))
            .collect();
        assert_eq!(changes, [Change::Opened]);
        assert_eq!(breaker.enter(now), Err(REST.least), "it rests once, too");
    }

    #[test]
    fn what_calls_from_before_say_is_out_of_date() {
        let (mut breaker, now) = breaker();
        let [first, late_answer, late_failure] = [(); 3].map(|()| breaker.enter(now).unwrap());
        breaker.failed(first, now);
        assert_eq!(breaker.answered(late_answer), None);
        assert!(breaker.enter(now).is_err(), "still open");
        let rested = now + REST.least;
        let probe = breaker.enter(rested).unwrap();
        breaker.answered(probe);
        assert_eq!(breaker.failed(late_failure, rested), None);
        assert!(breaker.enter(rested).is_ok(), "still closed");
    }

    #[test]
    fn a_probe_that_is_dropped_or_hangs_makes_way_for_another() {
        let (mut breaker, now) = breaker();
        let pass = breaker.enter(now).unwrap();
        breaker.failed(pass, now);
        let rested = now + REST.least;
        let dropped = breaker.enter(rested).unwrap();
        breaker.abandoned(dropped, rested);
        let hangs = breaker.enter(rested).unwrap();
        // The one from before has nothing to say about it.
        breaker.abandoned(dropped, rested);
        assert_eq!(breaker.enter(rested), Err(PROBE));
        let another = breaker.enter(rested + PROBE).unwrap();
        assert_eq!(breaker.answered(hangs), None);
        assert_eq!(breaker.answered(another), Some(Change::Closed));
    }

    #[test]
    fn a_call_that_is_dropped_while_it_is_closed_changes_nothing() {
        let (mut breaker, now) = breaker();
        let pass = breaker.enter(now).unwrap();
        breaker.abandoned(pass, now);
        assert_eq!(breaker.answered(pass), None);
        assert!(breaker.enter(now).is_ok());
    }
}
