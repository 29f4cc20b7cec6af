use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::message::Message;

/// What a relay delivers to: a queue, embedded or behind a network.
///
/// An adapter answers for each message on its own. *Success is certain; failure never is*: `Ok` means
/// that the queue has taken the message durably, an error may still have delivered it.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// A short name for metrics and logs, such as `memory` or `nats`.
    fn name(&self) -> &str;

    /// What this publisher can do, as data.
    fn capabilities(&self) -> Capabilities;

    /// Publishes a batch of at most [`Capabilities::max_batch`] messages; the answer has one result per
    /// message, in order. Messages of one key come in order, and more than one of a key only when
    /// [`Capabilities::atomic_batches`] says so.
    ///
    /// The future may be dropped when it takes longer than the relay's publish timeout; the outcome of
    /// the batch is then unknown and it is sent again.
    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>>;

    /// Whether the queue can be reached and takes messages. Called while the breaker is open, to learn
    /// whether an error was the queue's fault or the message's.
    async fn probe(&self) -> Result<(), PublishError>;
}

#[async_trait]
impl<P: Publisher + ?Sized> Publisher for Arc<P> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        (**self).publish(batch).await
    }

    async fn probe(&self) -> Result<(), PublishError> {
        (**self).probe().await
    }
}

/// What a queue can and can't do, as data that the conformance suite checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Most messages of one `publish`. Default: 1,000.
    pub max_batch: usize,
    /// Most `publish` calls at the same time. Default: 1.
    pub max_in_flight: usize,
    /// A batch is appended as a whole or not at all, in its order, so that several messages of one key
    /// may go in one batch. Default: false.
    pub atomic_batches: bool,
    /// A message that is retried keeps its place before later ones of its key. Default: false.
    pub ordered_retry: bool,
    /// The longest delay the queue itself can keep. Default: none at all.
    pub max_delay: Option<Duration>,
}

impl Capabilities {
    /// The defaults named at each field.
    pub const fn new() -> Self {
        Self {
            max_batch: 1_000,
            max_in_flight: 1,
            atomic_batches: false,
            ordered_retry: false,
            max_delay: None,
        }
    }

    /// Sets [`Capabilities::max_batch`]; 0 counts as 1.
    #[must_use]
    pub const fn with_max_batch(mut self, messages: usize) -> Self {
        self.max_batch = if messages == 0 { 1 } else { messages };
        self
    }

    /// Sets [`Capabilities::max_in_flight`]; 0 counts as 1.
    #[must_use]
    pub const fn with_max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = if calls == 0 { 1 } else { calls };
        self
    }

    /// Sets [`Capabilities::atomic_batches`].
    #[must_use]
    pub const fn with_atomic_batches(mut self, yes: bool) -> Self {
        self.atomic_batches = yes;
        self
    }

    /// Sets [`Capabilities::ordered_retry`].
    #[must_use]
    pub const fn with_ordered_retry(mut self, yes: bool) -> Self {
        self.ordered_retry = yes;
        self
    }

    /// Sets [`Capabilities::max_delay`].
    #[must_use]
    pub const fn with_max_delay(mut self, delay: Option<Duration>) -> Self {
        self.max_delay = delay;
        self
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::new()
    }
}

/// Whose fault a failed publish is. Decides whether it costs the message an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PublishErrorKind {
    /// The queue refused this message, and may take it later: one attempt is spent.
    Refused,
    /// The queue will never take this message (too large, malformed): spent at once.
    Invalid,
    /// The queue did not answer or is not there: no attempt is spent, the breaker opens.
    Unavailable,
}

impl PublishErrorKind {
    /// The kind as a label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Why a message was not published. Clones share the cause, because one lost connection fails a batch.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct PublishError {
    kind: PublishErrorKind,
    message: Arc<str>,
    #[source]
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl PublishError {
    /// An error of the given kind. The text is stored with the message and shown to operators: it must
    /// not hold the payload.
    pub fn new(kind: PublishErrorKind, message: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// The queue refused this message, and may take it later.
    pub fn refused(message: impl Into<Arc<str>>) -> Self {
        Self::new(PublishErrorKind::Refused, message)
    }

    /// The queue will never take this message.
    pub fn invalid(message: impl Into<Arc<str>>) -> Self {
        Self::new(PublishErrorKind::Invalid, message)
    }

    /// The queue is not there.
    pub fn unavailable(message: impl Into<Arc<str>>) -> Self {
        Self::new(PublishErrorKind::Unavailable, message)
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Whose fault it is.
    pub fn kind(&self) -> PublishErrorKind {
        self.kind
    }
}

/// Object safety is part of the contract: a publisher is chosen at run time.
fn _obj_safe(_: &dyn Publisher) {}
