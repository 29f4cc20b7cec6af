//! Dead letters: an exchange of their own, a queue per group.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use outbox_core::{MessageId, ReceiveError};
use tokio::time::Instant;

use super::confirm::{Confirmer, NotTaken, Outgoing};
use super::connect::Settings;
use super::delivery::{Origin, not_taken};
use super::link::{Link, no_answer};
use super::topology::{self, Unanswered, answered, short};
use super::{names, properties};
use crate::dead_letters::{DeadLetter, DeadLetters, kept_text};
use crate::error::BrokerError;
use crate::names::{check_group, digest};

/// Headers of ours on a dead letter.
const OURS: &str = "outbox-dead-";
const REFERENCE: &str = "outbox-dead-reference";
const TOPIC: &str = "outbox-dead-topic";
const QUEUE: &str = "outbox-dead-queue";
const TRIED: &str = "outbox-dead-attempts";
const ERROR: &str = "outbox-dead-error";
/// Microseconds since 1970.
const DIED_AT: &str = "outbox-dead-at";

/// The server's code for what somebody else holds.
const RESOURCE_LOCKED: u16 = 405;

/// How often it is tried whether somebody else has finished.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// Most bytes of a reference.
const REFERENCE_MAX: usize = 64;

/// The dead letters of one group.
pub(super) struct RabbitMqDeadLetters {
    settings: Arc<Settings>,
    confirmer: Arc<Confirmer>,
    group: String,
}

impl RabbitMqDeadLetters {
    pub(super) fn of(
        settings: Arc<Settings>,
        confirmer: Arc<Confirmer>,
        group: &str,
    ) -> Result<Self, BrokerError> {
        check_group(group)?;
        Ok(Self {
            settings,
            confirmer,
            group: group.to_owned(),
        })
    }

    /// Looks through them. Others wait meanwhile: what one has in hand, another one would not see.
    async fn browse(&self) -> Result<Browsing, BrokerError> {
        // Of its own: with it goes the lock, and all that was only looked at goes back, whatever becomes of this call.
        let link = Link::new(Arc::clone(&self.settings), "dead letters");
        let lock = names::dead_lock(&self.settings.prefix, &self.group);
        let deadline = Instant::now() + self.settings.timeout;
        loop {
            let channel = link.channel().await?;
            let exclusive = QueueDeclareOptions {
                exclusive: true,
                ..QueueDeclareOptions::default()
            };
            let declare = channel.queue_declare(short(&lock)?, exclusive, FieldTable::default());
            match answered(&self.settings, "waiting for the dead letters", declare).await {
                Ok(_) => {
                    topology::dead(&channel, &self.settings, &self.group).await?;
                    return Ok(Browsing {
                        settings: Arc::clone(&self.settings),
                        queue: names::dead_queue(&self.settings.prefix, &self.group),
                        link,
                        channel,
                    });
                }
                Err(Unanswered::Said(_, error))
                    if topology::code(&error) == Some(RESOURCE_LOCKED) && Instant::now() < deadline =>
                {
                    tokio::time::sleep(LOCK_POLL).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn letter(&self, stored: &Stored) -> DeadLetter {
        let Stored { properties, body, .. } = stored;
        let death = Death::of(properties);
        let topic = properties::text(properties, TOPIC).or_else(|| {
            let exchange = death.as_ref()?.exchange.as_deref()?;
            let topic = exchange.strip_prefix(&self.settings.prefix)?.strip_prefix('.')?;
            Some(topic.to_owned())
        });
        let attempts = properties::number(properties, TRIED)
            .or_else(|| properties::number(properties, properties::ATTEMPTS));
        let error = properties::text(properties, ERROR).or_else(|| {
            let reason = death.as_ref()?.reason.as_deref()?;
            Some(format!("the server has given it up: {reason}"))
        });
        let died_at = properties::text(properties, DIED_AT)
            .and_then(|micros| micros.parse().ok())
            .map(Duration::from_micros)
            .or_else(|| death.as_ref()?.time.map(Duration::from_secs))
            .and_then(|time| UNIX_EPOCH.checked_add(time));
        let (copy, headers) = properties::copy(properties, &[OURS]);
        DeadLetter {
            reference: stored.reference.clone(),
            message: properties::message(
                &self.settings.mapping,
                topic.as_deref().unwrap_or_default(),
                body.clone(),
                &copy.with_headers(headers),
            ),
            attempts: attempts.unwrap_or(0),
            error: error.unwrap_or_default(),
            died_at: died_at.unwrap_or_else(SystemTime::now),
        }
    }

    /// The queue that it came from.
    fn origin(properties: &BasicProperties) -> Option<String> {
        properties::text(properties, QUEUE).or_else(|| Death::of(properties)?.queue)
    }
}

#[async_trait]
impl DeadLetters for RabbitMqDeadLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        after.map(check).transpose()?;
        let browsing = self.browse().await?;
        let mut letters = Vec::new();
        while letters.len() < limit
            && let Some(stored) = browsing.next().await?
        {
            // Their order in the queue is that of their references, which begin with the time.
            if after.is_none_or(|after| stored.reference.as_str() > after) {
                letters.push(self.letter(&stored));
            }
        }
        browsing.end().await;
        Ok(letters)
    }

    async fn redrive(&self, reference: &str) -> Result<bool, BrokerError> {
        check(reference)?;
        let browsing = self.browse().await?;
        let Some(stored) = browsing.find(reference).await? else {
            browsing.end().await;
            return Ok(false);
        };
        let Some(queue) = Self::origin(&stored.properties) else {
            return Err(BrokerError::Unfit {
                what: "dead letter",
                name: reference.to_owned(),
                reason: "it does not say which queue it came from".to_owned(),
            });
        };
        let (copy, headers) = properties::copy(&stored.properties, &[OURS, properties::ATTEMPTS]);
        let outgoing = Outgoing::new("", &queue, copy.with_headers(headers), &stored.body)?;
        let sent = self.confirmer.publish_one(outgoing).await;
        sent.map_err(|reason| match reason {
            NotTaken::Unroutable => BrokerError::Missing {
                what: "queue",
                name: queue.clone(),
                remedy: "a member of the group makes it".to_owned(),
            },
            NotTaken::Refused => BrokerError::Unfit {
                what: "queue",
                name: queue.clone(),
                reason: "it is full".to_owned(),
            },
            NotTaken::Unknown(error) => error,
        })?;
        browsing.remove(stored).await?;
        Ok(true)
    }

    async fn discard(&self, reference: &str) -> Result<bool, BrokerError> {
        check(reference)?;
        let browsing = self.browse().await?;
        let found = browsing.find(reference).await?;
        let is_there = found.is_some();
        match found {
            Some(stored) => browsing.remove(stored).await?,
            None => browsing.end().await,
        }
        Ok(is_there)
    }
}

fn check(reference: &str) -> Result<(), BrokerError> {
    let plain = |c: char| c.is_ascii_hexdigit() || c == '-';
    if !reference.is_empty() && reference.len() <= REFERENCE_MAX && reference.chars().all(plain) {
        return Ok(());
    }
    let reason = "dead letters of RabbitMQ have one of hexadecimal digits";
    Err(BrokerError::setting(
        "the reference",
        format!("{reference:?}"),
        reason,
    ))
}

/// One in the queue of the dead.
struct Stored {
    reference: String,
    properties: BasicProperties,
    body: Bytes,
    got: BasicGetMessage,
}

/// Somebody who looks through the dead letters, from the first on.
struct Browsing {
    settings: Arc<Settings>,
    queue: String,
    link: Link,
    channel: Channel,
}

impl Browsing {
    async fn next(&self) -> Result<Option<Stored>, BrokerError> {
        let get = self
            .channel
            .basic_get(short(&self.queue)?, BasicGetOptions::default());
        let Some(mut got) = answered(&self.settings, "looking for dead letters", get).await? else {
            return Ok(None);
        };
        let (properties, body) = (got.properties.clone(), Bytes::from(std::mem::take(&mut got.data)));
        let reference = properties::text(&properties, REFERENCE)
            .unwrap_or_else(|| reference_of_the_server(&properties, &body));
        Ok(Some(Stored {
            reference,
            properties,
            body,
            got,
        }))
    }

    async fn find(&self, reference: &str) -> Result<Option<Stored>, BrokerError> {
        while let Some(stored) = self.next().await? {
            if stored.reference == reference {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    async fn remove(self, stored: Stored) -> Result<(), BrokerError> {
        let ack = stored.got.ack(BasicAckOptions::default());
        let acked = answered(&self.settings, "removing a dead letter", ack).await;
        let timeout = self.settings.timeout;
        // What is said before an end in order is heard.
        self.end().await;
        match acked? {
            true => Ok(()),
            false => Err(no_answer("removing a dead letter", timeout)),
        }
    }

    async fn end(self) {
        self.link.close().await;
    }
}

/// What the server says of a message that it gave up itself.
struct Death {
    exchange: Option<String>,
    queue: Option<String>,
    reason: Option<String>,
    /// Seconds since 1970.
    time: Option<u64>,
}

impl Death {
    /// The last one.
    fn of(properties: &BasicProperties) -> Option<Self> {
        let headers = properties.headers().as_ref()?;
        let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else {
            return None;
        };
        let AMQPValue::FieldTable(death) = deaths.as_slice().first()? else {
            return None;
        };
        let text = |name: &str| match death.inner().get(name) {
            Some(AMQPValue::LongString(text)) => Some(text.to_string()),
            _ => None,
        };
        let time = match death.inner().get("time") {
            Some(AMQPValue::Timestamp(time)) => Some(*time),
            _ => None,
        };
        Some(Self {
            exchange: text("exchange"),
            queue: text("queue"),
            reason: text("reason"),
            time,
        })
    }
}

/// For one that we did not bury: the same whenever it is looked at, and it begins with the time as ours do.
fn reference_of_the_server(properties: &BasicProperties, body: &[u8]) -> String {
    let time = Death::of(properties).and_then(|death| death.time).unwrap_or(0) * 1_000;
    let content = format!(
        "{:?} {:?} {body:?}",
        properties.message_id(),
        Death::of(properties).and_then(|death| death.queue)
    );
    format!("{:08x}-{:04x}-{}", time >> 16, time & 0xffff, digest(&content))
}

/// Copies a message to the dead letters of its group.
pub(super) async fn bury(
    confirmer: &Confirmer,
    settings: &Settings,
    origin: &Origin,
    error: &str,
) -> Result<(), ReceiveError> {
    let of = &origin.queue;
    let (copy, mut headers) = properties::copy(&origin.properties, &[OURS]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for (name, value) in [
        (REFERENCE, MessageId::new().to_string()),
        (TOPIC, of.topic.clone()),
        (QUEUE, of.name(settings)),
        (TRIED, origin.attempt.to_string()),
        (ERROR, kept_text(error)),
        (DIED_AT, now.as_micros().to_string()),
    ] {
        properties::insert(&mut headers, name, &value)
            .map_err(|error| super::delivery::unavailable(BrokerError::setting("a header", value, error)))?;
    }
    let exchange = names::dead_exchange(&settings.prefix);
    let outgoing = Outgoing::new(
        &exchange,
        &names::dead_key(&of.group),
        copy.with_headers(headers),
        &origin.body,
    )
    .map_err(super::delivery::unavailable)?;
    confirmer
        .publish_one(outgoing)
        .await
        .map_err(|reason| not_taken(reason, "the queue of the dead letters"))
}

impl std::fmt::Debug for RabbitMqDeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitMqDeadLetters")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
