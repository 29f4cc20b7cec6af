//! The topics on the servers: looked for, and made where they are not there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _, DefaultConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

use super::client::{Complaint, text};
use super::connect::Settings;
use crate::error::BrokerError;

/// A topic that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) name: String,
    pub(super) partitions: u32,
    /// Of each key the newest record alone is kept, and that for ever.
    pub(super) compact: bool,
}

/// Those that are known to be there.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashSet<String>>);

impl Known {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is not there any more.
    pub(super) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }
}

/// Sees to it that topics are there. Those that are, are not changed.
pub(super) async fn ensure(settings: &Arc<Settings>, mut needed: Vec<Needed>) -> Result<(), BrokerError> {
    {
        let known = settings.known.lock();
        needed.retain(|topic| !known.contains(&topic.name));
    }
    if needed.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = needed.iter().map(|topic| topic.name.clone()).collect();
    let missing = {
        let (settings, names) = (Arc::clone(settings), names.clone());
        let looked = tokio::task::spawn_blocking(move || missing(&settings, &names)).await;
        looked.map_err(BrokerError::server(LOOKING))??
    };
    needed.retain(|topic| missing.contains(&topic.name));
    match needed.first() {
        None => {}
        Some(topic) if !settings.create => {
            return Err(BrokerError::Missing {
                what: "topic",
                name: topic.name.clone(),
                remedy: format!(
                    "make it with {} partitions, or let it be made (`create`)",
                    topic.partitions
                ),
            });
        }
        Some(_) => create(settings, &needed).await?,
    }
    settings.known.lock().extend(names);
    Ok(())
}

const LOOKING: &str = "looking for topics";
const MAKING: &str = "making a topic";

/// Which of these are not there. By a client that makes none by asking.
fn missing(settings: &Settings, names: &[String]) -> Result<HashSet<String>, BrokerError> {
    let consumer = BaseConsumer::from_config_and_context(&settings.client, DefaultConsumerContext)
        .map_err(BrokerError::server(LOOKING))?;
    let mut missing = HashSet::new();
    for name in names {
        let metadata = consumer
            .fetch_metadata(Some(name), settings.timeout)
            .map_err(|error| server(LOOKING, text(&error), error))?;
        let errors = metadata.topics().iter().filter(|topic| topic.name() == name);
        match errors.filter_map(|topic| topic.error()).next() {
            None => {}
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => {
                missing.insert(name.clone());
            }
            // A leader is being chosen: it is there.
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) => {}
            Some(error) => {
                let code = RDKafkaErrorCode::from(error);
                return Err(server(
                    LOOKING,
                    format!("{name}: {code}"),
                    KafkaError::MetadataFetch(code),
                ));
            }
        }
    }
    Ok(missing)
}

async fn create(settings: &Settings, needed: &[Needed]) -> Result<(), BrokerError> {
    let admin: AdminClient<Complaint> =
        AdminClient::from_config_and_context(&settings.client, settings.complaint.clone())
            .map_err(BrokerError::server(MAKING))?;
    let replication = settings.replication.to_string();
    let min_in_sync = settings.min_in_sync.to_string();
    let topics: Vec<NewTopic<'_>> = needed
        .iter()
        .map(|topic| {
            let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
            let new = NewTopic::new(
                &topic.name,
                partitions,
                TopicReplication::Fixed(settings.replication),
            );
            let new = new.set("min.insync.replicas", &min_in_sync);
            match topic.compact {
                true => new.set("cleanup.policy", "compact"),
                false => new,
            }
        })
        .collect();
    let options = AdminOptions::new()
        .request_timeout(Some(settings.timeout))
        .operation_timeout(Some(settings.timeout));
    let answers = admin
        .create_topics(&topics, &options)
        .await
        .map_err(|error| server(MAKING, settings.complaint.explain(&error), error))?;
    for answer in answers {
        match answer {
            // Somebody else was faster.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                let message = format!("{name} with {replication} replicas: {code}");
                return Err(server(MAKING, message, KafkaError::AdminOp(code)));
            }
        }
    }
    Ok(())
}

pub(super) fn server(doing: &'static str, message: String, error: KafkaError) -> BrokerError {
    BrokerError::Server {
        doing,
        message,
        source: Some(Arc::new(error)),
    }
}
