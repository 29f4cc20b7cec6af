//! A member of a consumer group: a lane per queue, or, where no order is asked for, per broker.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use outbox_core::{Acknowledge as _, Delivery, Limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cluster::{Cluster, Queue, Route, refused};
use super::code::{ask, said};
use super::connect::Settings;
use super::delivery::{Held, Outcome};
use super::frame::Command;
use super::receipt::{self, Receipt};
use super::record::Record;
use super::{dead, fields, names, topics};
use crate::broker::Ordering;
use crate::error::BrokerError;
use crate::member::{Lane, Member, Receive};
use crate::names::{check_group, check_some};

/// Most messages that RocketMQ gives at a time.
const ASKED_MAX: u32 = 32;
/// How long the server keeps a question that it has no message for, and at most which part of the lease.
const POLL: (Duration, u32) = (Duration::from_secs(10), 4);
/// By how much longer a message stays a member's for the server than for the member itself.
const MARGIN: Duration = Duration::from_millis(200);
/// How long a member that leaves waits for what is on its way to it. What comes later comes again after its lease.
const ON_ITS_WAY: Duration = Duration::from_millis(250);
/// How many times as large as a message may be sent, one may be that somebody has compressed.
const GROWS: usize = 4;
/// Whether a new group begins with the first message that there is.
const FROM_THE_FIRST: i32 = 0;
/// All queues of the topic at a broker.
const ANY_QUEUE: i32 = -1;

/// Where a lane receives from.
struct Source {
    /// What is asked over connections of the member's own, so that its questions end with it.
    polls: Arc<Cluster>,
    outcomes: Arc<Cluster>,
    settings: Arc<Settings>,
    group: Arc<str>,
    /// The topic, and how it and the group are called here.
    topic: Arc<str>,
    topic_name: Arc<str>,
    group_name: Arc<str>,
    queue: Queue,
    out: Arc<Semaphore>,
    in_order: bool,
    /// A task, so that what it takes is given back also when nobody waits for it any more.
    taking: Option<JoinHandle<Result<Taken, BrokerError>>>,
}

/// What came.
struct Taken {
    answer: Command,
    lease_end: Instant,
    /// What may be out still.
    permits: Option<OwnedSemaphorePermit>,
}

/// Joins a group.
pub(super) async fn open(
    cluster: &Arc<Cluster>,
    settings: &Arc<Settings>,
    group: &str,
    topics: &[&str],
    ordering: Ordering,
) -> Result<Member, BrokerError> {
    check_group(group)?;
    let ordering = ordering.check()?;
    check_some(topics)?;
    let polls = Arc::new(cluster.apart(None));
    let group_name: Arc<str> = names::group(&settings.prefix, group).into();
    let in_order = ordering == Ordering::PerKey;
    let shared: Arc<str> = group.into();
    let mut sources: Vec<Source> = Vec::new();
    for topic in topics {
        Limits::check_topic(topic)
            .map_err(|error| BrokerError::setting("a topic", format!("{topic:?}"), error))?;
        let topic_name: Arc<str> = names::topic(&settings.prefix, topic).into();
        let route = topics::ensure(cluster, settings, &topic_name, settings.queues).await?;
        // Before anything is received: a group that is there has all that is published from now on.
        topics::ensure_group(cluster, settings, &route, &group_name, in_order).await?;
        let of_topic = match ordering {
            Ordering::PerKey => None,
            Ordering::None { out } => Some(Arc::new(Semaphore::new(out as usize))),
        };
        sources.extend(queues(route, in_order).into_iter().map(|queue| Source {
            polls: Arc::clone(&polls),
            outcomes: Arc::clone(cluster),
            settings: Arc::clone(settings),
            group: Arc::clone(&shared),
            topic: (*topic).into(),
            topic_name: Arc::clone(&topic_name),
            group_name: Arc::clone(&group_name),
            queue,
            out: of_topic.clone().unwrap_or_else(|| Arc::new(Semaphore::new(1))),
            in_order,
            taking: None,
        }));
    }
    dead::ensure(cluster, settings, group).await?;
    let capacity = sources.iter().map(|source| source.out.available_permits()).sum();
    let (mut member, lane) = Member::new(shared, Some(settings.lease), settings.timeout, capacity);
    for source in sources {
        member.spawn(&lane, source);
    }
    Ok(member)
}

/// What a lane each is for.
fn queues(route: Route, in_order: bool) -> Vec<Queue> {
    let mut queues = route.queues;
    if !in_order {
        for queue in &mut queues {
            queue.id = ANY_QUEUE;
        }
        queues.dedup();
    }
    queues
}

impl Source {
    /// Takes what there is, or waits for it. Dropping the future loses nothing.
    async fn take(&mut self) -> Result<Taken, BrokerError> {
        let taking = match &mut self.taking {
            Some(taking) => taking,
            None => {
                let (polls, queue, out) =
                    (Arc::clone(&self.polls), self.queue.clone(), Arc::clone(&self.out));
                let (settings, command) = (Arc::clone(&self.settings), self.question());
                let take = async move { take(&polls, &settings, &queue, out, command).await };
                self.taking.insert(tokio::spawn(take))
            }
        };
        let took = taking.await;
        self.taking = None;
        took.map_err(BrokerError::server("receiving"))?
    }

    fn question(&self) -> Command {
        let (lease, poll) = (self.settings.lease, poll(&self.settings));
        // It counts from when it found the message, which may be any moment of the poll.
        let invisible = lease + poll + MARGIN;
        Command::new(ask::POP)
            .with("consumerGroup", &self.group_name)
            .with("topic", &self.topic_name)
            .with("queueId", self.queue.id)
            .with("invisibleTime", invisible.as_millis())
            .with("pollTime", poll.as_millis())
            .with("bornTime", fields::millis(SystemTime::now()))
            .with("initMode", FROM_THE_FIRST)
            .with("expType", "TAG")
            .with("exp", "*")
            .with("order", self.in_order)
    }

    /// What came, as it is settled, with what may be out for each.
    fn outcomes(&self, mut taken: Taken) -> Vec<(Outcome, OwnedSemaphorePermit)> {
        let records = Record::all(taken.answer.body.clone());
        let outcomes = records.into_iter().filter_map(|mut record| {
            let permit = taken.permits.as_mut()?.split(1)?;
            let receipt = match record.properties.get(fields::RECEIPT) {
                Some(text) => Receipt::parse(text, &self.topic_name, &self.group_name),
                None => Receipt::of(&taken.answer, &record, &self.queue.broker),
            };
            let Some(receipt) = receipt else {
                tracing::error!(group = &*self.group, "a message without a receipt was received");
                return None;
            };
            let failed = match self.in_order {
                true => receipt::failed_in_order(&taken.answer, &record),
                false => record.failed,
            };
            let most = self.settings.max_message_bytes.saturating_mul(GROWS);
            let unread = match record.compression.undo(&record.body, most) {
                Ok(content) => {
                    record.body = content;
                    None
                }
                Err(unread) => Some(unread),
            };
            let outcome = Outcome {
                cluster: Arc::clone(&self.outcomes),
                settings: Arc::clone(&self.settings),
                group: Arc::clone(&self.group),
                group_name: Arc::clone(&self.group_name),
                broker: Arc::clone(&self.queue.broker),
                message: fields::message(&record, Arc::clone(&self.topic), &self.settings.mapping),
                for_group: record.properties.get(fields::FOR_GROUP).map(str::to_owned),
                unread,
                receipt,
                attempt: failed.saturating_add(1),
                lease_end: taken.lease_end,
            };
            Some((outcome, permit))
        });
        outcomes.collect()
    }

    /// A message for this group. One for another group is done with.
    async fn delivery(&self, held: Box<Held>) -> Option<Delivery> {
        let outcome = held.outcome()?;
        let for_group = outcome.for_group.as_deref();
        if for_group.is_some_and(|group| group != &*self.group) {
            // If this fails it comes again.
            let _ = held.ack().await;
            return None;
        }
        let unread = outcome.unread.as_ref().map(ToString::to_string);
        if let Some(unread) = unread {
            // If this fails it comes again.
            let _ = held.dead(&unread).await;
            return None;
        }
        let queue = u32::try_from(outcome.receipt.queue).unwrap_or(0);
        let offset = u64::try_from(outcome.receipt.offset).unwrap_or(0);
        let (message, attempt) = (outcome.message.clone(), outcome.attempt);
        Some(Delivery::new(message, attempt, queue, offset, held))
    }
}

#[async_trait]
impl Receive for Source {
    async fn receive(&mut self, lane: &mut Lane) -> Result<(), BrokerError> {
        // A broker may be elsewhere since it was lost.
        self.polls.route(&self.topic_name).await?;
        self.outcomes.route(&self.topic_name).await?;
        loop {
            if self.taking.is_none() {
                lane.wanted().await;
            }
            let taken = self.take().await?;
            // What is not handed over goes back when it is dropped.
            let outcomes = self.outcomes(taken).into_iter();
            let held: Vec<_> = outcomes
                .map(|(outcome, permit)| Box::new(Held::new(outcome, permit, lane.unfinished())))
                .collect();
            for held in held {
                if let Some(delivery) = self.delivery(held).await
                    && !lane.deliver(delivery).await
                {
                    return Ok(());
                }
            }
        }
    }

    async fn leave(&mut self) {
        let Some(taking) = &mut self.taking else {
            return;
        };
        match tokio::time::timeout(ON_ITS_WAY, &mut *taking).await {
            Ok(Ok(Ok(taken))) => {
                for (outcome, _) in self.outcomes(taken) {
                    outcome.back().await;
                }
            }
            Ok(_) => {}
            // With the last of the member's lanes the connections end, and with them the questions that the server would answer
            // with a message.
            Err(_) => taking.abort(),
        }
    }
}

fn poll(settings: &Settings) -> Duration {
    POLL.0.min(settings.lease / POLL.1)
}

async fn take(
    polls: &Cluster,
    settings: &Settings,
    queue: &Queue,
    out: Arc<Semaphore>,
    command: Command,
) -> Result<Taken, BrokerError> {
    const DOING: &str = "receiving";
    // It is never closed.
    let mut permits = Arc::clone(&out).acquire_owned().await.ok();
    let more = out.available_permits().min(ASKED_MAX as usize - 1);
    if let (Some(permits), Ok(more)) = (
        &mut permits,
        out.try_acquire_many_owned(u32::try_from(more).unwrap_or(0)),
    ) {
        permits.merge(more);
    }
    let asked = permits.as_ref().map_or(1, OwnedSemaphorePermit::num_permits);
    let (begun, poll) = (Instant::now(), poll(settings));
    let link = polls.broker(&queue.broker).map_err(BrokerError::server(DOING))?;
    let answer = link
        .call_for(command.with("maxMsgNums", asked), poll + settings.timeout)
        .await
        .map_err(BrokerError::server(DOING))?;
    match answer.code {
        said::OK | said::PULL_NOT_FOUND | said::POLLING_TIMEOUT | said::POLLING_FULL => Ok(Taken {
            answer,
            // Also for whoever was frozen, and hears late of what the server found long ago.
            lease_end: Instant::now().min(begun + poll) + settings.lease,
            permits,
        }),
        said::TOPIC_NOT_EXIST | said::GROUP_NOT_EXIST => Err(BrokerError::Missing {
            what: "topic or group",
            name: answer.remark,
            remedy: "it was removed: make it again, or join again".to_owned(),
        }),
        _ => Err(refused(DOING, &answer)),
    }
}
