//! Dead letters: RocketMQ's own topic for those of a group. It is a log, so what is done with one is written behind it: the newest
//! record of each place counts, and one that says so removes it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use outbox_core::{Message, PublishError, ReceiveError};

use super::cluster::{Cluster, Queue, Route, refused};
use super::code::{ask, said};
use super::connect::Settings;
use super::frame::Command;
use super::record::{Properties, Record};
use super::sender::{self, Letter};
use super::{fields, names, topics};
use crate::dead_letters::{DeadLetter, DeadLetters, kept_text};
use crate::error::BrokerError;
use crate::names::check_group;
use crate::newest::Newest;

const LISTING: &str = "listing dead letters";
const REDRIVING: &str = "redriving";
const REMOVING: &str = "removing a dead letter";
/// Between looks at whether a record is found by now.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Most messages of one answer.
const PAGE: u32 = 32;
/// Who lists; it has no place of its own in any queue.
const READERS: &str = "outbox-dead-letters";
/// Pulls with a subscription that comes with the question.
const WITH_SUBSCRIPTION: i32 = 4;
/// Of a record that removes those of its place.
const REMOVED: &str = "outbox-removed";

/// The topic of a group's dead letters, with one queue on each broker.
pub(super) async fn ensure(
    cluster: &Cluster,
    settings: &Settings,
    group: &str,
) -> Result<Route, BrokerError> {
    topics::ensure(cluster, settings, &names::dead(&settings.prefix, group), 1).await
}

/// The dead letters of one group.
pub(super) struct RocketMqDeadLetters {
    cluster: Arc<Cluster>,
    settings: Arc<Settings>,
    group: Arc<str>,
}

/// Where a dead letter is, and where its message was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    /// Milliseconds since 1970: over all brokers, the oldest first.
    stored: u128,
    queue: Queue,
    offset: i64,
    place: String,
}

impl Reference {
    fn parse(text: &str) -> Result<Self, BrokerError> {
        let parts = || {
            let (at, place) = text.split_once(':')?;
            let mut at = at.rsplitn(4, '.');
            let (offset, id, stored) = (at.next()?, at.next()?, at.next()?);
            Some(Self {
                stored: stored.parse().ok()?,
                queue: Queue {
                    broker: at.next()?.into(),
                    id: id.parse().ok()?,
                },
                offset: offset.parse().ok()?,
                place: place.to_owned(),
            })
        };
        parts().ok_or_else(|| {
            let reason = "dead letters of RocketMQ have a broker, three numbers and a place, as in broker-a.1764547200000.0.7:orders/broker-a/3/21";
            BrokerError::setting("the reference", format!("{text:?}"), reason)
        })
    }
}

impl crate::newest::Reference for Reference {
    fn place(&self) -> &str {
        &self.place
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Queue { broker, id } = &self.queue;
        write!(f, "{broker}.{}.{id}.{}:{}", self.stored, self.offset, self.place)
    }
}

impl RocketMqDeadLetters {
    pub(super) fn of(
        cluster: Arc<Cluster>,
        settings: Arc<Settings>,
        group: &str,
    ) -> Result<Self, BrokerError> {
        check_group(group)?;
        Ok(Self {
            cluster,
            settings,
            group: group.into(),
        })
    }

    fn topic(&self) -> String {
        names::dead(&self.settings.prefix, &self.group)
    }

    /// All of them.
    async fn read(&self) -> Result<Newest<Reference>, BrokerError> {
        let route = ensure(&self.cluster, &self.settings, &self.group).await?;
        // Whoever asks is a group to the server, which has to be there.
        topics::ensure_group(&self.cluster, &self.settings, &route, READERS, false).await?;
        let mut letters = Newest::new();
        for queue in &route.queues {
            for record in self.records(queue).await? {
                let place = record.properties.get(fields::PLACE).map(str::to_owned);
                let reference = Reference {
                    stored: fields::millis(record.stored_at),
                    queue: queue.clone(),
                    offset: record.offset,
                    // What somebody else put there is where it is.
                    place: place
                        .unwrap_or_else(|| format!("{}/{}/{}", queue.broker, queue.id, record.offset)),
                };
                let letter = match record.properties.get(REMOVED) {
                    None => Some(self.letter(&reference, &record)),
                    Some(_) => None,
                };
                letters.read(reference, letter);
            }
        }
        Ok(letters)
    }

    /// All of a queue.
    async fn records(&self, queue: &Queue) -> Result<Vec<Record>, BrokerError> {
        let topic = self.topic();
        let mut offset = bound(&self.cluster, &topic, queue, ask::MIN_OFFSET).await?;
        let end = bound(&self.cluster, &topic, queue, ask::MAX_OFFSET).await?;
        let mut records = Vec::new();
        while offset < end {
            let command = Command::new(ask::PULL)
                .with("consumerGroup", READERS)
                .with("topic", &topic)
                .with("queueId", queue.id)
                .with("queueOffset", offset)
                .with("maxMsgNums", PAGE)
                .with("sysFlag", WITH_SUBSCRIPTION)
                .with("commitOffset", 0)
                .with("suspendTimeoutMillis", 0)
                .with("subscription", "*")
                .with("subVersion", 0)
                .with("expressionType", "TAG");
            let answer = self.cluster.ask(&queue.broker, command).await;
            let answer = answer.map_err(BrokerError::server(LISTING))?;
            let next = match answer.code {
                said::OK => {
                    records.extend(Record::all(answer.body.clone()));
                    answer.number("nextBeginOffset")
                }
                // What was there is old by now, and gone.
                said::PULL_RETRY | said::PULL_MOVED => answer.number("nextBeginOffset"),
                said::PULL_NOT_FOUND => None,
                _ => return Err(refused(LISTING, &answer)),
            };
            match next {
                Some(next) if next > offset => offset = next,
                _ => break,
            }
        }
        Ok(records)
    }

    fn letter(&self, reference: &Reference, record: &Record) -> DeadLetter {
        let text = |name| record.properties.get(name);
        DeadLetter {
            reference: reference.to_string(),
            message: fields::message(
                record,
                text(fields::TOPIC).unwrap_or_default().into(),
                &self.settings.mapping,
            ),
            attempts: text(fields::ATTEMPTS)
                .and_then(|attempts| attempts.parse().ok())
                .unwrap_or(0),
            error: text(fields::ERROR).unwrap_or_default().to_owned(),
            died_at: record.stored_at,
        }
    }

    /// One, wherever it is by now.
    async fn find(&self, reference: &str) -> Result<Option<(Reference, DeadLetter)>, BrokerError> {
        let wanted = Reference::parse(reference)?;
        Ok(self.read().await?.find(&wanted))
    }

    async fn remove(&self, reference: &Reference) -> Result<(), BrokerError> {
        let mut properties = Properties::default();
        properties.push(fields::PLACE, &reference.place);
        properties.push(REMOVED, "true");
        let removed = Letter {
            properties,
            // The server takes none without content.
            body: Bytes::from_static(b"-"),
            alone: true,
        };
        put(
            &self.cluster,
            &self.settings,
            &self.topic(),
            &reference.queue,
            removed,
        )
        .await
        .map_err(|error| refused_to(REMOVING, error))
    }
}

fn refused_to(doing: &'static str, error: PublishError) -> BrokerError {
    BrokerError::server(doing)(error)
}

#[async_trait]
impl DeadLetters for RocketMqDeadLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        let after = after.map(Reference::parse).transpose()?;
        Ok(self.read().await?.page(after.as_ref(), limit))
    }

    async fn redrive(&self, reference: &str) -> Result<bool, BrokerError> {
        let Some((reference, letter)) = self.find(reference).await? else {
            return Ok(false);
        };
        let message = &letter.message;
        let name = names::topic(&self.settings.prefix, message.topic());
        let route = topics::ensure(&self.cluster, &self.settings, &name, self.settings.queues).await?;
        let Some(queue) = route.queue_of(message) else {
            return Ok(false);
        };
        let more = [(fields::FOR_GROUP, (&*self.group).into())];
        let again = fields::letter(message, &self.settings.mapping, &more);
        let again = again.map_err(|error| refused_to(REDRIVING, error))?;
        sender::send(&self.cluster, &name, queue, &[again])
            .await
            .map_err(|error| refused_to(REDRIVING, error))?;
        self.remove(&reference).await?;
        Ok(true)
    }

    async fn discard(&self, reference: &str) -> Result<bool, BrokerError> {
        let Some((reference, _)) = self.find(reference).await? else {
            return Ok(false);
        };
        self.remove(&reference).await?;
        Ok(true)
    }
}

/// Copies a message to the dead letters. One that is copied again from the same place, after a crash, is there once.
pub(super) async fn bury(
    cluster: &Cluster,
    settings: &Settings,
    group: &str,
    message: &Message,
    attempts: u32,
    place: &str,
    error: &str,
) -> Result<(), ReceiveError> {
    let unavailable = |error: &dyn std::fmt::Display| ReceiveError::Unavailable {
        message: format!("the dead letters did not take it: {error}").into(),
        source: None,
    };
    let more = [
        (fields::TOPIC, message.topic().into()),
        (fields::ATTEMPTS, attempts.to_string().into()),
        (fields::ERROR, kept_text(error).into()),
        (fields::PLACE, place.into()),
    ];
    let letter = fields::letter(message, &settings.mapping, &more).map_err(|error| unavailable(&error))?;
    let topic = names::dead(&settings.prefix, group);
    let route = ensure(cluster, settings, group)
        .await
        .map_err(|error| unavailable(&error))?;
    let sent = match route.queues.first() {
        Some(queue) => put(cluster, settings, &topic, queue, letter).await,
        None => Err(PublishError::unavailable("their topic has no queue")),
    };
    sent.map_err(|error| unavailable(&error))
}

/// Writes a record, and waits until whoever reads the queue finds it: what is written is not at once in its index.
async fn put(
    cluster: &Cluster,
    settings: &Settings,
    topic: &str,
    queue: &Queue,
    letter: Letter,
) -> Result<(), PublishError> {
    let answer = sender::send(cluster, topic, queue, &[letter]).await?;
    let Some(offset) = answer.number::<i64>("queueOffset") else {
        return Ok(());
    };
    let unavailable = |error: BrokerError| PublishError::unavailable(error.to_string()).with_source(error);
    let found = async {
        while bound(cluster, topic, queue, ask::MAX_OFFSET).await? <= offset {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    };
    // It is there in any case.
    match tokio::time::timeout(settings.timeout, found).await {
        Ok(found) => found.map_err(unavailable),
        Err(_) => Ok(()),
    }
}

/// The first offset of a queue, or the one after the last.
async fn bound(cluster: &Cluster, topic: &str, queue: &Queue, which: i32) -> Result<i64, BrokerError> {
    let command = Command::new(which).with("topic", topic).with("queueId", queue.id);
    let answer = cluster.demand(&queue.broker, LISTING, command).await?;
    Ok(answer.number("offset").unwrap_or(0))
}

impl std::fmt::Debug for RocketMqDeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocketMqDeadLetters")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
