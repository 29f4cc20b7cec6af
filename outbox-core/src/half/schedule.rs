use std::time::Duration;

use super::answer::CheckAnswer;
use super::error::HalfError;

/// When an undecided half message is asked after, and how often. Pure: nothing here waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckSchedule {
    first: Duration,
    every: Duration,
    checks: u32,
}

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The message is committed: consumers get it.
    Commit,
    /// The message is rolled back: nobody gets it.
    RollBack,
    /// It is asked after again after this time.
    CheckAgain(Duration),
    /// Its checks are spent: it is kept for an operator.
    Park,
}

impl CheckSchedule {
    /// First after 6 seconds, then every 30 seconds, 15 checks.
    pub const DEFAULT: Self = Self {
        first: Duration::from_secs(6),
        every: Duration::from_secs(30),
        checks: 15,
    };

    /// Most checks of one message.
    pub const MAX_CHECKS: u32 = 10_000;
    /// The longest wait.
    pub const MAX_WAIT: Duration = Duration::from_secs(365 * 24 * 3_600);
    /// The shortest wait between two checks.
    pub const MIN_EVERY: Duration = Duration::from_millis(1);

    /// How long after it was prepared a message is first asked after. It should be longer than the local work usually
    /// takes. Default: 6 seconds; zero to 365 days.
    ///
    /// # Errors
    /// [`HalfError::Setting`].
    pub fn with_first(mut self, first: Duration) -> Result<Self, HalfError> {
        if first > Self::MAX_WAIT {
            return Err(HalfError::setting(
                "first",
                format!("{first:?}"),
                "at most 365 days",
            ));
        }
        self.first = first;
        Ok(self)
    }

    /// How long after a check the next one is, and how long after one that could not be made it is tried again. Default:
    /// 30 seconds; 1 ms to 365 days.
    ///
    /// # Errors
    /// [`HalfError::Setting`].
    pub fn with_every(mut self, every: Duration) -> Result<Self, HalfError> {
        if every < Self::MIN_EVERY || every > Self::MAX_WAIT {
            return Err(HalfError::setting(
                "every",
                format!("{every:?}"),
                "1 ms to 365 days",
            ));
        }
        self.every = every;
        Ok(self)
    }

    /// How many answers are asked for before the message is parked. Default: 15; 1 to 10,000.
    ///
    /// # Errors
    /// [`HalfError::Setting`].
    pub fn with_checks(mut self, checks: u32) -> Result<Self, HalfError> {
        if checks == 0 || checks > Self::MAX_CHECKS {
            return Err(HalfError::setting("checks", checks.to_string(), "1 to 10000"));
        }
        self.checks = checks;
        Ok(self)
    }

    /// How long after it was prepared a message is first asked after.
    pub const fn first(&self) -> Duration {
        self.first
    }

    /// How long after a check the next one is.
    pub const fn every(&self) -> Duration {
        self.every
    }

    /// How many answers are asked for.
    pub const fn checks(&self) -> u32 {
        self.checks
    }

    /// What follows from an answer to a message that had `before` answers already.
    pub const fn decide(&self, before: u32, answer: CheckAnswer) -> Decision {
        match answer {
            CheckAnswer::Committed => Decision::Commit,
            CheckAnswer::RolledBack => Decision::RollBack,
            CheckAnswer::Unknown if before.saturating_add(1) >= self.checks => Decision::Park,
            CheckAnswer::Unknown => Decision::CheckAgain(self.every),
        }
    }
}

impl Default for CheckSchedule {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_that_nobody_knows_of_is_parked_after_exactly_its_checks(checks in 1u32..=10_000, every in 1u64..100_000) {
            let every = Duration::from_millis(every);
            let schedule = CheckSchedule::DEFAULT.with_checks(checks).unwrap().with_every(every).unwrap();
            for before in [0, checks / 2, checks - 1, checks, u32::MAX] {
                let expected = if before >= checks - 1 { Decision::Park } else { Decision::CheckAgain(every) };
                prop_assert_eq!(schedule.decide(before, CheckAnswer::Unknown), expected);
                prop_assert_eq!(schedule.decide(before, CheckAnswer::Committed), Decision::Commit);
                prop_assert_eq!(schedule.decide(before, CheckAnswer::RolledBack), Decision::RollBack);
            }
        }
    }

    #[test]
    fn a_setting_that_can_not_be_is_named_with_its_value() {
        let schedule = CheckSchedule::DEFAULT;
        let too_long = CheckSchedule::MAX_WAIT + Duration::from_secs(1);
        for (refused, expected) in [
            (schedule.with_checks(0), "checks is 0, and must be 1 to 10000"),
            (
                schedule.with_checks(10_001),
                "checks is 10001, and must be 1 to 10000",
            ),
            (
                schedule.with_every(Duration::ZERO),
                "every is 0ns, and must be 1 ms to 365 days",
            ),
            (
                schedule.with_first(too_long),
                "first is 31536001s, and must be at most 365 days",
            ),
        ] {
            assert_eq!(refused.unwrap_err().to_string(), expected);
        }
        assert_eq!(
            schedule.with_first(Duration::ZERO).unwrap().first(),
            Duration::ZERO
        );
    }
}
