//! The thread of a member: it alone talks to the consumer, whose calls block.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use outbox_core::{Message, ReceiveError};
use rdkafka::Message as _;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::client::with;
use super::committer::Committer;
use super::connect::Settings;
use super::context::{Heard, MemberContext, Partition, list};
use super::desk::{Desk, Event, Ready, Settle, What};
use super::lane::{Lane, Next};
use super::position::Position;
use super::record;
use super::topics::server;
use crate::error::BrokerError;

/// How often is written down how far it is.
const COMMIT_EVERY: Duration = Duration::from_millis(100);
/// How long it waits after something was refused.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest that it does nothing at all.
const IDLE: Duration = Duration::from_secs(1);
/// Most messages and kilobytes that the client has fetched of each partition.
const FETCHED_MESSAGES: u32 = 1_000;
const FETCHED_KILOBYTES: u32 = 4_096;
/// The longest that a rebalance may take beside the waiting for what is in hand.
const REBALANCE: Duration = Duration::from_secs(60);

/// Where messages of a topic come from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// As we call it.
    pub(super) topic: Arc<str>,
    /// It holds what the group retries and redrives of it.
    pub(super) retry: bool,
}

/// The thread's all.
pub(super) struct Reader {
    settings: Arc<Settings>,
    sources: HashMap<String, Source>,
    out_max: usize,
    events: Receiver<Event>,
    wake: Sender<Event>,
    desk: Arc<Desk>,
    // Their queues go before the consumer, which waits for them when it is dropped.
    lanes: BTreeMap<u64, Owned>,
    consumer: Arc<BaseConsumer<MemberContext>>,
    /// Of the last ownership.
    last: u64,
    /// From where the next look at the lanes begins.
    turn: u64,
    rebalances: VecDeque<Rebalance>,
    committer: Committer,
    /// What is being written.
    committing: Option<Vec<(u64, Position)>>,
    committed_at: Instant,
    /// Somebody waits for what is to be written.
    urgent: bool,
    /// Nothing is asked of the servers before.
    not_before: Instant,
    next_due: Option<Instant>,
}

/// A partition that is ours.
struct Owned {
    lane: Lane,
    source: Source,
    partition: Partition,
    queue: PartitionQueue<MemberContext>,
    /// Its next message is to be handed out as soon as that is written.
    opening: bool,
}

enum Rebalance {
    Take(Vec<Partition>),
    Give {
        partitions: Vec<Partition>,
        /// Until then is waited for what is in hand.
        until: Instant,
    },
}

/// What a reader is made of.
pub(super) struct Parts {
    pub(super) settings: Arc<Settings>,
    /// As Kafka calls it.
    pub(super) group: String,
    pub(super) sources: HashMap<String, Source>,
    pub(super) out_max: usize,
    pub(super) desk: Arc<Desk>,
    pub(super) events: Receiver<Event>,
    pub(super) wake: Sender<Event>,
}

impl Reader {
    /// A member that has not joined yet.
    pub(super) fn new(parts: Parts) -> Result<Self, BrokerError> {
        let consumer = Arc::new(consumer(&parts).map_err(BrokerError::server("joining the group"))?);
        let committer = Committer::start(Arc::clone(&consumer), parts.wake.clone())
            .map_err(BrokerError::server("starting a thread"))?;
        Ok(Self {
            settings: parts.settings,
            sources: parts.sources,
            out_max: parts.out_max,
            events: parts.events,
            wake: parts.wake,
            desk: parts.desk,
            lanes: BTreeMap::new(),
            consumer,
            committer,
            last: 0,
            turn: 0,
            rebalances: VecDeque::new(),
            committing: None,
            committed_at: Instant::now(),
            urgent: false,
            not_before: Instant::now(),
            next_due: None,
        })
    }

    /// Runs until the member leaves.
    pub(super) fn run(mut self) {
        loop {
            let mut event = self.events.recv_timeout(self.wait());
            loop {
                match event {
                    Ok(Event::Wake) | Err(RecvTimeoutError::Timeout) => {}
                    Ok(Event::Settle(settle)) => self.settle(settle),
                    Ok(Event::Written(result)) => self.written(result),
                    Ok(Event::Leave(reply)) => return self.leave(reply),
                    Err(RecvTimeoutError::Disconnected) => return self.leave(None),
                }
                match self.events.try_recv() {
                    Ok(next) => event = Ok(next),
                    Err(_) => break,
                }
            }
            self.listen();
            self.rebalance();
            self.hand_out();
            self.commit();
        }
    }

    /// Until when nothing has to be done, if nobody says anything.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let mut until = now + IDLE;
        if let Some(due) = self.next_due {
            until = until.min(due);
        }
        let to_write = self.urgent
            || self
                .lanes
                .values()
                .any(|owned| owned.lane.to_write(owned.opening).is_some());
        if self.committing.is_none() && to_write {
            let at = if self.urgent {
                now
            } else {
                self.committed_at + COMMIT_EVERY
            };
            until = until.min(at.max(self.not_before));
        }
        if !self.rebalances.is_empty() {
            until = until.min(now + PAUSE);
        }
        until.saturating_duration_since(now)
    }

    /// An outcome.
    fn settle(&mut self, settle: Settle) {
        let lane = self.lanes.get_mut(&settle.lane).map(|owned| &mut owned.lane);
        let ours = lane.filter(|lane| lane.is_out(settle.offset));
        if let Some(reply) = settle.reply {
            // Whoever asked may be gone.
            let _ = reply.send(ours.is_some());
        }
        if let Some(lane) = ours {
            match settle.what {
                What::Nothing => {}
                What::Finished => lane.finish(settle.offset),
                What::Again(after) => {
                    let until = (!after.is_zero()).then(|| Instant::now() + after);
                    lane.again(settle.offset, until);
                }
            }
        }
    }

    /// Lets the client call back, and keeps what it says.
    fn listen(&mut self) {
        loop {
            let calls = self.consumer.context().calls();
            match self.consumer.poll(Duration::ZERO) {
                None if self.consumer.context().calls() == calls => break,
                None => {}
                Some(Err(error)) => {
                    let text = self.consumer.context().complaint.explain(&error);
                    tracing::debug!(error = text, "receiving failed");
                    self.desk.away(server("receiving", text, error));
                }
                Some(Ok(record)) => {
                    // Each partition has a queue of its own, so nothing comes this way.
                    tracing::error!(topic = record.topic(), "a message came by another way");
                }
            }
        }
        let drain = self.settings.drain;
        for heard in self.consumer.context().heard() {
            match heard {
                Heard::Assigned(partitions) => self.rebalances.push_back(Rebalance::Take(partitions)),
                Heard::Revoked(partitions) => {
                    let until = Instant::now() + drain;
                    self.stop(&partitions);
                    self.rebalances.push_back(Rebalance::Give { partitions, until });
                }
            }
        }
    }

    /// What became of a commit.
    fn written(&mut self, result: KafkaResult<()>) {
        let Some(committing) = self.committing.take() else {
            return;
        };
        match result {
            Ok(()) => {
                for (id, position) in committing {
                    if let Some(owned) = self.lanes.get_mut(&id) {
                        owned.lane.written(position);
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, "positions were not taken");
                self.not_before = Instant::now() + PAUSE;
            }
        }
    }

    /// The lanes of these partitions hand out nothing more, and what nobody has taken comes back.
    fn stop(&mut self, partitions: &[Partition]) {
        for (id, owned) in &mut self.lanes {
            if partitions.contains(&owned.partition) {
                owned.lane.leave();
                owned.opening = false;
                for offset in self.desk.take_back(*id) {
                    owned.lane.take_back(offset);
                }
            }
        }
    }

    /// Takes and gives partitions, as far as it can be done by now.
    fn rebalance(&mut self) {
        while let Some(rebalance) = self.rebalances.pop_front() {
            let done = match &rebalance {
                Rebalance::Take(partitions) => self.take(partitions),
                Rebalance::Give { partitions, until } => self.give(partitions, *until),
            };
            if !done {
                self.rebalances.push_front(rebalance);
                break;
            }
        }
    }

    /// Takes partitions where their last owner left off. False: that can't be known now.
    fn take(&mut self, partitions: &[Partition]) -> bool {
        if self.not_before > Instant::now() {
            return false;
        }
        let committed = match partitions.is_empty() {
            true => Ok(TopicPartitionList::new()),
            false => self
                .consumer
                .committed_offsets(list(partitions), self.settings.timeout),
        };
        let result = committed.and_then(|committed| {
            let mut from = TopicPartitionList::new();
            let mut taken = Vec::new();
            for element in committed.elements() {
                element.error()?;
                let partition = (element.topic().to_owned(), element.partition());
                let spent = match element.offset() {
                    Offset::Offset(offset) => {
                        from.add_partition_offset(&partition.0, partition.1, Offset::Offset(offset))?;
                        Position::spent_by_now(element.metadata())
                    }
                    _ => {
                        from.add_partition(&partition.0, partition.1);
                        0
                    }
                };
                taken.push((partition, spent));
            }
            // Before anything is fetched, so that it comes by the partition's own queue.
            let lanes: Vec<Owned> = taken
                .into_iter()
                .filter_map(|(partition, spent)| self.own(partition, spent))
                .collect();
            self.consumer.incremental_assign(&from)?;
            Ok(lanes)
        });
        match result {
            Ok(lanes) => {
                for owned in lanes {
                    self.last += 1;
                    self.lanes.insert(self.last, owned);
                }
                true
            }
            Err(error) if self.consumer.assignment_lost() => {
                tracing::debug!(%error, "what was to be taken is lost already");
                true
            }
            Err(error) => {
                let text = self.consumer.context().complaint.explain(&error);
                tracing::debug!(error = text, "partitions can't be taken yet");
                self.desk.away(server("taking partitions", text, error));
                self.not_before = Instant::now() + PAUSE;
                false
            }
        }
    }

    fn own(&self, partition: Partition, spent: u32) -> Option<Owned> {
        let source = self.sources.get(&partition.0)?.clone();
        let mut queue = self.consumer.split_partition_queue(&partition.0, partition.1)?;
        let wake = self.wake.clone();
        queue.set_nonempty_callback(move || {
            let _ = wake.send(Event::Wake);
        });
        Some(Owned {
            lane: Lane::new(self.out_max, spent),
            source,
            partition,
            queue,
            opening: false,
        })
    }

    /// Gives partitions up, when what was in hand of them is finished and that is written. False: it is not yet.
    fn give(&mut self, partitions: &[Partition], until: Instant) -> bool {
        let now = Instant::now();
        let lost = self.consumer.assignment_lost();
        if !lost {
            let given = || {
                self.lanes
                    .values()
                    .filter(|owned| partitions.contains(&owned.partition))
            };
            let in_hand: usize = given().map(|owned| owned.lane.outs()).sum();
            if in_hand > 0 && now < until {
                return false;
            }
            let to_write = given().any(|owned| owned.lane.to_write(false).is_some());
            if (to_write || self.committing.is_some()) && now < until + self.settings.timeout {
                self.urgent = true;
                return false;
            }
        }
        self.lanes
            .retain(|_, owned| !partitions.contains(&owned.partition));
        if let Err(error) = self.consumer.incremental_unassign(&list(partitions)) {
            tracing::debug!(%error, lost, "giving partitions up");
        }
        true
    }

    /// Hands out as much as is waited for.
    fn hand_out(&mut self) {
        let now = Instant::now();
        self.next_due = None;
        let mut failed = None;
        loop {
            let mut handed = false;
            let turn = self.turn;
            let ids: Vec<u64> = self
                .lanes
                .range(turn..)
                .chain(self.lanes.range(..turn))
                .map(|(id, _)| *id)
                .collect();
            for id in ids {
                let Some(owned) = self.lanes.get_mut(&id) else {
                    continue;
                };
                owned.opening = false;
                while owned.lane.wants() {
                    match owned.fetch(&self.settings) {
                        Some(Ok(())) => {}
                        Some(Err(error)) => failed = Some(error),
                        None => break,
                    }
                }
                if self.desk.room() == 0 {
                    continue;
                }
                match owned.lane.next(now) {
                    Next::Ready(offset) => {
                        if let Some((message, attempt)) = owned.lane.hand_out(offset) {
                            self.desk.put(owned.ready(id, offset, message, attempt));
                            self.turn = id + 1;
                            handed = true;
                        }
                    }
                    Next::Write => {
                        owned.opening = true;
                        self.urgent = true;
                    }
                    Next::Later(due) => {
                        self.next_due = Some(self.next_due.map_or(due, |other| other.min(due)))
                    }
                    Next::Nothing => {}
                }
            }
            if !handed {
                break;
            }
        }
        if let Some(error) = failed {
            let text = self.consumer.context().complaint.explain(&error);
            self.desk.away(server("receiving", text, error));
        }
    }

    /// Writes down how far it is, where that has changed; one at a time.
    fn commit(&mut self) {
        let now = Instant::now();
        if self.committing.is_some() {
            return;
        }
        let due = self.urgent || now >= self.committed_at + COMMIT_EVERY;
        if !due || now < self.not_before {
            return;
        }
        self.urgent = false;
        let positions: Vec<(u64, Position)> = self
            .lanes
            .iter()
            .filter_map(|(id, owned)| Some((*id, owned.lane.to_write(owned.opening)?)))
            .collect();
        if positions.is_empty() {
            return;
        }
        self.committed_at = now;
        match self.list(&positions) {
            Ok(list) => match self.committer.write(list) {
                true => self.committing = Some(positions),
                false => self.not_before = now + PAUSE,
            },
            Err(error) => {
                tracing::error!(%error, "positions can't be written");
                self.not_before = now + PAUSE;
            }
        }
    }

    fn list(&self, positions: &[(u64, Position)]) -> KafkaResult<TopicPartitionList> {
        let mut offsets = TopicPartitionList::with_capacity(positions.len());
        for (id, position) in positions {
            let Some(owned) = self.lanes.get(id) else { continue };
            let (topic, partition) = &owned.partition;
            let mut element = offsets.add_partition(topic, *partition);
            element.set_offset(Offset::Offset(position.offset))?;
            element.set_metadata(position.metadata());
        }
        Ok(offsets)
    }

    /// Leaves: writes down what can be, and gives everything up at once.
    fn leave(mut self, reply: Option<oneshot::Sender<Result<(), ReceiveError>>>) {
        self.desk.close();
        let all: Vec<Partition> = self.lanes.values().map(|owned| owned.partition.clone()).collect();
        self.stop(&all);
        let until = Instant::now() + self.settings.timeout;
        let written = loop {
            self.listen();
            let to_write = self
                .lanes
                .values()
                .any(|owned| owned.lane.to_write(false).is_some());
            if !to_write && self.committing.is_none() {
                break true;
            }
            if Instant::now() >= until || self.consumer.assignment_lost() {
                break false;
            }
            self.urgent = true;
            self.commit();
            match self.events.recv_timeout(PAUSE / 10) {
                Ok(Event::Settle(settle)) => self.settle(settle),
                Ok(Event::Written(result)) => self.written(result),
                Ok(Event::Wake | Event::Leave(_)) | Err(_) => {}
            }
        };
        self.consumer.context().close();
        for rebalance in std::mem::take(&mut self.rebalances) {
            // One that is not answered holds the consumer up.
            let _ = match rebalance {
                Rebalance::Take(partitions) => self.consumer.incremental_assign(&list(&partitions)),
                Rebalance::Give { partitions, .. } => self.consumer.incremental_unassign(&list(&partitions)),
            };
        }
        let idle = self.committing.is_none();
        self.lanes.clear();
        self.committer.stop(idle);
        // The last one of it leaves the group.
        drop(self.consumer);
        if let Some(reply) = reply {
            // Whoever asked may be gone.
            let _ = reply.send(match written {
                true => Ok(()),
                false => Err(ReceiveError::Unavailable {
                    message: "what was handled last could not be written down; it comes again".into(),
                    source: None,
                }),
            });
        }
    }
}

impl Owned {
    /// Takes the next message that was fetched.
    fn fetch(&mut self, settings: &Settings) -> Option<KafkaResult<()>> {
        let record = match self.queue.poll(Duration::ZERO)? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        let mapping = &settings.mapping;
        let message = record::message(mapping, Arc::clone(&self.source.topic), &record, true);
        let (attempt, until) = match self.source.retry {
            true => again(&record),
            false => (1, None),
        };
        self.lane.take(record.offset(), message, attempt, until);
        Some(Ok(()))
    }

    fn ready(&self, lane: u64, offset: i64, message: Message, attempt: u32) -> Ready {
        let (topic, partition) = &self.partition;
        Ready {
            lane,
            offset,
            partition: *partition,
            message,
            attempt,
            place: format!("{topic}/{partition}/{offset}").into(),
        }
    }
}

/// Which attempt comes, and when, of a message that failed.
fn again(record: &BorrowedMessage<'_>) -> (u32, Option<Instant>) {
    let attempt = record::header(record, record::ATTEMPT).and_then(|attempt| attempt.parse().ok());
    let wait = record::header(record, record::DUE).and_then(record::until);
    (attempt.unwrap_or(1), wait.map(|wait| Instant::now() + wait))
}

fn consumer(parts: &Parts) -> Result<BaseConsumer<MemberContext>, KafkaError> {
    let settings = &parts.settings;
    let session = settings.session.as_millis();
    let heartbeat = (session / 10).clamp(50, 3_000);
    let rebalance = (settings.drain + settings.timeout + REBALANCE).max(settings.session);
    let config = with(
        &settings.client,
        &[
            ("group.id", parts.group.clone()),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            ("auto.offset.reset", "earliest".to_owned()),
            ("isolation.level", "read_committed".to_owned()),
            ("partition.assignment.strategy", "cooperative-sticky".to_owned()),
            ("session.timeout.ms", session.to_string()),
            ("heartbeat.interval.ms", heartbeat.to_string()),
            ("max.poll.interval.ms", rebalance.as_millis().to_string()),
            ("queued.min.messages", FETCHED_MESSAGES.to_string()),
            ("queued.max.messages.kbytes", FETCHED_KILOBYTES.to_string()),
            ("fetch.queue.backoff.ms", "10".to_owned()),
            ("fetch.error.backoff.ms", "100".to_owned()),
        ],
    );
    let mut consumer = BaseConsumer::from_config_and_context(&config, MemberContext::default())?;
    let wake = parts.wake.clone();
    consumer.set_nonempty_callback(move || {
        let _ = wake.send(Event::Wake);
    });
    let topics: Vec<&str> = parts.sources.keys().map(String::as_str).collect();
    consumer.subscribe(&topics)?;
    Ok(consumer)
}
