use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use async_trait::async_trait;
use futures_util::future::join_all;
use outbox_core::{Capabilities, Limits, Message, MessageId, PublishError, Publisher};
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
/// Calls at the same time: what waits for the disk at the server, and as many on their way meanwhile.
const MAX_IN_FLIGHT: usize = 8;

/// Publishes to a [`RedisStreams`](super::RedisStreams): one script for the messages of each queue, all on their way at once.
#[derive(Clone)]
pub struct RedisStreamsPublisher {
    /// One for each call at the same time: of a connection the server reads 16 KiB, then answers, and before it does it waits for the
    /// disk (`appendfsync always`), once for all connections.
    links: Arc<[Link; MAX_IN_FLIGHT]>,
    calls: Arc<AtomicUsize>,
    settings: Arc<Settings>,
    /// When each stream was looked after last.
    known: Arc<Mutex<BTreeMap<String, Instant>>>,
    /// The queue that was full, the last time that one was.
    full: Arc<Mutex<Option<String>>>,
}

/// The messages of one queue, and where in the batch each was.
struct Part {
    queue: Queue,
    messages: Vec<(usize, MessageId, Words)>,
}

impl RedisStreamsPublisher {
    pub(super) fn new(link: &Link, settings: Arc<Settings>) -> Self {
        Self {
            links: Arc::new(link.siblings()),
            calls: Arc::default(),
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

    /// Whose turn it is.
    fn link(&self) -> &Link {
        &self.links[self.calls.fetch_add(1, Relaxed) % MAX_IN_FLIGHT]
    }

    async fn append(&self, link: &Link, part: &Part) -> Result<Vec<i64>, PublishError> {
        let settings = &self.settings;
        let (queue, topic) = (&part.queue, &part.queue.topic);
        let answers = link
            .run(&scripts::APPEND, |call| {
                call.key(queue.stream());
                for ids in queue.ids() {
                    call.key(ids);
                }
                call.arg(ms(settings.window)).arg(settings.max_length);
                call.arg(keys::channel(&settings.prefix, topic)).arg(queue.number);
                call.arg(part.messages.len());
                for (_, id, _) in &part.messages {
                    call.arg(id.0.as_bytes());
                }
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
    async fn look_after(&self, link: &Link, part: &Part) {
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
            true => super::note_topic(link, &self.settings, &part.queue.topic).await,
            false => super::trim(link, &self.settings, &part.queue).await,
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
    async fn replicated(&self, link: &Link, number: Option<u64>) -> Result<(), PublishError> {
        let (wanted, timeout) = (self.settings.replicas, self.settings.timeout);
        let Some(number) = number else {
            return Ok(());
        };
        let mut wait = redis::cmd("WAIT");
        wait.arg(wanted).arg(ms(timeout / 2).max(1));
        match link.query_on::<u32>(number, &wait).await {
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
        let link = self.link();
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
            part.messages.push((at, message.id(), words));
        }
        let parts: Vec<Part> = parts.into_values().collect();
        let number = match self.settings.replicas {
            0 => Ok(None),
            _ => link.number().await.map(Some),
        };
        let appended = join_all(parts.iter().map(|part| self.append(link, part))).await;
        let replicated = match number {
            Ok(number) => self.replicated(link, number).await,
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
        join_all(parts.iter().map(|part| self.look_after(link, part))).await;
        answers
    }

    async fn probe(&self) -> Result<(), PublishError> {
        // A command that writes, so that a replica or a server without memory refuses it; its key is there or it changes nothing.
        let link = self.link();
        let mut command = redis::cmd("SETRANGE");
        command
            .arg(format!("{}:probe", self.settings.prefix))
            .arg(0)
            .arg("");
        link.query::<()>(&command)
            .await
            .map_err(|error| explain("the server", error))?;
        let mut full = self.full.lock().await;
        if let Some(stream) = &*full {
            let mut command = redis::cmd("XLEN");
            command.arg(stream);
            let length = link.query::<u64>(&command).await;
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
