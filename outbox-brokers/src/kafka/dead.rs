//! Dead letters: a topic of the group, in which the newest record of each reference counts, and one without content removes it.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use outbox_core::{Message, ReceiveError};
use rdkafka::Message as _;
use rdkafka::TopicPartitionList;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _, DefaultConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, OwnedHeaders};
use rdkafka::topic_partition_list::Offset;

use super::client::{text, with};
use super::connect::Settings;
use super::producer::{Record, Sender};
use super::topics::{self, Needed, server};
use super::{names, record};
use crate::dead_letters::{DeadLetter, DeadLetters, kept_text};
use crate::error::BrokerError;
use crate::names::check_group;
use crate::newest::Newest;

const LISTING: &str = "listing dead letters";
const REDRIVING: &str = "redriving";
const REMOVING: &str = "removing a dead letter";

/// The topic of a group's dead letters.
pub(super) fn needed(settings: &Settings, group: &str) -> Needed {
    Needed {
        name: names::dead(&settings.prefix, group),
        partitions: 1,
        compact: true,
    }
}

/// The topic of what a group retries and redrives of a topic.
pub(super) fn retry_needed(settings: &Settings, group: &str, topic: &str) -> Needed {
    Needed {
        name: names::retry(&settings.prefix, group, topic),
        partitions: settings.queues,
        compact: false,
    }
}

/// The dead letters of one group.
pub(super) struct KafkaDeadLetters {
    settings: Arc<Settings>,
    sender: Arc<Sender>,
    group: Arc<str>,
}

/// Where a dead letter is, and under which key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    partition: i32,
    offset: i64,
    key: String,
}

impl Reference {
    fn parse(text: &str) -> Result<Self, BrokerError> {
        let parts = || {
            let (place, key) = text.split_once(':')?;
            let (partition, offset) = place.split_once('.')?;
            Some(Self {
                partition: partition.parse().ok()?,
                offset: offset.parse().ok()?,
                key: key.to_owned(),
            })
        };
        parts().ok_or_else(|| {
            let reason = "dead letters of Kafka have two numbers and a key, as in 0.7:orders.placed/3/21";
            BrokerError::setting("the reference", format!("{text:?}"), reason)
        })
    }
}

impl crate::newest::Reference for Reference {
    fn place(&self) -> &str {
        &self.key
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}:{}", self.partition, self.offset, self.key)
    }
}

impl KafkaDeadLetters {
    pub(super) fn of(settings: Arc<Settings>, sender: Arc<Sender>, group: &str) -> Result<Self, BrokerError> {
        check_group(group)?;
        Ok(Self {
            settings,
            sender,
            group: group.into(),
        })
    }

    /// All of them.
    async fn read(&self) -> Result<Newest<Reference>, BrokerError> {
        topics::ensure(&self.settings, vec![needed(&self.settings, &self.group)]).await?;
        let (settings, group) = (Arc::clone(&self.settings), Arc::clone(&self.group));
        let read = tokio::task::spawn_blocking(move || read(&settings, &group)).await;
        read.map_err(BrokerError::server(LISTING))?
            .map_err(|error| server(LISTING, text(&error), error))
    }

    /// One, wherever it is by now.
    async fn find(&self, reference: &str) -> Result<Option<(Reference, DeadLetter)>, BrokerError> {
        let wanted = Reference::parse(reference)?;
        Ok(self.read().await?.find(&wanted))
    }

    async fn remove(&self, reference: &Reference) -> Result<(), BrokerError> {
        let record = Record {
            topic: &names::dead(&self.settings.prefix, &self.group),
            key: Some(&reference.key),
            payload: None,
            headers: OwnedHeaders::new(),
        };
        let removed = self.sender.put(record).await;
        removed.map_err(|error| server(REMOVING, self.settings.complaint.explain(&error), error))
    }
}

#[async_trait]
impl DeadLetters for KafkaDeadLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        let after = after.map(Reference::parse).transpose()?;
        Ok(self.read().await?.page(after.as_ref(), limit))
    }

    async fn redrive(&self, reference: &str) -> Result<bool, BrokerError> {
        let Some((reference, letter)) = self.find(reference).await? else {
            return Ok(false);
        };
        let message = &letter.message;
        let needed = retry_needed(&self.settings, &self.group, message.topic());
        topics::ensure(&self.settings, vec![needed]).await?;
        let again = Again {
            attempt: 1,
            due: SystemTime::now(),
        };
        put_again(&self.settings, &self.sender, &self.group, message, again)
            .await
            .map_err(|error| server(REDRIVING, self.settings.complaint.explain(&error), error))?;
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

/// Which attempt comes, and when.
pub(super) struct Again {
    pub(super) attempt: u32,
    pub(super) due: SystemTime,
}

/// Puts a message where its group alone reads it again.
pub(super) async fn put_again(
    settings: &Settings,
    sender: &Sender,
    group: &str,
    message: &Message,
    again: Again,
) -> Result<(), KafkaError> {
    let more = [
        (record::DUE.into(), record::millis(again.due)),
        (record::ATTEMPT.into(), again.attempt.to_string().into()),
    ];
    let record = Record {
        topic: &names::retry(&settings.prefix, group, message.topic()),
        key: message.key(),
        payload: Some(message.payload()),
        headers: record::headers(&settings.mapping, message, &more, false),
    };
    sender.put(record).await
}

/// Copies a message to the dead letters. One that is copied again from the same place, after a crash, is there once.
pub(super) async fn bury(
    settings: &Settings,
    sender: &Sender,
    group: &str,
    message: &Message,
    attempts: u32,
    place: &str,
    error: &str,
) -> Result<(), ReceiveError> {
    let more = [
        (record::TOPIC.into(), message.topic().into()),
        (record::ATTEMPTS.into(), attempts.to_string().into()),
        (record::ERROR.into(), kept_text(error).into()),
    ];
    let record = Record {
        topic: &names::dead(&settings.prefix, group),
        key: Some(place),
        payload: Some(message.payload()),
        headers: record::headers(&settings.mapping, message, &more, true),
    };
    sender
        .put(record)
        .await
        .map_err(|error| ReceiveError::Unavailable {
            message: format!(
                "the dead letters did not take it: {}",
                settings.complaint.explain(&error)
            )
            .into(),
            source: Some(Arc::new(error)),
        })
}

/// Reads all of a group's, by a consumer that is no member of it.
fn read(settings: &Settings, group: &str) -> Result<Newest<Reference>, KafkaError> {
    let topic = names::dead(&settings.prefix, group);
    let config = with(
        &settings.client,
        &[
            ("group.id", names::group(&settings.prefix, group)),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.partition.eof", "true".to_owned()),
            ("isolation.level", "read_committed".to_owned()),
        ],
    );
    let consumer = BaseConsumer::from_config_and_context(&config, DefaultConsumerContext)?;
    let metadata = consumer.fetch_metadata(Some(&topic), settings.timeout)?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .filter(|found| found.name() == topic)
        .flat_map(|found| found.partitions().iter().map(|partition| partition.id()))
        .collect();
    let mut from = TopicPartitionList::new();
    for partition in &partitions {
        from.add_partition_offset(&topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&from)?;
    let mut letters = Newest::new();
    let mut left = partitions.len();
    while left > 0 {
        let record = match consumer.poll(settings.timeout) {
            // Nothing for so long: it does not answer.
            None => {
                return Err(KafkaError::Global(
                    rdkafka::error::RDKafkaErrorCode::OperationTimedOut,
                ));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                left -= 1;
                continue;
            }
            Some(Err(error)) => return Err(error),
            Some(Ok(record)) => record,
        };
        let Some(key) = record.key().and_then(|key| std::str::from_utf8(key).ok()) else {
            continue;
        };
        let reference = Reference {
            partition: record.partition(),
            offset: record.offset(),
            key: key.to_owned(),
        };
        let letter = record.payload().map(|_| letter(settings, &reference, &record));
        letters.read(reference, letter);
    }
    Ok(letters)
}

fn letter(settings: &Settings, reference: &Reference, record: &BorrowedMessage<'_>) -> DeadLetter {
    let text = |name| record::header(record, name);
    let topic = text(record::TOPIC).unwrap_or_default().into();
    DeadLetter {
        reference: reference.to_string(),
        message: record::message(&settings.mapping, topic, record, false),
        attempts: text(record::ATTEMPTS)
            .and_then(|attempts| attempts.parse().ok())
            .unwrap_or(0),
        error: text(record::ERROR).unwrap_or_default().to_owned(),
        died_at: record::timestamp(record),
    }
}

impl std::fmt::Debug for KafkaDeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaDeadLetters")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}
