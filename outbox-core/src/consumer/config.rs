use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Consumer;
use super::error::ConsumerError;
use super::handling::Handling;
use super::rate::{self, Rate};
use crate::retry::{RetryPolicy, WhenSpent};
use crate::subscriber::{Delivery, Subscriber};

/// Most messages that one consumer handles at the same time.
pub(super) const MAX_CONCURRENCY: usize = 10_000;
/// Most messages in a batch.
pub(super) const MAX_BATCH: usize = 1_000;
/// How many messages are in a full batch unless a consumer says so.
const DEFAULT_BATCH: usize = 100;
/// Most messages in all batches that are handled at the same time.
pub(super) const MAX_BATCHED: usize = 100_000;
/// Batches that would wait longer for more wait as long as this.
const MAX_BATCH_WAIT: Duration = Duration::from_secs(24 * 3_600);
/// How many of a consumer's batches are handled at the same time unless it says so. Few, because a slot that is free takes
/// what is there: with many there would be many small batches.
const DEFAULT_BATCHES: usize = 4;
/// Most deliveries that are asked for at once, unless a batch is larger.
const MAX_RECEIVE: usize = 256;

/// What a consumer was told, checked.
#[derive(Debug, Clone)]
pub(super) struct Config {
    /// Of messages, or of batches.
    pub(super) concurrency: usize,
    /// 1 where each is handled by itself.
    pub(super) batch_messages: usize,
    pub(super) batch_wait: Duration,
    pub(super) prefetch: usize,
    pub(super) prefetch_bytes: usize,
    pub(super) handler_timeout: Duration,
    pub(super) drain_deadline: Duration,
    pub(super) rate: Option<Rate>,
    pub(super) retry: RetryPolicy,
    pub(super) topic_retries: HashMap<Arc<str>, RetryPolicy>,
}

impl Config {
    /// Most deliveries that are held at a time: those being handled, and those that wait for it.
    pub(super) fn held(&self) -> usize {
        self.concurrency * self.batch_messages + self.prefetch
    }

    /// Most deliveries that are asked for at once.
    pub(super) fn receive(&self) -> usize {
        MAX_RECEIVE.max(self.batch_messages)
    }

    /// Whether a delivery stays this member's until a handler that starts now is surely through.
    pub(super) fn leaves_time(&self, delivery: &Delivery) -> bool {
        delivery
            .lease_left()
            .is_none_or(|left| left >= self.handler_timeout)
    }

    pub(super) fn retry(&self, topic: &str) -> &RetryPolicy {
        self.topic_retries.get(topic).unwrap_or(&self.retry)
    }
}

/// Sets up a [`Consumer`]; nothing is received before it runs.
#[must_use = "a builder does nothing until it is built and run"]
pub struct ConsumerBuilder {
    subscriber: Box<dyn Subscriber>,
    handling: Handling,
    config: Config,
    prefetch: Option<usize>,
    batch_messages: Option<usize>,
    batch_wait: Option<Duration>,
    per_second: Option<u32>,
    burst: Option<u32>,
}

impl ConsumerBuilder {
    pub(super) fn new(subscriber: Box<dyn Subscriber>, handling: Handling) -> Self {
        let concurrency = match handling {
            Handling::Each(_) => 16,
            Handling::Batch(_) => DEFAULT_BATCHES,
        };
        Self {
            subscriber,
            handling,
            config: Config {
                concurrency,
                batch_messages: 1,
                batch_wait: Duration::ZERO,
                prefetch: 0,
                prefetch_bytes: 16 * 1024 * 1024,
                handler_timeout: Duration::from_secs(30),
                drain_deadline: Duration::from_secs(30),
                rate: None,
                retry: RetryPolicy::DEFAULT,
                topic_retries: HashMap::new(),
            },
            prefetch: None,
            batch_messages: None,
            batch_wait: None,
            per_second: None,
            burst: None,
        }
    }

    /// How many messages are handled at the same time, each of another key; of batches, how many batches, no two of which
    /// have a key in common. Default: 16, and 4 batches; 1 to 10,000, and no more than 100,000 messages in all batches.
    pub fn concurrency(mut self, messages: usize) -> Self {
        self.config.concurrency = messages;
        self
    }

    /// How many messages are received ahead of those being handled. Default: as many as
    /// [`concurrency`](Self::concurrency), and for batches as many as that many full ones hold; at most 10,000.
    pub fn prefetch(mut self, messages: usize) -> Self {
        self.prefetch = Some(messages);
        self
    }

    /// Most messages in one batch. One is started with what is there as soon as a slot is free, so that a batch is full
    /// when there is much to do; [`batch_wait`](Self::batch_wait) makes it wait for more. With a
    /// [`rate_limit`](Self::rate_limit) it is never more than a burst. Default: 100; 1 to 1,000.
    pub fn batch_messages(mut self, most: usize) -> Self {
        self.batch_messages = Some(most);
        self
    }

    /// How long a batch that is not full waits for more, counted from when its first message was received. Default: zero.
    pub fn batch_wait(mut self, wait: Duration) -> Self {
        self.batch_wait = Some(wait);
        self
    }

    /// From how many bytes of received messages on ([`Message::weight`](crate::Message::weight)) nothing
    /// more is received until some are finished; one receive of at most 256 messages (or a
    /// batch, if that is more) may go beyond it.
    /// Default: 16 MiB; at least 1.
    pub fn prefetch_bytes(mut self, bytes: usize) -> Self {
        self.config.prefetch_bytes = bytes;
        self
    }

    /// How long a handler may take for one call, that is one message or one batch; then it is dropped, and the
    /// message or batch has failed. Must be shorter than the subscriber's lease. Default: 30 seconds.
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.config.handler_timeout = timeout;
        self
    }

    /// How long handlers may go on after the consumer was asked to stop; then they are aborted, and their
    /// messages come again. Zero aborts at once. Default: 30 seconds.
    pub fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.config.drain_deadline = deadline;
        self
    }

    /// How many messages may start in a second, in the long run: a peak becomes a steady flow, and the rest of it waits
    /// in the queue. Each attempt counts; one that waits here holds no slot of
    /// [`concurrency`](Self::concurrency). The limit is this consumer's own: several members of a group have it each.
    /// Default: no limit; 1 to 1,000,000.
    ///
    /// What is received ahead waits for the limit too. Where that takes longer than the lease allows it is given back,
    /// so a low limit wants a small [`prefetch`](Self::prefetch).
    pub fn rate_limit(mut self, per_second: u32) -> Self {
        self.per_second = Some(per_second);
        self
    }

    /// How many messages may start at once after a quiet time, within the
    /// [`rate_limit`](Self::rate_limit). Default: a twentieth of what the limit allows in a second, at least 1. From a
    /// hundredth of that, rounded up (less could not keep the rate, because timers are a little late), to 1,000,000.
    pub fn rate_burst(mut self, messages: u32) -> Self {
        self.burst = Some(messages);
        self
    }

    /// How often and how soon a failed message is tried again. Default: [`RetryPolicy::DEFAULT`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.config.retry = policy;
        self
    }

    /// Another policy for the messages of one topic.
    pub fn topic_retry(mut self, topic: impl Into<Arc<str>>, policy: RetryPolicy) -> Self {
        self.config.topic_retries.insert(topic.into(), policy);
        self
    }

    /// The consumer, its settings checked.
    ///
    /// # Errors
    /// The first setting that can't be, by name and with its value.
    pub fn build(self) -> Result<Consumer, ConsumerError> {
        let mut config = self.config;
        if config.concurrency == 0 || config.concurrency > MAX_CONCURRENCY {
            return Err(ConsumerError::Concurrency {
                messages: config.concurrency,
            });
        }
        if let Handling::Batch(_) = self.handling {
            config.batch_messages = self.batch_messages.unwrap_or(DEFAULT_BATCH);
            config.batch_wait = self.batch_wait.unwrap_or(Duration::ZERO).min(MAX_BATCH_WAIT);
        } else if self.batch_messages.is_some() || self.batch_wait.is_some() {
            return Err(ConsumerError::NoBatches);
        }
        if config.batch_messages == 0 || config.batch_messages > MAX_BATCH {
            return Err(ConsumerError::BatchMessages {
                messages: config.batch_messages,
            });
        }
        let batched = config.concurrency * config.batch_messages;
        if batched > MAX_BATCHED {
            return Err(ConsumerError::Batched {
                batches: config.concurrency,
                messages: config.batch_messages,
            });
        }
        config.prefetch = self.prefetch.unwrap_or(batched.min(MAX_CONCURRENCY));
        if config.prefetch > MAX_CONCURRENCY {
            return Err(ConsumerError::Prefetch {
                messages: config.prefetch,
            });
        }
        if config.prefetch_bytes == 0 {
            return Err(ConsumerError::PrefetchBytes);
        }
        config.rate = checked_rate(self.per_second, self.burst)?;
        if config.handler_timeout.is_zero() {
            return Err(ConsumerError::HandlerTimeoutZero);
        }
        if let Some(lease) = self.subscriber.lease()
            && config.handler_timeout >= lease
        {
            return Err(ConsumerError::HandlerTimeoutNotBelowLease {
                handler_timeout: config.handler_timeout,
                lease,
            });
        }
        let topics = config
            .topic_retries
            .iter()
            .map(|(topic, policy)| (Some(topic), policy));
        for (topic, policy) in std::iter::once((None, &config.retry)).chain(topics) {
            if policy.when_spent() != WhenSpent::Skip {
                return Err(ConsumerError::WhenSpent {
                    topic: topic.map(ToString::to_string),
                    when_spent: policy.when_spent(),
                });
            }
        }
        Ok(Consumer {
            subscriber: self.subscriber,
            handling: self.handling,
            config: Arc::new(config),
        })
    }
}

fn checked_rate(per_second: Option<u32>, burst: Option<u32>) -> Result<Option<Rate>, ConsumerError> {
    let Some(per_second) = per_second else {
        return match burst {
            Some(_) => Err(ConsumerError::RateBurstWithoutLimit),
            None => Ok(None),
        };
    };
    let limit = NonZeroU32::new(per_second).filter(|limit| limit.get() <= rate::MAX_PER_SECOND);
    let Some(limit) = limit else {
        return Err(ConsumerError::RateLimit { per_second });
    };
    let least = rate::least_burst(per_second);
    let messages = burst.unwrap_or_else(|| rate::default_burst(per_second));
    match NonZeroU32::new(messages).filter(|_| (least..=rate::MAX_PER_SECOND).contains(&messages)) {
        Some(burst) => Ok(Some(Rate {
            per_second: limit,
            burst,
        })),
        None => Err(ConsumerError::RateBurst { messages, least }),
    }
}
