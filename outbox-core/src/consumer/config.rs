use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Consumer;
use super::error::ConsumerError;
use super::handler::Handler;
use super::rate::{self, Rate};
use crate::retry::{RetryPolicy, WhenSpent};
use crate::subscriber::Subscriber;

/// Most messages that one consumer handles at the same time.
pub(super) const MAX_CONCURRENCY: usize = 10_000;
/// Most deliveries that are asked for at once.
pub(super) const MAX_RECEIVE: usize = 256;

/// What a consumer was told, checked.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub(super) concurrency: usize,
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
        self.concurrency + self.prefetch
    }

    pub(super) fn retry(&self, topic: &str) -> &RetryPolicy {
        self.topic_retries.get(topic).unwrap_or(&self.retry)
    }
}

/// Sets up a [`Consumer`]; nothing is received before it runs.
#[must_use = "a builder does nothing until it is built and run"]
pub struct ConsumerBuilder {
    subscriber: Box<dyn Subscriber>,
    handler: Arc<dyn Handler>,
    config: Config,
    prefetch: Option<usize>,
    per_second: Option<u32>,
    burst: Option<u32>,
}

impl ConsumerBuilder {
    pub(super) fn new(subscriber: Box<dyn Subscriber>, handler: Arc<dyn Handler>) -> Self {
        Self {
            subscriber,
            handler,
            config: Config {
                concurrency: 16,
                prefetch: 0,
                prefetch_bytes: 16 * 1024 * 1024,
                handler_timeout: Duration::from_secs(30),
                drain_deadline: Duration::from_secs(30),
                rate: None,
                retry: RetryPolicy::DEFAULT,
                topic_retries: HashMap::new(),
            },
            prefetch: None,
            per_second: None,
            burst: None,
        }
    }

    /// How many messages are handled at the same time, each of another key. Default: 16; 1 to 10,000.
    pub fn concurrency(mut self, messages: usize) -> Self {
        self.config.concurrency = messages;
        self
    }

    /// How many messages are received ahead of those being handled. Default: as many as
    /// [`concurrency`](Self::concurrency).
    pub fn prefetch(mut self, messages: usize) -> Self {
        self.prefetch = Some(messages);
        self
    }

    /// From how many bytes of received messages on ([`Message::weight`](crate::Message::weight)) nothing
    /// more is received until some are finished; one receive of at most 256 messages may go beyond it.
    /// Default: 16 MiB; at least 1.
    pub fn prefetch_bytes(mut self, bytes: usize) -> Self {
        self.config.prefetch_bytes = bytes;
        self
    }

    /// How long a handler may take for one message; then it is dropped, and the message has failed. Must be
    /// shorter than the subscriber's lease. Default: 30 seconds.
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
        config.prefetch = self.prefetch.unwrap_or(config.concurrency);
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
            handler: self.handler,
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
