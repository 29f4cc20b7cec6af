use std::sync::Arc;

use super::store::FailureAction;
use crate::publisher::PublishErrorKind;
use crate::retry::{RetryPolicy, WhenSpent};

/// Most characters of an error that are kept with a message.
const ERROR_CHARS: usize = 1_000;

/// A row's key in its order: rows of one topic and key in one shard.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct KeyId {
    pub(super) shard: u8,
    pub(super) topic: Arc<str>,
    pub(super) key: Arc<str>,
}

/// What follows when a message was refused for the `attempts`-th time.
pub(super) fn decide(
    policy: &RetryPolicy,
    kind: PublishErrorKind,
    attempts: u32,
    keyed: bool,
    random: &mut fastrand::Rng,
) -> FailureAction {
    if kind != PublishErrorKind::Invalid
        && let Some(wait) = policy.after_failure(attempts, random)
    {
        return FailureAction::Retry(wait);
    }
    match policy.when_spent() {
        WhenSpent::Block => FailureAction::Block,
        // A message without a key has no later ones to park.
        WhenSpent::Park if keyed => FailureAction::Park,
        WhenSpent::Skip | WhenSpent::Park if kind == PublishErrorKind::Invalid => FailureAction::BuryInvalid,
        WhenSpent::Skip | WhenSpent::Park => FailureAction::Bury,
    }
}

/// The error as it is stored: bounded, on one line.
pub(super) fn stored_error(error: &str) -> String {
    error
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(ERROR_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_depends_on_attempts_kind_and_policy() {
        let mut random = fastrand::Rng::with_seed(1);
        let policy = RetryPolicy::DEFAULT.with_max_attempts(2);
        let mut decide = |when_spent, kind, attempts, keyed| {
            decide(
                &policy.with_when_spent(when_spent),
                kind,
                attempts,
                keyed,
                &mut random,
            )
        };
        use FailureAction as A;
        use PublishErrorKind as K;
        assert!(matches!(
            decide(WhenSpent::Park, K::Refused, 1, true),
            A::Retry(_)
        ));
        assert_eq!(decide(WhenSpent::Skip, K::Refused, 2, true), A::Bury);
        assert_eq!(decide(WhenSpent::Skip, K::Invalid, 1, true), A::BuryInvalid);
        assert_eq!(decide(WhenSpent::Block, K::Invalid, 1, true), A::Block);
        assert_eq!(decide(WhenSpent::Park, K::Refused, 2, true), A::Park);
        assert_eq!(decide(WhenSpent::Park, K::Refused, 2, false), A::Bury);
    }

    #[test]
    fn stored_errors_are_bounded_and_on_one_line() {
        let stored = stored_error(&format!("a\r\nb{}", "ü".repeat(2_000)));
        assert_eq!(stored.chars().count(), ERROR_CHARS);
        assert!(stored.starts_with("a  bü"));
    }
}
