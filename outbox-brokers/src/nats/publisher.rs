use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::jetstream::context::{PublishAckFuture, PublishError as NatsPublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{Context, ErrorCode};
use async_trait::async_trait;
use futures_util::future::join_all;
use outbox_core::{Capabilities, Message, PublishError, Publisher};

use super::connect::Settings;
use super::{headers, names};
use crate::placement;

/// Most messages of one `publish`: as many as the client lets wait for their acks.
const MAX_BATCH: usize = 1_000;
/// Calls at the same time: one on its way, one whose acks are awaited.
const MAX_IN_FLIGHT: usize = 4;
/// What of the server's largest message is left for our headers, and for what a dead letter has besides them: its error above all.
const OVERHEAD: usize = 4_096;

/// What the server says of a message that it will never take.
const TOO_LARGE: [ErrorCode; 2] = [
    ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM,
    ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM,
];
/// What it says when it has no room for one.
const NO_ROOM: [ErrorCode; 5] = [
    ErrorCode::STREAM_STORE_FAILED,
    ErrorCode::STORAGE_RESOURCES_EXCEEDED,
    ErrorCode::MEMORY_RESOURCES_EXCEEDED,
    ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
    ErrorCode::INSUFFICIENT_RESOURCES,
];

/// Publishes to a [`Nats`](super::Nats): all of a batch at once, and then waits for each ack. Clones share the connection.
#[derive(Clone)]
pub struct NatsPublisher {
    context: Context,
    settings: Arc<Settings>,
    full: Arc<Mutex<Full>>,
}

/// Whether the stream has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    No,
    /// It has just refused something.
    Yes,
    /// It had so many bytes after it had refused something.
    At(u64),
}

impl NatsPublisher {
    pub(super) fn new(context: Context, settings: Arc<Settings>) -> Self {
        Self {
            context,
            settings,
            full: Arc::new(Mutex::new(Full::No)),
        }
    }

    fn full(&self) -> MutexGuard<'_, Full> {
        // Nothing panics while it is held.
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subject(&self, message: &Message) -> Result<String, PublishError> {
        names::check_topic(message.topic()).map_err(PublishError::invalid)?;
        let queue = placement::queue(message, self.settings.queues);
        Ok(names::subject(&self.settings.prefix, message.topic(), queue))
    }

    /// Sends one, and returns what its ack is to come by.
    async fn send(&self, message: &Message) -> Result<PublishAckFuture, PublishError> {
        let subject = self.subject(message)?;
        let max = self.context.client().max_payload();
        let bytes = message.payload().len() + message.headers().bytes() + OVERHEAD;
        if bytes > max {
            return Err(PublishError::invalid(format!(
                "the message has {bytes} bytes with all headers, and the server takes {max} at most (max_payload)"
            )));
        }
        let headers = headers::of(message, &self.settings.mapping, &message.id().to_string())?;
        let publish = PublishMessage::build()
            .payload(message.payload().clone())
            .headers(headers);
        self.context
            .send_publish(subject, publish)
            .await
            .map_err(|error| self.explain(error))
    }

    fn explain(&self, error: NatsPublishError) -> PublishError {
        let (stream, prefix) = (&self.settings.stream, &self.settings.prefix);
        match error.kind() {
            PublishErrorKind::StreamNotFound => PublishError::unavailable(format!(
                "no stream takes the subjects {prefix}.>: the stream {stream} was removed, or its subjects were changed"
            )),
            PublishErrorKind::MaxPayloadExceeded => {
                PublishError::invalid("the message is larger than the server takes (max_payload)")
            }
            PublishErrorKind::TimedOut => PublishError::unavailable(format!(
                "the server did not acknowledge it within {:?}",
                self.settings.timeout
            )),
            _ if code(&error).is_some_and(|code| TOO_LARGE.contains(&code)) => {
                PublishError::invalid(format!("the message is larger than the stream {stream} takes"))
            }
            _ if code(&error).is_some_and(|code| NO_ROOM.contains(&code)) => {
                *self.full() = Full::Yes;
                PublishError::unavailable(format!("the stream {stream} has no room for it: {error}"))
            }
            _ => PublishError::unavailable(format!("the stream {stream} did not take it: {error}")),
        }
        .with_source(error)
    }
}

/// The server's own code of an error, where it gave one.
fn code(error: &NatsPublishError) -> Option<ErrorCode> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<async_nats::jetstream::Error>() {
            return Some(error.error_code());
        }
        cause = error.source();
    }
    None
}

#[async_trait]
impl Publisher for NatsPublisher {
    fn name(&self) -> &str {
        "nats"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_max_batch(MAX_BATCH)
            .with_max_in_flight(MAX_IN_FLIGHT)
            .with_ordered_retry(true)
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        // In their order, without waiting for any; then all acks.
        let mut sent = Vec::with_capacity(batch.len());
        let send_all = async {
            for message in batch {
                let ack = self.send(message).await;
                let gone = ack
                    .as_ref()
                    .is_err_and(|error| error.kind() == outbox_core::PublishErrorKind::Unavailable);
                sent.push(ack);
                if gone {
                    break;
                }
            }
        };
        // A connection that takes nothing any more.
        let _ = tokio::time::timeout(self.settings.timeout, send_all).await;
        let mut answers = join_all(sent.into_iter().map(async |ack| match ack?.await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explain(error)),
        }))
        .await;
        // After one that could not even be sent, the others were not tried.
        while answers.len() < batch.len() {
            answers.push(Err(PublishError::unavailable(
                "it was not sent: the connection is away",
            )));
        }
        answers
    }

    async fn probe(&self) -> Result<(), PublishError> {
        let stream = &self.settings.stream;
        let found = self.context.get_stream(stream).await.map_err(|error| {
            PublishError::unavailable(format!("the stream {stream} can't be looked at: {error}"))
                .with_source(error)
        })?;
        // A message that found no room would find none again, and be taken for the one that is at fault.
        let bytes = found.cached_info().state.bytes;
        let mut full = self.full();
        *full = match *full {
            Full::Yes => Full::At(bytes),
            Full::At(before) if bytes < before => Full::No,
            other => other,
        };
        match *full {
            Full::No => Ok(()),
            _ => Err(PublishError::unavailable(format!(
                "the stream {stream} has no room: it has {bytes} bytes"
            ))),
        }
    }
}

impl std::fmt::Debug for NatsPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsPublisher")
            .field("stream", &self.settings.stream)
            .finish_non_exhaustive()
    }
}
