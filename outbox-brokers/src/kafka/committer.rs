//! Writes positions down, on a thread of its own: the call waits for the servers, however long they are away. (The client has a call that
//! doesn't, and tells nobody what became of it.)

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::context::MemberContext;
use super::desk::Event;

pub(super) struct Committer {
    work: Sender<TopicPartitionList>,
    thread: JoinHandle<()>,
}

impl Committer {
    /// What became of each is told to `told`.
    pub(super) fn start(
        consumer: Arc<BaseConsumer<MemberContext>>,
        told: Sender<Event>,
    ) -> std::io::Result<Self> {
        let (work, todo) = channel::<TopicPartitionList>();
        let thread = std::thread::Builder::new()
            .name("outbox-kafka-commit".to_owned())
            .spawn(move || {
                for positions in todo {
                    let written = match consumer.commit(&positions, CommitMode::Sync) {
                        Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
                        other => other,
                    };
                    if told.send(Event::Written(written)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { work, thread })
    }

    /// Writes these down. False: it can't any more.
    pub(super) fn write(&self, positions: TopicPartitionList) -> bool {
        self.work.send(positions).is_ok()
    }

    /// Ends it; waits for it if `idle`.
    pub(super) fn stop(self, idle: bool) {
        drop(self.work);
        if idle {
            // A panic there was reported there.
            let _ = self.thread.join();
        }
    }
}
