use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{HeaderMap, PublishErrorKind as ClientErrorKind};
use async_trait::async_trait;
use outbox_core::{Capabilities, Message, PublishError, Publisher};

use super::acks::{Acks, NotTaken};
use super::connect::Settings;
use super::{headers, names};
use crate::placement;

/// Most messages of one `publish`.
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

    /// Where a message goes and what says the rest of it, if it can be sent.
    fn prepare(&self, message: &Message, max: usize) -> Result<(String, HeaderMap), PublishError> {
        let subject = self.subject(message)?;
        let bytes = message.payload().len() + message.headers().bytes() + OVERHEAD;
        if bytes > max {
            return Err(PublishError::invalid(format!(
                "the message has {bytes} bytes with all headers, and the server takes {max} at most (max_payload)"
            )));
        }
        let headers = headers::of(message, &self.settings.mapping, &message.id().to_string())?;
        Ok((subject, headers))
    }

    /// Sends what can be sent of a batch, in its order and without waiting for any, and writes down what becomes of it. Dropped at any
    /// time, the rest has no answer.
    async fn send(&self, batch: &[Message], answers: &mut [Option<Result<(), PublishError>>]) {
        let client = self.context.client();
        let max = client.max_payload();
        let mut connected = self.settings.connected.clone();
        connected.mark_unchanged();
        let mut acks = match Acks::open(client).await {
            Ok(acks) => acks,
            Err(error) => {
                // The others have the same.
                if let Some(first) = answers.first_mut() {
                    *first = Some(Err(self.explain(error)));
                }
                return;
            }
        };
        for (at, message) in batch.iter().enumerate() {
            match self.prepare(message, max) {
                Err(error) => answers[at] = Some(Err(error)),
                Ok((subject, headers)) => {
                    let sent = acks.send(at, subject, headers, message.payload().clone()).await;
                    if let Err(error) = sent {
                        let error = self.explain(error);
                        let gone = error.kind() == outbox_core::PublishErrorKind::Unavailable;
                        answers[at] = Some(Err(error));
                        if gone {
                            break;
                        }
                    }
                }
            }
        }
        loop {
            let answered = tokio::select! {
                answered = acks.next() => answered,
                // What was sent over the last connection is answered there or not at all.
                _ = connected.changed() => return,
            };
            let Some((at, answer)) = answered else { return };
            if let Some(place) = answers.get_mut(at) {
                *place = Some(answer.map_err(|error| self.explain(error)));
            }
        }
    }

    fn explain(&self, error: NotTaken) -> PublishError {
        let (stream, prefix) = (&self.settings.stream, &self.settings.prefix);
        match &error {
            NotTaken::NoStream => PublishError::unavailable(format!(
                "no stream takes the subjects {prefix}.>: the stream {stream} was removed, or its subjects were changed"
            )),
            NotTaken::Send(sent) if sent.kind() == ClientErrorKind::MaxPayloadExceeded => {
                PublishError::invalid("the message is larger than the server takes (max_payload)")
            }
            error if error.code().is_some_and(|code| TOO_LARGE.contains(&code)) => {
                PublishError::invalid(format!("the message is larger than the stream {stream} takes"))
            }
            error if error.code().is_some_and(|code| NO_ROOM.contains(&code)) => {
                *self.full() = Full::Yes;
                PublishError::unavailable(format!("the stream {stream} has no room for it: {error}"))
            }
            error => PublishError::unavailable(format!("the stream {stream} did not take it: {error}")),
        }
        .with_source(error)
    }
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
        let timeout = self.settings.timeout;
        let mut answers = vec![None; batch.len()];
        let lost = match tokio::time::timeout(timeout, self.send(batch, &mut answers)).await {
            Ok(()) => PublishError::unavailable("it was not answered: the connection is away"),
            Err(_) => {
                PublishError::unavailable(format!("the server did not acknowledge it within {timeout:?}"))
            }
        };
        let answers = answers.into_iter();
        answers
            .map(|answer| answer.unwrap_or_else(|| Err(lost.clone())))
            .collect()
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
