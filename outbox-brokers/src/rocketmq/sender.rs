//! Sends messages to queues, one request for those of each.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use outbox_core::PublishError;

use super::cluster::{Cluster, Queue, said_text};
use super::code::{ask, said};
use super::connect::Settings;
use super::fields;
use super::frame::Command;
use super::record::{self, Properties};
use super::topics::DEFAULT_TOPIC;

/// Who sends what is no half message.
const PRODUCERS: &str = "outbox";
/// The bit of a message's flag that says that it is prepared, and not committed.
const PREPARED: i32 = 1 << 2;

/// A message, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) properties: Properties,
    pub(super) body: Bytes,
    /// It comes later, or is a half message: the server takes those one by one.
    pub(super) alone: bool,
}

impl Letter {
    pub(super) fn bytes(&self) -> usize {
        record::batched_bytes(&self.properties, &self.body)
    }

    /// That it is not larger than is taken.
    pub(super) fn check(&self, settings: &Settings) -> Result<(), PublishError> {
        let (bytes, max) = (self.bytes(), settings.max_message_bytes);
        match bytes <= max {
            true => Ok(()),
            false => Err(PublishError::invalid(format!(
                "the message has {bytes} bytes with its headers, and {max} are taken at most (max_message_bytes)"
            ))),
        }
    }
}

/// Sends them to a queue in their order: all or none is there then. The answer to the last one.
pub(super) async fn send(
    cluster: &Cluster,
    topic: &str,
    queue: &Queue,
    letters: &[Letter],
) -> Result<Command, PublishError> {
    let command = match letters {
        [letter] => header(
            ask::SEND,
            topic,
            queue,
            letter.properties.as_str(),
            false,
            0,
            PRODUCERS,
        )
        .body(letter.body.clone()),
        letters => {
            let mut batch = BytesMut::with_capacity(letters.iter().map(Letter::bytes).sum());
            for letter in letters {
                record::put_batched(&mut batch, &letter.properties, &letter.body);
            }
            header(ask::SEND_BATCH, topic, queue, "", true, 0, PRODUCERS).body(batch)
        }
    };
    ask(cluster, topic, queue, command).await
}

/// Sends a half message. The answer says by which it is committed.
pub(super) async fn prepare(
    cluster: &Cluster,
    topic: &str,
    queue: &Queue,
    letter: &Letter,
    producers: &str,
) -> Result<Command, PublishError> {
    let properties = letter.properties.as_str();
    let command = header(ask::SEND, topic, queue, properties, false, PREPARED, producers);
    ask(cluster, topic, queue, command.body(letter.body.clone())).await
}

fn header(
    code: i32,
    topic: &str,
    queue: &Queue,
    properties: &str,
    batch: bool,
    flag: i32,
    producers: &str,
) -> Command {
    // One letter for each field, as `SendMessageRequestHeaderV2` has them.
    Command::new(code)
        .with("a", producers)
        .with("b", topic)
        .with("c", DEFAULT_TOPIC)
        .with("d", 8)
        .with("e", queue.id)
        .with("f", flag)
        .with("g", fields::millis(SystemTime::now()))
        .with("h", 0)
        .with("i", properties)
        .with("j", 0)
        .with("k", false)
        .with("m", batch)
        .with("n", &queue.broker)
}

async fn ask(
    cluster: &Cluster,
    topic: &str,
    queue: &Queue,
    command: Command,
) -> Result<Command, PublishError> {
    let broker = &queue.broker;
    let away =
        |error| PublishError::unavailable(format!("the broker {broker} is away: {error}")).with_source(error);
    let answer = cluster.ask(broker, command).await.map_err(away)?;
    let text = said_text(&answer);
    match answer.code {
        said::OK => Ok(answer),
        said::MESSAGE_ILLEGAL => Err(PublishError::invalid(format!(
            "the broker {broker} will not take it: {text}"
        ))),
        said::TOPIC_NOT_EXIST => Err(PublishError::unavailable(format!(
            "there is no topic {topic} at the broker {broker}: {text}"
        ))),
        said::NO_PERMISSION => Err(PublishError::unavailable(format!(
            "the topic {topic} may not be written to at the broker {broker}: {text}"
        ))),
        // Among them that it is written, and not down on the disk or not with a replica.
        _ => Err(PublishError::unavailable(format!(
            "the broker {broker} did not take it for {topic}: {text}"
        ))),
    }
}
