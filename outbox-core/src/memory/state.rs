use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use foldhash::HashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::budget::Budget;
use super::clock::{Clock, Place};
use super::config::{MAX_QUEUES, Settings};
use super::error::MemoryError;
use super::group::{Group, MemberId, Outcome, Taken};
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
            state: Mutex::new(State::default()),
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
        let mut state = self.lock();
        let Some(group) = state.groups.get_mut(group) else {
            return false;
        };
        let taken = group.settle(queue, delivery, outcome, Instant::now());
        let finished = group.is_finished(queue.0, queue.1);
        drop(state);
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
    pub(super) closed: bool,
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
        if declared.queues() != queues {
            return Err(MemoryError::TopicExists {
                topic: topic.to_string(),
                queues: declared.queues(),
                asked: queues,
            });
        }
        declared.keep_without_group = keep;
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
        self.promote(&topics, Instant::now());
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
            group.leave(member, Instant::now());
        }
    }

    /// Appends a batch, in its order, as a whole.
    pub(super) fn append(&mut self, batch: &[Message], settings: &Settings, budget: &Arc<Budget>) {
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
            match due(message.due(), now) {
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
        self.announce(appended);
    }

    /// Appends what has become due in these topics.
    pub(super) fn promote(&mut self, topics: &[Arc<str>], now: Instant) {
        let mut appended: Vec<QueueName> = Vec::new();
        for name in topics {
            if let Some(topic) = self.topics.get_mut(name) {
                topic.promote(now, |queue| appended.push((Arc::clone(name), queue)));
            }
        }
        self.announce(appended);
    }

    /// Wakes those who may receive from these queues, and lets go of what nobody will ever read.
    fn announce(&mut self, mut queues: Vec<QueueName>) {
        queues.sort_unstable();
        queues.dedup();
        for (topic, queue) in &queues {
            for group in self.groups.values() {
                group.wake(topic, *queue);
            }
            self.forget_read(topic, *queue);
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
            self.forget_read(&topic, queue);
        }
        Some(answer)
    }

    /// Lets a log go as far as every group has read it: what is not finished of it is kept by its group.
    /// Without any group the log stays, for the one that will come, unless its topic was declared optional.
    pub(super) fn forget_read(&mut self, topic: &str, queue: u32) {
        let lowest = self
            .groups
            .values()
            .filter_map(|group| group.cursor(topic, queue))
            .min();
        let Some(topic) = self.topics.get_mut(topic) else {
            return;
        };
        let below = match lowest {
            Some(lowest) => lowest,
            None if topic.keep_without_group => return,
            None => topic.log(queue).end(),
        };
        topic.log_mut(queue).truncate_below(below);
    }
}

/// When a message is due by the clock that waits are counted on; `None` is now.
fn due(due: Due, now: Instant) -> Option<Instant> {
    match due {
        Due::Now => None,
        Due::After(delay) => Some(later(now, delay)),
        Due::At(time) => {
            let delay = time.duration_since(SystemTime::now()).ok()?;
            Some(later(now, delay))
        }
    }
}
