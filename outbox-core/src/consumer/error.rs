use std::time::Duration;

use super::config::{MAX_BATCH, MAX_BATCHED, MAX_CONCURRENCY};
use super::rate::MAX_PER_SECOND;
use crate::retry::WhenSpent;

/// A setting of a consumer that can't be. Nothing was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumerError {
    /// Out of range.
    #[error("concurrency is {messages}, and must be 1 to {MAX_CONCURRENCY}")]
    Concurrency {
        /// What was asked for.
        messages: usize,
    },
    /// Out of range.
    #[error("prefetch is {messages}, and must be at most {MAX_CONCURRENCY}")]
    Prefetch {
        /// What was asked for.
        messages: usize,
    },
    /// With it nothing would ever be received.
    #[error("prefetch_bytes is 0, and must be at least 1")]
    PrefetchBytes,
    /// Out of range.
    #[error("batch_messages is {messages}, and must be 1 to {MAX_BATCH}")]
    BatchMessages {
        /// What was asked for.
        messages: usize,
    },
    /// Out of range.
    #[error("{batches} batches of {messages} messages at the same time are more than {MAX_BATCHED} messages")]
    Batched {
        /// The concurrency that was asked for.
        batches: usize,
        /// How many messages each may have.
        messages: usize,
    },
    /// Only a consumer of batches has batches: [`Consumer::batch_builder`](super::Consumer::batch_builder).
    #[error("batch_messages or batch_wait is set, and the handler takes one message at a time")]
    NoBatches,
    /// Out of range. A consumer that is to handle nothing is one that does not run.
    #[error("rate_limit is {per_second} a second, and must be 1 to {MAX_PER_SECOND}")]
    RateLimit {
        /// What was asked for.
        per_second: u32,
    },
    /// Out of range. With less than what comes in ten milliseconds the rate could not be kept.
    #[error("rate_burst is {messages}, and with this rate_limit must be {least} to {MAX_PER_SECOND}")]
    RateBurst {
        /// What was asked for.
        messages: u32,
        /// The smallest burst with which the rate can be kept.
        least: u32,
    },
    /// A burst of what?
    #[error("rate_burst is set, and rate_limit is not")]
    RateBurstWithoutLimit,
    /// With it no message could ever be handled.
    #[error("handler_timeout is 0, and must be longer")]
    HandlerTimeoutZero,
    /// A handler could still run when its message was given to another member already.
    #[error(
        "handler_timeout is {handler_timeout:?}, and must be shorter than the subscription's lease of {lease:?}"
    )]
    HandlerTimeoutNotBelowLease {
        /// What was asked for.
        handler_timeout: Duration,
        /// How long the subscriber says that a delivery is its own.
        lease: Duration,
    },
    /// A queue knows dead letters and no blocked or parked keys: only the outbox, on the sender's side, does.
    /// A consumer that must not go past a message answers with a retryable error and many attempts.
    #[error(
        "the retry policy{} says {when_spent:?} when attempts are spent, and a consumer can only Skip", .topic.as_ref().map(|topic| format!(" of topic {topic:?}")).unwrap_or_default()
    )]
    WhenSpent {
        /// The topic whose policy it is; `None` for the consumer's own.
        topic: Option<String>,
        /// What the policy says.
        when_spent: WhenSpent,
    },
}
