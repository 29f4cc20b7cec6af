//! The exchanges and queues that messages go through, as they are made or looked for.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ErrorKind, ExchangeKind};
use outbox_core::MessageId;

use super::connect::Settings;
use super::link::no_answer;
use super::names;
use crate::error::BrokerError;

/// The server's codes for what is not there, and for what is there and is another one.
const NOT_FOUND: u16 = 404;
const PRECONDITION_FAILED: u16 = 406;

/// Whether attempts are spent is the consumer's to decide, so the server must not: newer ones give up after 20 deliveries. This is
/// more than it counts to.
const DELIVERY_LIMIT: i64 = 1 << 30;

/// After so many milliseconds a queue that was only made for a moment goes by itself.
const MOMENT: i64 = 60_000;

/// The queue of a group that one lane receives from.
#[derive(Debug, Clone)]
pub(super) struct GroupQueue {
    pub(super) group: String,
    pub(super) topic: String,
    /// Which of the topic's; `None`: all of them.
    pub(super) queue: Option<u32>,
}

impl GroupQueue {
    pub(super) fn name(&self, settings: &Settings) -> String {
        names::queue(&settings.prefix, &self.group, &self.topic, self.queue)
    }
}

/// The exchange of a topic, made where it is not there, or at least looked for.
pub(super) async fn topic(channel: &Channel, settings: &Settings, topic: &str) -> Result<(), BrokerError> {
    exchange(channel, settings, &names::exchange(&settings.prefix, topic)).await
}

/// What dead letters of a group go through.
pub(super) async fn dead(channel: &Channel, settings: &Settings, group: &str) -> Result<(), BrokerError> {
    let (exchange_name, key) = (names::dead_exchange(&settings.prefix), names::dead_key(group));
    exchange(channel, settings, &exchange_name).await?;
    let name = names::dead_queue(&settings.prefix, group);
    queue(channel, settings, &name, quorum(settings)).await?;
    bind(channel, settings, &name, &exchange_name, &key).await
}

/// The queue of a group, which has what is published from now on.
pub(super) async fn group(
    channel: &Channel,
    settings: &Settings,
    of: &GroupQueue,
) -> Result<(), BrokerError> {
    let (name, exchange) = (of.name(settings), names::exchange(&settings.prefix, &of.topic));
    let mut arguments = quorum(settings);
    // What the server itself gives up is not lost.
    dead_letters_to(
        &mut arguments,
        &names::dead_exchange(&settings.prefix),
        &names::dead_key(&of.group),
    );
    if of.queue.is_some() {
        set(
            &mut arguments,
            "x-single-active-consumer",
            AMQPValue::Boolean(true),
        );
    }
    if let Some(bytes) = settings.max_queue_bytes {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        set(
            &mut arguments,
            "x-max-length-bytes",
            AMQPValue::LongLongInt(bytes),
        );
    }
    queue(channel, settings, &name, arguments).await?;
    let keys = match of.queue {
        Some(queue) => queue..queue + 1,
        None => 0..settings.queues,
    };
    for key in keys {
        bind(channel, settings, &name, &exchange, &names::routing_key(key)).await?;
    }
    Ok(())
}

/// What the queue is called from which messages go to a group's queue after a time.
pub(super) fn delay_name(settings: &Settings, of: &GroupQueue, delay: Duration) -> String {
    let milliseconds = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    names::delay(&settings.prefix, &of.group, &of.topic, milliseconds)
}

/// That queue. It is never removed: a queue that expires takes its messages along.
pub(super) async fn delay(
    channel: &Channel,
    settings: &Settings,
    of: &GroupQueue,
    delay: Duration,
) -> Result<(), BrokerError> {
    let mut arguments = quorum(settings);
    // The exchange without a name takes the queue's name for the key.
    dead_letters_to(&mut arguments, "", &of.name(settings));
    let ttl = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    set(&mut arguments, "x-message-ttl", AMQPValue::LongLongInt(ttl));
    // Made in any case: nobody else knows which are needed.
    declare(channel, settings, &delay_name(settings, of, delay), arguments).await?;
    settle(channel, settings).await
}

/// Makes the server write down which queues it has.
///
/// RabbitMQ 3.10 writes down that it has a quorum queue when it makes the next one. One that is killed before that has forgotten
/// the last: the queue is listed, and never has a leader again. So there is a next one, for a moment.
pub(super) async fn settle(channel: &Channel, settings: &Settings) -> Result<(), BrokerError> {
    let name = names::moment(&settings.prefix, &MessageId::new().to_string());
    let mut arguments = quorum(settings);
    set(&mut arguments, "x-expires", AMQPValue::LongLongInt(MOMENT));
    declare(channel, settings, &name, arguments).await?;
    let delete = channel.queue_delete(short(&name)?, QueueDeleteOptions::default());
    answered(settings, "removing a queue", delete).await?;
    Ok(())
}

/// Replicated, and never lost by a restart.
fn quorum(settings: &Settings) -> FieldTable {
    let mut arguments = FieldTable::default();
    set(&mut arguments, "x-queue-type", text("quorum"));
    set(
        &mut arguments,
        "x-delivery-limit",
        AMQPValue::LongLongInt(DELIVERY_LIMIT),
    );
    // A full queue refuses, and does not throw away what it has taken.
    set(&mut arguments, "x-overflow", text("reject-publish"));
    if let Some(replicas) = settings.replicas {
        let replicas = i64::from(replicas);
        set(
            &mut arguments,
            "x-quorum-initial-group-size",
            AMQPValue::LongLongInt(replicas),
        );
    }
    arguments
}

/// Gone from a queue only when it has arrived in the other one.
fn dead_letters_to(arguments: &mut FieldTable, exchange: &str, key: &str) {
    set(arguments, "x-dead-letter-exchange", text(exchange));
    set(arguments, "x-dead-letter-routing-key", text(key));
    set(arguments, "x-dead-letter-strategy", text("at-least-once"));
}

async fn exchange(channel: &Channel, settings: &Settings, name: &str) -> Result<(), BrokerError> {
    let options = ExchangeDeclareOptions {
        passive: !settings.declare,
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    let declare =
        channel.exchange_declare(short(name)?, ExchangeKind::Direct, options, FieldTable::default());
    answered(settings, "declaring an exchange", declare)
        .await
        .map_err(|error| said(error, "exchange", name))
}

async fn queue(
    channel: &Channel,
    settings: &Settings,
    name: &str,
    arguments: FieldTable,
) -> Result<(), BrokerError> {
    if settings.declare {
        return declare(channel, settings, name, arguments).await;
    }
    let options = QueueDeclareOptions {
        passive: true,
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let look = channel.queue_declare(short(name)?, options, FieldTable::default());
    answered(settings, "looking for a queue", look)
        .await
        .map(drop)
        .map_err(|error| said(error, "queue", name))
}

async fn declare(
    channel: &Channel,
    settings: &Settings,
    name: &str,
    arguments: FieldTable,
) -> Result<(), BrokerError> {
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let declare = channel.queue_declare(short(name)?, options, arguments);
    answered(settings, "declaring a queue", declare)
        .await
        .map(drop)
        .map_err(|error| said(error, "queue", name))
}

async fn bind(
    channel: &Channel,
    settings: &Settings,
    queue: &str,
    exchange: &str,
    key: &str,
) -> Result<(), BrokerError> {
    if !settings.declare {
        return Ok(());
    }
    let bind = channel.queue_bind(
        short(queue)?,
        short(exchange)?,
        short(key)?,
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    answered(settings, "binding a queue", bind)
        .await
        .map_err(|error| said(error, "queue", queue))
}

/// What went wrong while something was asked.
pub(super) enum Unanswered {
    Said(&'static str, lapin::Error),
    Nothing(BrokerError),
}

/// The answer, if it comes in time.
pub(super) async fn answered<T>(
    settings: &Settings,
    doing: &'static str,
    asked: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Unanswered> {
    match tokio::time::timeout(settings.timeout, asked).await {
        Ok(answer) => answer.map_err(|error| Unanswered::Said(doing, error)),
        Err(_) => Err(Unanswered::Nothing(no_answer(doing, settings.timeout))),
    }
}

impl From<Unanswered> for BrokerError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Said(doing, error) => Self::server(doing)(error),
            Unanswered::Nothing(error) => error,
        }
    }
}

fn said(unanswered: Unanswered, what: &'static str, name: &str) -> BrokerError {
    match &unanswered {
        Unanswered::Said(_, error) => match code(error) {
            Some(NOT_FOUND) => BrokerError::Missing {
                what,
                name: name.to_owned(),
                remedy: "make it, or let it be made (`declare`, in a URL `create`)".to_owned(),
            },
            Some(PRECONDITION_FAILED) => BrokerError::Unfit {
                what,
                name: name.to_owned(),
                reason: error.to_string(),
            },
            _ => unanswered.into(),
        },
        Unanswered::Nothing(_) => unanswered.into(),
    }
}

/// The server's own code of an error, where it gave one.
pub(super) fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

fn set(arguments: &mut FieldTable, name: &'static str, value: AMQPValue) {
    arguments.insert(ShortString::from(name), value);
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// A name as the protocol has it.
pub(super) fn short(name: &str) -> Result<ShortString, BrokerError> {
    ShortString::try_new(name).map_err(|error| BrokerError::setting("a name", format!("{name:?}"), error))
}
