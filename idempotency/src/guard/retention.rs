use std::time::Duration;

use crate::error::IdempotencyError;

const DAY: Duration = Duration::from_secs(86_400);

/// How long the ledger remembers, and for how long a message may come again: the former must not be less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    keeps: Duration,
    resend: Duration,
    redelivery: Duration,
    dead_letters: Duration,
}

impl Retention {
    /// The ledger remembers for this long. Nothing comes again, unless it is said with the other methods.
    pub const fn of(keeps: Duration) -> Self {
        Self {
            keeps,
            resend: Duration::ZERO,
            redelivery: Duration::ZERO,
            dead_letters: Duration::ZERO,
        }
    }

    /// For how long a sender may send a message again.
    pub const fn resend(mut self, span: Duration) -> Self {
        self.resend = span;
        self
    }

    /// For how long a queue may deliver a message again.
    pub const fn redelivery(mut self, span: Duration) -> Self {
        self.redelivery = span;
        self
    }

    /// How long dead letters are kept, each of which an operator may put back.
    pub const fn dead_letters(mut self, span: Duration) -> Self {
        self.dead_letters = span;
        self
    }

    /// How long the ledger remembers.
    pub const fn keeps(&self) -> Duration {
        self.keeps
    }

    pub(super) fn check(&self) -> Result<(), IdempotencyError> {
        let needed = self
            .resend
            .saturating_add(self.redelivery)
            .saturating_add(self.dead_letters);
        if self.keeps.is_zero() || needed > self.keeps {
            return Err(IdempotencyError::RetentionTooShort {
                keeps: self.keeps,
                needed,
                resend: self.resend,
                redelivery: self.redelivery,
                dead_letters: self.dead_letters,
            });
        }
        Ok(())
    }
}

/// Remembers for 45 days; messages are sent again for a day, and redelivered for 7 days and kept as dead letters for 30,
/// which are the defaults of the durable queue and of `outbox_sqlx::maintenance`.
impl Default for Retention {
    fn default() -> Self {
        Self::of(45 * DAY)
            .resend(DAY)
            .redelivery(7 * DAY)
            .dead_letters(30 * DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_come_again_after_it_is_forgotten_is_refused_with_both_spans() {
        assert!(Retention::default().check().is_ok());
        assert!(
            Retention::of(3 * DAY)
                .resend(DAY)
                .redelivery(DAY)
                .dead_letters(DAY)
                .check()
                .is_ok()
        );
        let error = Retention::of(3 * DAY)
            .resend(DAY)
            .redelivery(DAY)
            .dead_letters(DAY + Duration::from_secs(1))
            .check()
            .unwrap_err();
        assert!(
            matches!(error, IdempotencyError::RetentionTooShort { keeps, needed, .. }
                if keeps == 3 * DAY && needed == 3 * DAY + Duration::from_secs(1)),
            "{error}"
        );
        assert!(Retention::of(Duration::ZERO).check().is_err());
        assert!(
            Retention::of(DAY)
                .resend(Duration::MAX)
                .redelivery(DAY)
                .check()
                .is_err()
        );
    }
}
