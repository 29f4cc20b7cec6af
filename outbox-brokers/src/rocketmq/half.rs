//! Half messages as RocketMQ has them: prepared, and invisible to consumers, until their producer commits them or rolls them
//! back; whom the broker asks when neither comes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use outbox_core::half::{CheckAnswer, Checker};
use outbox_core::{Message, MessageId, PublishError};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::cluster::{Cluster, refused};
use super::code::{ask, said};
use super::connect::Settings;
use super::fields;
use super::frame::Command;
use super::link::Asked;
use super::publisher::RocketMqPublisher;
use super::record::Record;
use super::{names, sender};
use crate::error::BrokerError;

/// How often a broker is told that this producer lives. It asks whoever it knows of, and forgets one after two minutes.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Questions that wait to be answered. The broker asks again where there are more.
const WAITING_MAX: usize = 256;
/// Checks at the same time.
const CHECKS_MAX: usize = 16;
/// How long a checker may take.
const CHECK_WITHIN: Duration = Duration::from_secs(30);

/// How a half message ends, as bits of a message's flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Commit = 2 << 2,
    RollBack = 3 << 2,
}

/// RocketMQ's transactional messages, for producers whose local work can't be in one transaction with an outbox. The words are those
/// of [`outbox_core::half`]; here it is the broker that keeps the message, and that asks.
///
/// The broker asks any producer of the group that is connected, so whoever has the same `producers` has to know the same local work:
/// give it a checker that reads the database. It asks some seconds after the message was prepared (`transactionTimeOut`, 6 s unless
/// it is set otherwise) and then every `transactionCheckInterval` (30 s), and gives the message up after `transactionCheckMax`
/// questions (15), which it counts *while no producer is connected*, too: set it so high that no outage of yours is as long.
/// A message that is given up is in the topic `TRANS_CHECK_MAX_TIME_TOPIC`.
///
/// Dropping it ends the answers of this process.
pub struct RocketMqHalfMessages {
    publisher: RocketMqPublisher,
    cluster: Arc<Cluster>,
    settings: Arc<Settings>,
    producers: Arc<str>,
    _end: DropGuard,
}

/// A half message that waits for its end.
#[derive(Debug, Clone)]
pub struct Prepared {
    id: MessageId,
    address: String,
    topic: String,
    transaction: String,
    /// In the queue of all half messages, and in the log.
    offset: i64,
    log_offset: i64,
}

impl Prepared {
    /// The message's id.
    pub fn id(&self) -> MessageId {
        self.id
    }
}

impl RocketMqHalfMessages {
    pub(super) async fn open(
        cluster: &Cluster,
        settings: &Arc<Settings>,
        producers: &str,
        checker: Arc<dyn Checker>,
    ) -> Result<Self, BrokerError> {
        crate::names::check_group(producers)?;
        let producers: Arc<str> = names::group(&settings.prefix, producers).into();
        let (asked, questions) = mpsc::channel(WAITING_MAX);
        let cluster = Arc::new(cluster.apart(Some(asked)));
        // Before anything is prepared, so that somebody can be asked.
        let client = format!("outbox@{}", Uuid::now_v7());
        say_alive(&cluster, &client, &producers).await?;
        let end = CancellationToken::new();
        let alive = keep_saying(Arc::clone(&cluster), client, Arc::clone(&producers));
        let answers = Answers {
            cluster: Arc::clone(&cluster),
            settings: Arc::clone(settings),
            producers: Arc::clone(&producers),
            checker,
        };
        let both = async move {
            tokio::join!(alive, answers.all(questions));
        };
        let until = end.clone();
        tokio::spawn(async move { until.run_until_cancelled(both).await });
        Ok(Self {
            publisher: RocketMqPublisher::new(Arc::clone(&cluster), Arc::clone(settings)),
            cluster,
            settings: Arc::clone(settings),
            producers,
            _end: end.drop_guard(),
        })
    }

    /// Gives the broker a message that nobody receives yet. Do the local work after that, and then commit it or roll it back; if neither
    /// comes, the checker is asked.
    ///
    /// # Errors
    /// As [`Publisher::publish`](outbox_core::Publisher::publish). It may be prepared then, and is asked after.
    pub async fn prepare(&self, message: &Message) -> Result<Prepared, PublishError> {
        let route = self.publisher.route(message.topic()).await?;
        let queue = route
            .queue_of(message)
            .ok_or_else(|| PublishError::unavailable("its topic has no queue"))?;
        let more = [
            (fields::PREPARED, "true".into()),
            (fields::PRODUCER_GROUP, (&*self.producers).into()),
            // Which topic of ours it is, for whoever is asked.
            (fields::TOPIC, message.topic().into()),
        ];
        let letter = fields::letter(message, &self.settings.mapping, &more)?;
        letter.check(&self.settings)?;
        if letter.alone {
            return Err(PublishError::invalid(
                "RocketMQ takes no half message that is due later",
            ));
        }
        let topic = names::topic(&self.settings.prefix, message.topic());
        let answer = sender::prepare(&self.cluster, &topic, queue, &letter, &self.producers).await?;
        let place = (
            answer.number("queueOffset"),
            answer.field("msgId").and_then(log_offset),
        );
        let (Some(offset), Some(log_offset)) = place else {
            return Err(PublishError::unavailable(
                "the broker did not say where the half message is",
            ));
        };
        let address = self
            .cluster
            .broker(&queue.broker)
            .map(|link| link.address().to_owned());
        Ok(Prepared {
            id: message.id(),
            address: address.map_err(|error| PublishError::unavailable(error.to_string()))?,
            topic,
            transaction: answer.field("transactionId").unwrap_or_default().to_owned(),
            offset,
            log_offset,
        })
    }

    /// Lets consumers have it.
    ///
    /// # Errors
    /// The broker can't be reached, or it has come to the other end already. Where it is not known, the checker decides.
    pub async fn commit(&self, prepared: &Prepared) -> Result<(), PublishError> {
        self.end(prepared, Ending::Commit).await
    }

    /// Removes it.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub async fn roll_back(&self, prepared: &Prepared) -> Result<(), PublishError> {
        self.end(prepared, Ending::RollBack).await
    }

    async fn end(&self, prepared: &Prepared, ending: Ending) -> Result<(), PublishError> {
        let ended = end(&self.cluster, &self.producers, prepared, ending, false).await;
        ended.map_err(|error| PublishError::unavailable(error.to_string()).with_source(error))
    }
}

async fn end(
    cluster: &Cluster,
    producers: &str,
    prepared: &Prepared,
    ending: Ending,
    asked: bool,
) -> Result<(), BrokerError> {
    const DOING: &str = "ending a half message";
    let command = Command::new(ask::END_TRANSACTION)
        .with("topic", &prepared.topic)
        .with("producerGroup", producers)
        .with("tranStateTableOffset", prepared.offset)
        .with("commitLogOffset", prepared.log_offset)
        .with("commitOrRollback", ending as i32)
        .with("fromTransactionCheck", asked)
        .with("msgId", prepared.id)
        .with("transactionId", &prepared.transaction);
    let link = cluster.at(&prepared.address);
    let answer = link.call(command).await.map_err(BrokerError::server(DOING))?;
    match answer.code {
        said::OK => Ok(()),
        _ => Err(refused(DOING, &answer)),
    }
}

/// Answers what brokers ask.
struct Answers {
    cluster: Arc<Cluster>,
    settings: Arc<Settings>,
    producers: Arc<str>,
    checker: Arc<dyn Checker>,
}

impl Answers {
    async fn all(self, mut questions: mpsc::Receiver<Asked>) {
        let (this, checks) = (Arc::new(self), Arc::new(Semaphore::new(CHECKS_MAX)));
        let mut running = tokio::task::JoinSet::new();
        while let Some(Asked { address, command }) = questions.recv().await {
            while running.try_join_next().is_some() {}
            if command.code != ask::CHECK_TRANSACTION {
                continue;
            }
            // It is never closed.
            let Ok(permit) = Arc::clone(&checks).acquire_owned().await else {
                return;
            };
            let this = Arc::clone(&this);
            running.spawn(async move {
                this.one(address, &command).await;
                drop(permit);
            });
        }
    }

    /// What is not answered is asked again.
    async fn one(&self, address: String, question: &Command) {
        let Some((message, prepared)) = self.read(address, question) else {
            tracing::error!("a half message was asked after that can't be read");
            return;
        };
        let (id, topic) = (message.id(), message.topic());
        let answer = tokio::time::timeout(CHECK_WITHIN, self.checker.check(&message)).await;
        let ending = match answer {
            Ok(Ok(CheckAnswer::Committed)) => Ending::Commit,
            Ok(Ok(CheckAnswer::RolledBack)) => Ending::RollBack,
            Ok(Ok(CheckAnswer::Unknown)) => return,
            Ok(Err(error)) => {
                tracing::warn!(%id, topic, %error, "a half message was asked after, and there is no answer");
                return;
            }
            Err(_) => {
                tracing::warn!(%id, topic, "a half message was asked after, and the checker took too long");
                return;
            }
        };
        match end(&self.cluster, &self.producers, &prepared, ending, true).await {
            Ok(()) => tracing::debug!(%id, topic, ?ending, "a half message was asked after"),
            Err(error) => tracing::warn!(%id, topic, %error, "the answer about a half message was not taken"),
        }
    }

    fn read(&self, address: String, question: &Command) -> Option<(Message, Prepared)> {
        let record = Record::all(question.body.clone()).into_iter().next()?;
        let topic = record.properties.get(fields::TOPIC)?;
        let message = fields::message(&record, topic.into(), &self.settings.mapping);
        let prepared = Prepared {
            id: message.id(),
            address,
            topic: record.topic.clone(),
            transaction: question.field("transactionId").unwrap_or_default().to_owned(),
            offset: question.number("tranStateTableOffset")?,
            log_offset: question.number("commitLogOffset")?,
        };
        Some((message, prepared))
    }
}

/// A place in the log is the last eight bytes of what RocketMQ calls a message's id.
fn log_offset(id: &str) -> Option<i64> {
    let digits = id.get(id.len().checked_sub(16)?..)?;
    i64::from_str_radix(digits, 16).ok()
}

async fn keep_saying(cluster: Arc<Cluster>, client: String, producers: Arc<str>) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        if let Err(error) = say_alive(&cluster, &client, &producers).await {
            tracing::debug!(%error, "a broker does not know that this producer lives");
        }
    }
}

/// Says to each broker that this producer can be asked.
async fn say_alive(cluster: &Cluster, client: &str, producers: &str) -> Result<(), BrokerError> {
    const DOING: &str = "joining the producers";
    let body = json!({
        "clientID": client,
        "producerDataSet": [{ "groupName": producers }],
        "consumerDataSet": [],
    });
    let body = body.to_string();
    let mut told = BTreeSet::new();
    for master in cluster.masters().await? {
        let link = cluster.broker(&master).map_err(BrokerError::server(DOING))?;
        if !told.insert(link.address().to_owned()) {
            continue;
        }
        let command = Command::new(ask::HEARTBEAT).body(body.clone());
        cluster.demand(&master, DOING, command).await?;
    }
    Ok(())
}

impl std::fmt::Debug for RocketMqHalfMessages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocketMqHalfMessages")
            .field("producers", &self.producers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_log_is_the_end_of_an_id() {
        assert_eq!(log_offset("7F00000100002A9F00000000000003E8"), Some(1_000));
        assert_eq!(log_offset("03E8"), None);
        assert_eq!(log_offset(""), None);
    }
}
