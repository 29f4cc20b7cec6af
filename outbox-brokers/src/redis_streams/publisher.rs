use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use outbox_core::{Capabilities, Limits, Message, PublishError, Publisher};
use redis::{ErrorKind, RedisError, ServerErrorKind};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::connect::Settings;
use super::fields::{self, Words};
use super::keys::{self, Queue};
use super::link::Link;
use super::{TRIM_EVERY, scripts};
use crate::placement;

/// Most messages of one `publish`. More would keep the server from others for too long.
const MAX_BATCH: usize = 500;
/// Calls at the same time: one on its way, one that is answered.
const MAX_IN_FLIGHT: usize = 4;

/// Publishes to a [`RedisStreams`](super::RedisStreams): one script for the messages of each queue, all on their way at once.
#[derive(Clone)]
pub struct RedisStreamsPublisher {
    link: Link,
    settings: Arc<Settings>,
    /// When each stream was looked after last.
    known: Arc<Mutex<BTreeMap<String, Instant>>>,
    /// The queue that was full, the last time that one was.
    full: Arc<Mutex<Option<String>>>,
}

/// The messages of one queue, and where in the batch each was.
struct Part {
    queue: Queue,
    messages: Vec<(usize, String, Words)>,
}

impl RedisStreamsPublisher {
    pub(super) fn new(link: Link, settings: Arc<Settings>) -> Self {
        Self {
            link,
            settings,
            known: Arc::default(),
            full: Arc::default(),
        }
    }

    /// The words of a message, if it can be sent.
    fn words(&self, message: &Message) -> Result<Words, PublishError> {
        Limits::check_topic(message.topic()).map_err(|error| PublishError::invalid(error.to_string()))?;
        let max = self.settings.max_message_bytes;
        let bytes = message.payload().len() + message.headers().bytes();
        if bytes > max {
            return Err(PublishError::invalid(format!(
                "the message has {bytes} bytes with its headers, and {max} are taken at most (max_message_bytes)"
            )));
        }
        fields::words(message, &self.settings.mapping)
    }

    async fn append(&self, part: &Part) -> Result<Vec<i64>, PublishError> {
        let settings = &self.settings;
        let (queue, topic) = (&part.queue, &part.queue.topic);
        let answers = self
            .link
            .run(&scripts::APPEND, |call| {
                call.key(queue.stream());
                for (_, seen, _) in &part.messages {
                    call.key(seen);
                }
                call.arg(ms(settings.window)).arg(settings.max_length);
                call.arg(keys::channel(&settings.prefix, topic)).arg(queue.number);
                for (_, _, words) in &part.messages {
                    call.arg(words.len());
                    for word in words {
                        call.arg(word.as_slice());
                    }
                }
            })
            .await;
        answers.map_err(|error| explain(queue.stream(), error))
    }

    /// Notes new topics, and has old messages removed now and then.
    async fn look_after(&self, part: &Part) {
        let (stream, now) = (part.queue.stream(), Instant::now());
        let is_new = {
            let mut known = self.known.lock().await;
            let last = known.get(stream).copied();
            if last.is_some_and(|last| now - last < TRIM_EVERY) {
                return;
            }
            known.insert(stream.to_owned(), now);
            last.is_none()
        };
        let noted = match is_new {
            true => super::note_topic(&self.link, &self.settings, &part.queue.topic).await,
            false => super::trim(&self.link, &self.settings, &part.queue).await,
        };
        if let Err(error) = noted {
            tracing::debug!(%error, "looking after a stream failed");
            self.known.lock().await.remove(stream);
        }
    }

    fn is_full(&self, stream: &str) -> PublishError {
        let max = self.settings.max_length;
        PublishError::unavailable(format!("{stream} is full: it has {max} messages (max_length)"))
    }

    /// Waits until the replicas have what was appended over this connection.
    async fn replicated(&self, number: Option<u64>) -> Result<(), PublishError> {
        let (wanted, timeout) = (self.settings.replicas, self.settings.timeout);
        let Some(number) = number else {
            return Ok(());
        };
        let mut wait = redis::cmd("WAIT");
        wait.arg(wanted).arg(ms(timeout / 2).max(1));
        match self.link.query_on::<u32>(number, &wait).await {
            Ok(have) if have >= wanted => Ok(()),
            Ok(have) => Err(PublishError::unavailable(format!(
                "{have} of {wanted} replicas have taken it"
            ))),
            Err(error) => Err(explain("the replicas", error)),
        }
    }
}

/// Whole milliseconds, never less than it is.
pub(super) fn ms(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn explain(key: &str, error: RedisError) -> PublishError {
    let text = match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly) => {
            format!("{key}: this server is a replica, and takes nothing: {error}")
        }
        _ if error.code() == Some("OOM") => format!("{key}: the server has no memory left for it: {error}"),
        _ if error.code() == Some("WRONGTYPE") => {
            format!("{key} is no stream: something else uses this key, or another prefix is needed")
        }
        _ => format!("{key} did not take it: {error}"),
    };
    PublishError::unavailable(text).with_source(error)
}

#[async_trait]
impl Publisher for RedisStreamsPublisher {
    fn name(&self) -> &str {
        "redis"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_max_batch(MAX_BATCH)
            .with_max_in_flight(MAX_IN_FLIGHT)
            .with_ordered_retry(true)
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        let mut answers: Vec<Result<(), PublishError>> = vec![Ok(()); batch.len()];
        let mut parts: BTreeMap<(&str, u32), Part> = BTreeMap::new();
        for (at, message) in batch.iter().enumerate() {
            let words = match self.words(message) {
                Ok(words) => words,
                Err(error) => {
                    answers[at] = Err(error);
                    continue;
                }
            };
            let number = placement::queue(message, self.settings.queues);
            let part = parts.entry((message.topic(), number)).or_insert_with(|| Part {
                queue: Queue::new(&self.settings.prefix, message.topic(), number),
                messages: Vec::new(),
            });
            let seen = part.queue.seen(message.id());
            part.messages.push((at, seen, words));
        }
        let parts: Vec<Part> = parts.into_values().collect();
        let number = match self.settings.replicas {
            0 => Ok(None),
            _ => self.link.number().await.map(Some),
        };
        let appended = join_all(parts.iter().map(|part| self.append(part))).await;
        let replicated = match number {
            Ok(number) => self.replicated(number).await,
            Err(error) => Err(explain("the server", error)),
        };
        for (part, appended) in parts.iter().zip(appended) {
            for (n, (at, _, _)) in part.messages.iter().enumerate() {
                answers[*at] = match &appended {
                    Ok(said) if said.get(n).is_some_and(|said| *said >= 0) => replicated.clone(),
                    Ok(_) => {
                        *self.full.lock().await = Some(part.queue.stream().to_owned());
                        Err(self.is_full(part.queue.stream()))
                    }
                    Err(error) => Err(error.clone()),
                };
            }
        }
        join_all(parts.iter().map(|part| self.look_after(part))).await;
        answers
    }

    async fn probe(&self) -> Result<(), PublishError> {
        // A command that writes, so that a replica or a server without memory refuses it; its key is there or it changes nothing.
        let mut command = redis::cmd("SETRANGE");
        command
            .arg(format!("{}:probe", self.settings.prefix))
            .arg(0)
            .arg("");
        self.link
            .query::<()>(&command)
            .await
            .map_err(|error| explain("the server", error))?;
        let mut full = self.full.lock().await;
        if let Some(stream) = &*full {
            let mut command = redis::cmd("XLEN");
            command.arg(stream);
            let length = self.link.query::<u64>(&command).await;
            if length.map_err(|error| explain(stream, error))? >= self.settings.max_length {
                return Err(self.is_full(stream));
            }
            *full = None;
        }
        Ok(())
    }
}

impl std::fmt::Debug for RedisStreamsPublisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStreamsPublisher")
            .field("prefix", &self.settings.prefix)
            .finish_non_exhaustive()
    }
}
