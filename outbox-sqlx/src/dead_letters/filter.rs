use std::time::{Duration, SystemTime, UNIX_EPOCH};

use outbox_core::MessageId;

use super::fingerprint::Fingerprint;
use super::source::Source;
use crate::dead::DeadReason;
use crate::operator::NEVER;
use crate::relay::micros;

/// Which dead letters. What is not set leaves none out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetterFilter {
    /// Only of these; none: of the outbox and of every consumer group.
    pub sources: Vec<Source>,
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only of this ordering key.
    pub key: Option<String>,
    /// Only of the message with this id.
    pub message: Option<MessageId>,
    /// Only those whose error has this fingerprint.
    pub fingerprint: Option<Fingerprint>,
    /// Only for this reason. A group's dead letters are all [`DeadReason::Skipped`]; none is [`DeadReason::Other`].
    pub reason: Option<DeadReason>,
    /// Only what died at this time or later, by the database's clock.
    pub died_after: Option<SystemTime>,
    /// Only what died before this time, by the database's clock.
    pub died_before: Option<SystemTime>,
    /// Only what has been dead for so long or longer.
    pub older_than: Option<Duration>,
    /// Only what has been dead for so long or less.
    pub younger_than: Option<Duration>,
}

impl DeadLetterFilter {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of this source too.
    #[must_use]
    pub fn source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Only of this topic.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only of this ordering key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only of the message with this id.
    #[must_use]
    pub fn message(mut self, id: MessageId) -> Self {
        self.message = Some(id);
        self
    }

    /// Only those whose error has this fingerprint.
    #[must_use]
    pub fn fingerprint(mut self, fingerprint: Fingerprint) -> Self {
        self.fingerprint = Some(fingerprint);
        self
    }

    /// Only for this reason.
    #[must_use]
    pub fn reason(mut self, reason: DeadReason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Only what died at this time or later.
    #[must_use]
    pub fn died_after(mut self, time: SystemTime) -> Self {
        self.died_after = Some(time);
        self
    }

    /// Only what died before this time.
    #[must_use]
    pub fn died_before(mut self, time: SystemTime) -> Self {
        self.died_before = Some(time);
        self
    }

    /// Only what has been dead for so long or longer.
    #[must_use]
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }

    /// Only what has been dead for so long or less.
    #[must_use]
    pub fn younger_than(mut self, age: Duration) -> Self {
        self.younger_than = Some(age);
        self
    }

    /// When what it finds died, if it is `now` (microseconds since 1970).
    pub(super) fn died(&self, now: i64) -> Died {
        let since = [
            self.died_after.map(since_1970),
            self.younger_than.map(|age| now - micros(age)),
        ];
        let before = [
            self.died_before.map(since_1970),
            self.older_than.map(|age| now - micros(age) + 1),
        ];
        Died {
            since: since.into_iter().flatten().max(),
            before: before.into_iter().flatten().min(),
        }
    }
}

/// From one moment on and before another, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Died {
    pub(super) since: Option<i64>,
    pub(super) before: Option<i64>,
}

/// Times that the databases don't know are the first or the last that they do.
fn since_1970(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(NEVER).min(NEVER),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ages_both_count() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let now = 100_000_000;
        let filter = DeadLetterFilter::new();
        let died = |since, before| Died { since, before };
        assert_eq!(filter.died(now), died(None, None));
        let filter = filter.died_after(at(10)).died_before(at(90));
        assert_eq!(filter.died(now), died(Some(10_000_000), Some(90_000_000)));
        let filter = filter
            .younger_than(Duration::from_secs(50))
            .older_than(Duration::from_secs(40));
        assert_eq!(filter.died(now), died(Some(50_000_000), Some(60_000_001)));
        let never = DeadLetterFilter::new()
            .younger_than(Duration::MAX)
            .died_before(UNIX_EPOCH - Duration::from_secs(1));
        assert!(never.died(now).since.unwrap() < 0);
        assert_eq!(never.died(now).before, Some(0));
    }
}
