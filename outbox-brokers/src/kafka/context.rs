//! What the client calls back with, kept for the thread, which does what is to be done when it is time to: so giving a partition up can
//! wait for what is in hand.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::client::{Complaint, log};

/// A partition of a topic as Kafka calls it.
pub(super) type Partition = (String, i32);

/// What was called back.
pub(super) enum Heard {
    /// These are ours, as soon as they are taken.
    Assigned(Vec<Partition>),
    /// These are to be given up.
    Revoked(Vec<Partition>),
}

#[derive(Default)]
pub(super) struct MemberContext {
    pub(super) complaint: Complaint,
    heard: Mutex<Vec<Heard>>,
    /// How often anything was called back.
    calls: AtomicU64,
    closing: AtomicBool,
}

impl MemberContext {
    /// What was heard since the last time.
    pub(super) fn heard(&self) -> Vec<Heard> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// From now on everything is given up at once.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    fn hear(&self, heard: Heard) {
        self.heard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(heard);
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.complaint.error(error, reason);
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Relaxed) {
            let done = match (assigned, consumer.rebalance_protocol()) {
                (true, _) => Ok(()),
                (false, RebalanceProtocol::Cooperative) => consumer.incremental_unassign(list),
                (false, _) => consumer.unassign(),
            };
            if let Err(error) = done {
                tracing::debug!(%error, "giving partitions up");
            }
            return;
        }
        let partitions = partitions(list);
        self.hear(match assigned {
            true => Heard::Assigned(partitions),
            false => Heard::Revoked(partitions),
        });
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    let elements = list.elements();
    elements
        .iter()
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect()
}

/// The partitions as the client wants them.
pub(super) fn list(partitions: &[Partition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    list
}
