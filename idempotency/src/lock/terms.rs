//! How long a lease may be, and how long a done mark may be kept.

use std::time::Duration;

use super::LockError;

/// The longest lease: what is held longer is not a lock on one attempt any more.
pub const LEASE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest time that a done mark is kept. It only saves work; what is to be remembered longer is the ledger's.
pub const KEEP_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What clocks of locks count in.
const TICK: Duration = Duration::from_millis(1);

/// A lease in milliseconds, if it is neither shorter than `least` nor longer than [`LEASE_MAX`].
pub(super) fn lease(given: Duration, least: Duration) -> Result<u64, LockError> {
    milliseconds("the lease", given, least.max(TICK), LEASE_MAX)
}

/// The time to keep a mark, in milliseconds.
pub(super) fn keep(given: Duration) -> Result<u64, LockError> {
    milliseconds("the time to keep a done mark", given, TICK, KEEP_MAX)
}

fn milliseconds(
    what: &'static str,
    given: Duration,
    least: Duration,
    most: Duration,
) -> Result<u64, LockError> {
    let out_of_range = LockError::Duration {
        what,
        given,
        least,
        most,
    };
    if given < least || given > most {
        return Err(out_of_range);
    }
    let rounded_up = given.as_micros().div_ceil(TICK.as_micros());
    u64::try_from(rounded_up).map_err(|_| out_of_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_range_is_refused_and_parts_of_a_millisecond_are_rounded_up() {
        assert_eq!(lease(Duration::from_micros(1_001), Duration::ZERO).unwrap(), 2);
        assert_eq!(lease(LEASE_MAX, Duration::ZERO).unwrap(), 86_400_000);
        assert_eq!(keep(KEEP_MAX).unwrap(), 604_800_000);
        let refused = [
            lease(Duration::ZERO, Duration::ZERO),
            lease(Duration::from_micros(999), Duration::ZERO),
            lease(Duration::from_millis(999), Duration::from_secs(1)),
            lease(LEASE_MAX + TICK, Duration::ZERO),
            lease(Duration::MAX, Duration::ZERO),
            keep(Duration::ZERO),
            keep(KEEP_MAX + TICK),
        ];
        for error in refused.map(Result::unwrap_err) {
            assert!(matches!(error, LockError::Duration { .. }), "{error}");
        }
    }
}
