//! How often and how soon a failed message is tried again. Pure: nothing here waits.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What happens to a message whose attempts are spent. In configuration: `skip`, `block` or `park`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum WhenSpent {
    /// It is buried with the dead letters, and its key goes on without it.
    #[default]
    Skip,
    /// It stays and holds its key until an operator decides.
    Block,
    /// It and every later message of its key go to the dead letters, to be redriven in order.
    Park,
}

impl fmt::Display for WhenSpent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skip => "skip",
            Self::Block => "block",
            Self::Park => "park",
        })
    }
}

impl FromStr for WhenSpent {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        [Self::Skip, Self::Block, Self::Park]
            .into_iter()
            .find(|policy| policy.to_string() == name)
            .ok_or_else(|| UnknownPolicy {
                name: name.to_owned(),
            })
    }
}

/// A name that is none of [`WhenSpent`]'s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a policy for spent messages; it must be skip, block or park")]
pub struct UnknownPolicy {
    name: String,
}

/// Retries of one topic: exponential backoff with full jitter, and a bound.
///
/// After failure `n` (from 1) the wait is drawn evenly between `min` and
/// `min(cap, base · 2^(n−1))`: full jitter spreads retries best
/// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    min: Duration,
    base: Duration,
    cap: Duration,
    when_spent: WhenSpent,
}

impl RetryPolicy {
    /// 10 attempts, waits from 50 ms, base 500 ms, cap 5 minutes, then [`WhenSpent::Skip`].
    pub const DEFAULT: Self = Self {
        max_attempts: 10,
        min: Duration::from_millis(50),
        base: Duration::from_millis(500),
        cap: Duration::from_secs(300),
        when_spent: WhenSpent::Skip,
    };

    /// At most this many attempts; 0 counts as 1.
    #[must_use]
    pub const fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// The bounds of the waits. A `cap` below `min` counts as `min`.
    #[must_use]
    pub const fn with_backoff(mut self, min: Duration, base: Duration, cap: Duration) -> Self {
        self.min = min;
        self.base = base;
        self.cap = cap;
        self
    }

    /// What happens when the attempts are spent.
    #[must_use]
    pub const fn with_when_spent(mut self, when_spent: WhenSpent) -> Self {
        self.when_spent = when_spent;
        self
    }

    /// Most attempts.
    pub const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// What happens when the attempts are spent.
    pub const fn when_spent(&self) -> WhenSpent {
        self.when_spent
    }

    /// What follows when `attempts` have failed: a retry after some time, or `None` when they are spent.
    pub fn after_failure(&self, attempts: u32, random: &mut fastrand::Rng) -> Option<Duration> {
        (attempts < self.max_attempts).then(|| self.wait(attempts, random))
    }

    /// The wait after failure number `attempts`, even when they are spent.
    pub fn wait(&self, attempts: u32, random: &mut fastrand::Rng) -> Duration {
        let exponent = attempts.saturating_sub(1).min(31);
        let ceiling = self
            .base
            .saturating_mul(1 << exponent)
            .min(self.cap)
            .max(self.min);
        self.min + (ceiling - self.min).mul_f64(random.f64())
    }
}

impl Default for RetryPolicy {
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
        fn waits_stay_within_their_bounds(min in 0u64..1000, base in 0u64..1000, cap in 0u64..100_000, n in 1u32..100, seed: u64) {
            let [min, base, cap] = [min, base, cap].map(Duration::from_millis);
            let policy = RetryPolicy::DEFAULT.with_backoff(min, base, cap).with_max_attempts(50);
            let wait = policy.after_failure(n, &mut fastrand::Rng::with_seed(seed));
            prop_assert_eq!(wait.is_none(), n >= 50);
            if let Some(wait) = wait {
                let ceiling = base.saturating_mul(1u32.checked_shl(n - 1).unwrap_or(u32::MAX)).min(cap).max(min);
                prop_assert!(wait >= min && wait <= ceiling, "{:?} not in {:?}..={:?}", wait, min, ceiling);
            }
        }
    }

    #[test]
    fn policies_go_by_name_and_an_unknown_one_is_named() {
        for policy in [WhenSpent::Skip, WhenSpent::Block, WhenSpent::Park] {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        for name in ["", "Skip", "explode"] {
            let refused = name.parse::<WhenSpent>().unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("{name:?} is not a policy for spent messages; it must be skip, block or park")
            );
        }
    }
}
