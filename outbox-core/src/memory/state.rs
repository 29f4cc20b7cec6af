use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::HashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::budget::{Budget, Usage};
use super::clock::{Clock, Place};
use super::config::{MAX_QUEUES, Settings};
use super::error::MemoryError;
use super::group::{Group, MemberId, Outcome, Taken};
use super::groups::unknown;
use super::half::HalfTable;
use super::queue::later;
use super::topic::Topic;
use crate::group::QueueName;
use crate::message::{Due, Message};

/// What all handles of a queue share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) budget: Arc<Budget>,
    pub(super) clock: Clock,
    /// Told whenever a group may have finished everything.
    pub(super) idle: Notify,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            budget: Budget::new(settings.capacity),
            clock: Clock::new(),
            idle: Notify::new(),
            state: Mutex::new(State {
                retention: settings.retention,
                ..State::default()
            }),
        }
    }

    /// Nothing in here panics half-way through a change, so a poisoned lock is as good as another.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the outcome of a delivery; false when it belongs to somebody else by now.
    pub(super) fn settle(
        &self,
        group: &str,
        queue: (&str, u32),
        delivery: (u64, u64),
        outcome: Outcome,
    ) -> bool {
        let mut guard = self.lock();
        let state = &mut *guard;
        let Some(group) = state.groups.get_mut(group) else {
            return false;
        };
        let taken = group.settle(&state.topics, queue, delivery, outcome, Instant::now());
        let finished = group.is_finished(queue.0, queue.1);
        drop(guard);
        if finished {
            self.idle.notify_waiters();
        }
        taken
    }
}

/// Everything that changes, under one lock: each operation is short, and waits for nothing.
#[derive(Default)]
pub(super) struct State {
    pub(super) topics: HashMap<Arc<str>, Topic>,
    pub(super) groups: HashMap<Arc<str>, Group>,
    pub(super) half: HalfTable,
    pub(super) closed: bool,
    retention: Duration,
    next_member: MemberId,
    next_token: u64,
}

impl State {
    pub(super) fn declare(&mut self, topic: &Arc<str>, queues: u32, keep: bool) -> Result<(), MemoryError> {
        if queues == 0 || queues > MAX_QUEUES {
            return Err(MemoryError::QueuesOutOfRange {
                topic: topic.to_string(),
                queues,
            });
        }
        let declared = self
            .topics
            .entry(Arc::clone(topic))
            .or_insert_with(|| Topic::new(queues));
        // Whoever made a topic may go on to say so when it has grown.
        if declared.queues() != queues && declared.initial() != queues {
            return Err(MemoryError::TopicExists {
                topic: topic.to_string(),
                queues: declared.queues(),
                asked: queues,
            });
        }
        declared.keep_without_group = keep;
        Ok(())
    }

    pub(super) fn grow(&mut self, name: &str, queues: u32) -> Result<(), MemoryError> {
        let topic = self
            .topics
            .get_mut(name)
            .ok_or_else(|| MemoryError::UnknownTopic {
                topic: name.to_owned(),
            })?;
        if queues > MAX_QUEUES {
            return Err(MemoryError::QueuesOutOfRange {
                topic: name.to_owned(),
                queues,
            });
        }
        if queues < topic.queues() {
            return Err(MemoryError::TopicShrinks {
                topic: name.to_owned(),
                queues: topic.queues(),
                asked: queues,
            });
        }
        while topic.queues() < queues {
            topic.grow();
        }
        for group in self.groups.values_mut() {
            group.grow(name, queues);
        }
        Ok(())
    }

    pub(super) fn join(
        &mut self,
        group: &Arc<str>,
        topics: Vec<Arc<str>>,
        place: Place,
        settings: &Settings,
        wake: Arc<Notify>,
    ) -> MemberId {
        let member = self.next_member;
        self.next_member += 1;
        let now = Instant::now();
        self.promote(&topics, now);
        self.forget_old(&topics, now);
        let state = self.groups.entry(Arc::clone(group)).or_default();
        for name in &topics {
            let topic = self
                .topics
                .entry(Arc::clone(name))
                .or_insert_with(|| Topic::new(settings.queues));
            state.register(name, topic, place);
        }
        state.join(member, topics, wake);
        member
    }

    pub(super) fn leave(&mut self, group: &str, member: MemberId) {
        if let Some(group) = self.groups.get_mut(group) {
            group.leave(member, &self.topics, Instant::now());
        }
    }

    /// Appends a batch, in its order, as a whole.
    pub(super) fn append(
        &mut self,
        batch: &[Message],
        settings: &Settings,
        budget: &Arc<Budget>,
        clock: Clock,
    ) {
        let now = Instant::now();
        let mut appended: Vec<QueueName> = Vec::new();
        for message in batch {
            let name = message.shared_topic();
            let topic = self
                .topics
                .entry(Arc::clone(name))
                .or_insert_with(|| Topic::new(settings.queues));
            // What became due before this message was published comes before it.
            topic.promote(now, |queue| appended.push((Arc::clone(name), queue)));
            let kept = budget.keep(message.clone());
            match due(message.due(), clock, now) {
                Some(due) if due > now => {
                    topic.delay(kept, due);
                    // Whoever sleeps until the next due message may have to wake up sooner.
                    appended.extend((0..topic.queues()).map(|queue| (Arc::clone(name), queue)));
                }
                _ => {
                    let queue = topic.append(kept, now);
                    appended.push((Arc::clone(name), queue));
                }
            }
        }
        self.announce(appended, now);
    }

    /// Appends what has become due in these topics.
    pub(super) fn promote(&mut self, topics: &[Arc<str>], now: Instant) {
        let mut appended: Vec<QueueName> = Vec::new();
        for name in topics {
            if let Some(topic) = self.topics.get_mut(name) {
                topic.promote(now, |queue| appended.push((Arc::clone(name), queue)));
            }
        }
        self.announce(appended, now);
    }

    /// Wakes those who may receive from these queues, and lets go of what nobody will ever read.
    fn announce(&mut self, mut queues: Vec<QueueName>, now: Instant) {
        queues.sort_unstable();
        queues.dedup();
        for (topic, queue) in &queues {
            for group in self.groups.values() {
                group.wake(topic, *queue);
            }
            self.forget_read(topic, *queue, now);
        }
    }

    /// Hands out at most `max` messages, or tells when to ask again. `None`: no such member any more.
    pub(super) fn take(
        &mut self,
        group: &str,
        member: MemberId,
        topics: &[Arc<str>],
        max: usize,
        settings: &Settings,
    ) -> Option<(Vec<Taken>, Option<Instant>)> {
        let now = Instant::now();
        if self.closed {
            return None;
        }
        self.promote(topics, now);
        let state = self.groups.get_mut(group)?;
        if !state.is_member(member) {
            return None;
        }
        let answer = state.take(
            member,
            max,
            &self.topics,
            &mut self.next_token,
            settings.lease,
            now,
        );
        let mut read: Vec<QueueName> = answer.0.iter().map(|t| (Arc::clone(&t.topic), t.queue)).collect();
        read.sort_unstable();
        read.dedup();
        for (topic, queue) in read {
            self.forget_read(&topic, queue, now);
        }
        Some(answer)
    }

    /// Moves a group's place in all queues of a topic.
    pub(super) fn seek(&mut self, group: &str, topic: &str, place: Place) -> Result<(), MemoryError> {
        let now = Instant::now();
        let name: Arc<str> = topic.into();
        let topics = std::slice::from_ref(&name);
        // Otherwise what is due by now, or too old, would be on the wrong side.
        self.promote(topics, now);
        self.forget_old(topics, now);
        let state = self.groups.get_mut(group).ok_or_else(|| unknown(group))?;
        let moved = self
            .topics
            .get(topic)
            .is_some_and(|log| state.seek(topic, log, place, now));
        if !moved {
            return Err(MemoryError::NotRegistered {
                group: group.to_owned(),
                topic: topic.to_owned(),
            });
        }
        self.forget_old(topics, now);
        Ok(())
    }

    /// Lets a log go as far as every group has read it and it is older than the retention: what is not finished of it
    /// is kept by its group.
    pub(super) fn forget_read(&mut self, topic: &str, queue: u32, now: Instant) {
        // Before the clock began there was no message.
        let Some(until) = now.checked_sub(self.retention) else {
            return;
        };
        let below = self.read_by_all(topic, queue);
        if let Some(topic) = self.topics.get_mut(topic) {
            topic.log_mut(queue).truncate_below(below, until);
        }
    }

    /// Lets go of what is too old in all queues of these topics.
    fn forget_old(&mut self, topics: &[Arc<str>], now: Instant) {
        for name in topics {
            let queues = self.topics.get(name).map_or(0, Topic::queues);
            for queue in 0..queues {
                self.forget_read(name, queue, now);
            }
        }
    }

    /// The offset below which every group has read. Without any group a log waits for the one that will come, unless
    /// its topic was declared optional.
    fn read_by_all(&self, topic: &str, queue: u32) -> u64 {
        let lowest = self
            .groups
            .values()
            .filter_map(|group| group.cursor(topic, queue))
            .min();
        match (lowest, self.topics.get(topic)) {
            (Some(lowest), _) => lowest,
            (None, Some(topic)) if !topic.keep_without_group => topic.log(queue).end(),
            (None, _) => 0,
        }
    }

    /// Makes room for a batch, as far as that is possible without what any group has still to read: the oldest of what
    /// is only kept for its retention goes.
    pub(super) fn make_room(&mut self, batch: Usage, budget: &Budget) {
        if self.retention.is_zero() || budget.has_room_for(batch) {
            return;
        }
        let mut oldest: BinaryHeap<Reverse<(Instant, QueueName, u64)>> = BinaryHeap::new();
        for (name, topic) in &self.topics {
            for queue in 0..topic.queues() {
                let below = self.read_by_all(name, queue);
                if topic.log(queue).first() < below
                    && let Some(appended) = topic.log(queue).first_appended()
                {
                    oldest.push(Reverse((appended, (Arc::clone(name), queue), below)));
                }
            }
        }
        while !budget.has_room_for(batch) {
            let Some(Reverse((appended, (name, queue), below))) = oldest.pop() else {
                break;
            };
            let Some(topic) = self.topics.get_mut(&name) else {
                continue;
            };
            let log = topic.log_mut(queue);
            log.truncate_below(below.min(log.first() + 1), appended);
            if log.first() < below
                && let Some(appended) = log.first_appended()
            {
                oldest.push(Reverse((appended, (name, queue), below)));
            }
        }
    }
}

/// When a message is due by the clock that waits are counted on; `None` is now. Those of one time of day are due at one
/// moment, so that they keep the order in which they were published.
fn due(due: Due, clock: Clock, now: Instant) -> Option<Instant> {
    match due {
        Due::Now => None,
        Due::After(delay) => Some(later(now, delay)),
        Due::At(time) => Some(clock.at(time)),
    }
}
