use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use foldhash::HashMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::budget::Kept;
use super::clock::Place;
use super::dead::{DeadLetters, DeadRow};
use super::growth;
use super::queue::{FailedMessage, GroupQueue};
use super::topic::Topic;
use crate::group::{QueueName, assign};
use crate::message::MessageId;

/// A member of a group; never used twice.
pub(super) type MemberId = u64;

/// A consumer group: how far it is in each queue, who its members are, and what it gave up on.
#[derive(Default)]
pub(super) struct Group {
    topics: BTreeMap<Arc<str>, Vec<GroupQueue>>,
    members: BTreeMap<MemberId, Member>,
    dead: DeadLetters,
    /// Whether nothing is handed out.
    paused: bool,
}

struct Member {
    topics: Vec<Arc<str>>,
    /// The queues it may receive from.
    queues: Vec<QueueName>,
    /// Which of them is asked first, so that each has its turn.
    turn: usize,
    wake: Arc<Notify>,
}

/// What is handed out, before it becomes a delivery.
pub(super) struct Taken {
    pub(super) topic: Arc<str>,
    pub(super) queue: u32,
    pub(super) offset: u64,
    pub(super) token: u64,
    pub(super) attempt: u32,
    /// When the lease ends, if there is one.
    pub(super) until: Option<Instant>,
    pub(super) kept: Arc<Kept>,
}

/// How one delivery ended.
pub(super) enum Outcome {
    Ack,
    Retry { after: Duration, error: Arc<str> },
    Dead { error: Arc<str> },
    Dropped,
}

/// What a group has still to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backlog {
    /// Messages that nobody has yet and that may be handed out.
    pub ready: usize,
    /// Messages that are out and have no outcome.
    pub in_flight: usize,
    /// Messages that wait after a failure, or behind an earlier one of their key.
    pub waiting: usize,
    /// Messages of the group's topics that are not due yet.
    pub delayed: usize,
    /// Dead letters. They are finished, until somebody redrives them.
    pub dead: usize,
}

impl Backlog {
    /// All that is not finished: dead letters do not count.
    pub fn total(&self) -> usize {
        self.ready + self.in_flight + self.waiting + self.delayed
    }
}

impl Group {
    /// Registers the group for `topic`; where it is registered already its place stays.
    pub(super) fn register(&mut self, name: &Arc<str>, topic: &Topic, place: Place) {
        self.topics.entry(Arc::clone(name)).or_insert_with(|| {
            topic
                .logs()
                .iter()
                .map(|log| GroupQueue::new(log.offset_of(place)))
                .collect()
        });
    }

    pub(super) fn join(&mut self, member: MemberId, topics: Vec<Arc<str>>, wake: Arc<Notify>) {
        self.members.insert(
            member,
            Member {
                topics,
                queues: Vec::new(),
                turn: 0,
                wake,
            },
        );
        self.share_out();
    }

    pub(super) fn leave(&mut self, member: MemberId, topics: &HashMap<Arc<str>, Topic>, now: Instant) {
        if self.members.remove(&member).is_some() {
            for queue in self.topics.values_mut().flatten() {
                queue.release_all_of(member, now);
            }
            self.pass_turns_on(topics, now);
            self.share_out();
        }
    }

    /// The members' signals, for when the group itself is taken away.
    pub(super) fn wake_all(&self) {
        for member in self.members.values() {
            member.wake.notify_one();
        }
    }

    /// Gives every queue a member, and wakes the members: what they may receive has changed.
    fn share_out(&mut self) {
        let mut owned: BTreeMap<QueueName, Option<MemberId>> = BTreeMap::new();
        for (topic, queues) in &self.topics {
            for (number, queue) in (0u32..).zip(queues) {
                owned.insert((Arc::clone(topic), number), queue.assigned);
            }
        }
        let members = self
            .members
            .iter()
            .map(|(&id, member)| (id, member.topics.clone()))
            .collect();
        assign(&members, &mut owned);
        for member in self.members.values_mut() {
            member.queues.clear();
        }
        for ((topic, number), owner) in owned {
            if let Some(queue) = self.queue_mut(&topic, number) {
                queue.assigned = owner;
            }
            if let Some(member) = owner.and_then(|owner| self.members.get_mut(&owner)) {
                member.queues.push((topic, number));
            }
        }
        self.wake_all();
    }

    /// Wakes whoever may receive from this queue.
    pub(super) fn wake(&self, topic: &str, queue: u32) {
        let owner = self.queue(topic, queue).and_then(|queue| queue.assigned);
        if let Some(member) = owner.and_then(|owner| self.members.get(&owner)) {
            member.wake.notify_one();
        }
    }

    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
        self.wake_all();
    }

    /// Begins anew from this place of a topic's queues. False when it is not registered for the topic.
    pub(super) fn seek(&mut self, name: &str, topic: &Topic, place: Place, now: Instant) -> bool {
        let Some(queues) = self.topics.get_mut(name) else {
            return false;
        };
        for (queue, log) in queues.iter_mut().zip(topic.logs()) {
            queue.seek(log, place, now);
        }
        if topic.has_grown() {
            growth::give_all_turns(topic, queues, now);
        }
        self.wake_all();
        true
    }

    /// The topic has as many queues by now; the new ones are empty.
    pub(super) fn grow(&mut self, topic: &str, queues: u32) {
        if let Some(known) = self.topics.get_mut(topic) {
            known.resize_with(queues as usize, || GroupQueue::new(0));
            self.share_out();
        }
    }

    /// Something is not out any more, and may have had its key's turn only because it was.
    fn pass_turns_on(&mut self, topics: &HashMap<Arc<str>, Topic>, now: Instant) {
        let mut passed_on = false;
        for (name, queues) in &mut self.topics {
            if let Some(topic) = topics.get(name).filter(|topic| topic.has_grown()) {
                growth::give_held_turns(topic, queues, now);
                passed_on = true;
            }
        }
        if passed_on {
            self.wake_all();
        }
    }

    pub(super) fn is_member(&self, member: MemberId) -> bool {
        self.members.contains_key(&member)
    }

    /// Hands out at most `max` messages: first every queue its fair share, then what is left to whoever
    /// has more. Without any, the answer is when to ask again.
    pub(super) fn take(
        &mut self,
        member: MemberId,
        max: usize,
        topics: &HashMap<Arc<str>, Topic>,
        next_token: &mut u64,
        lease: Option<Duration>,
        now: Instant,
    ) -> (Vec<Taken>, Option<Instant>) {
        let mut taken = Vec::new();
        let mut again: Option<Instant> = None;
        let mut opened = false;
        self.advance_all_of(member, topics, now);
        let Some(state) = self.members.get_mut(&member) else {
            return (taken, None);
        };
        let count = state.queues.len();
        // Whoever resumes a group, or gives a member a queue, wakes it.
        if count == 0 || self.paused {
            return (taken, None);
        }
        state.turn = (state.turn + 1) % count;
        let share = max.div_ceil(count);
        for (round, n) in (0..2).flat_map(|round| (0..count).map(move |n| (round, n))) {
            let (topic_name, number) = &state.queues[(state.turn + n) % count];
            let queues = self
                .topics
                .get_mut(topic_name)
                .and_then(|queues| queues.split_at_mut_checked(*number as usize));
            let (Some((older, [queue, ..])), Some(topic)) = (queues, topics.get(topic_name)) else {
                continue;
            };
            let older = &*older;
            if growth::is_closed(topic, older, *number) {
                continue;
            }
            let has_older = |key: &str| growth::has_older(topic, older, *number, key);
            let before = queue.cursor();
            let limit = if round == 0 { taken.len() + share } else { max };
            while taken.len() < limit.min(max) {
                let log = topic.log(*number);
                let Some((offset, item)) = queue.take(member, log, *next_token, lease, now, has_older) else {
                    break;
                };
                taken.push(Taken {
                    topic: Arc::clone(topic_name),
                    queue: *number,
                    offset,
                    token: *next_token,
                    attempt: item.failures.saturating_add(1),
                    until: item.until(),
                    kept: Arc::clone(&item.kept),
                });
                *next_token += 1;
            }
            opened |= topic.opens(*number, before, queue.cursor());
            if round == 0 {
                again = earliest(again, queue.next_timer());
            }
        }
        for topic in &state.topics {
            again = earliest(again, topics.get(topic).and_then(Topic::next_due));
        }
        if opened {
            self.wake_all();
        }
        (taken, again)
    }

    /// Lets time pass in the queues of a member.
    fn advance_all_of(&mut self, member: MemberId, topics: &HashMap<Arc<str>, Topic>, now: Instant) {
        let Some(state) = self.members.get(&member) else {
            return;
        };
        let mut ran_out = false;
        for (topic, number) in &state.queues {
            let queues = self.topics.get_mut(topic);
            if let Some(queue) = queues.and_then(|queues| queues.get_mut(*number as usize)) {
                ran_out |= queue.advance(now);
            }
        }
        if ran_out {
            self.pass_turns_on(topics, now);
        }
    }

    /// Takes the outcome of a delivery. False when it belongs to somebody else by now.
    pub(super) fn settle(
        &mut self,
        topics: &HashMap<Arc<str>, Topic>,
        (topic, number): (&str, u32),
        (offset, token): (u64, u64),
        outcome: Outcome,
        now: Instant,
    ) -> bool {
        let Some(queue) = self.queue_mut(topic, number) else {
            return false;
        };
        // A lease that ran out counts from that moment, not from when somebody looked.
        let ran_out = queue.advance(now);
        let key = queue.key_of(offset);
        let taken = match outcome {
            Outcome::Ack => queue.finish(offset, token, now).is_some(),
            Outcome::Retry { after, error } => queue.fail(offset, token, after, error, now),
            Outcome::Dropped => queue.release(offset, token, now),
            Outcome::Dead { error } => match queue.finish(offset, token, now) {
                Some(item) => {
                    self.dead.push(DeadRow {
                        attempts: item.failures.saturating_add(1),
                        kept: item.kept,
                        queue: number,
                        offset,
                        error,
                        died_at: SystemTime::now(),
                    });
                    true
                }
                None => false,
            },
        };
        self.wake(topic, number);
        if ran_out {
            self.pass_turns_on(topics, now);
        }
        if let Some(key) = key {
            self.give_turn(topics, topic, &key, now);
        }
        taken
    }

    /// Gives a key's turn to the queue that it is, where the topic has grown, and wakes whoever may receive from it.
    fn give_turn(&mut self, topics: &HashMap<Arc<str>, Topic>, topic: &str, key: &Arc<str>, now: Instant) {
        let grown = topics.get(topic).filter(|topic| topic.has_grown());
        if let (Some(grown), Some(queues)) = (grown, self.topics.get_mut(topic))
            && let Some(turn) = growth::give_turn(grown, queues, key, now)
        {
            self.wake(topic, turn);
        }
    }

    /// Puts dead letters back to their places, with no attempts counted, and returns how many.
    pub(super) fn redrive(
        &mut self,
        id: Option<MessageId>,
        topics: &HashMap<Arc<str>, Topic>,
        now: Instant,
    ) -> usize {
        let rows = self.dead.take(id);
        let count = rows.len();
        for row in rows {
            let topic = Arc::clone(row.kept.message.shared_topic());
            let key = row.kept.message.shared_key().cloned();
            if let Some(queue) = self.queue_mut(&topic, row.queue) {
                queue.enter_again(row.offset, row.kept, now);
            }
            self.wake(&topic, row.queue);
            if let Some(key) = key {
                self.give_turn(topics, &topic, &key, now);
            }
        }
        count
    }

    pub(super) fn dead(&self) -> &DeadLetters {
        &self.dead
    }

    pub(super) fn discard(&mut self, id: Option<MessageId>) -> usize {
        self.dead.take(id).len()
    }

    /// How far it has read a queue; `None` when it is not registered for the topic.
    pub(super) fn cursor(&self, topic: &str, queue: u32) -> Option<u64> {
        self.queue(topic, queue).map(GroupQueue::cursor)
    }

    /// Whether all that was read of this queue is finished.
    pub(super) fn is_finished(&self, topic: &str, queue: u32) -> bool {
        self.queue(topic, queue).is_none_or(GroupQueue::is_finished)
    }

    pub(super) fn backlog(&self, topics: &HashMap<Arc<str>, Topic>) -> Backlog {
        let mut backlog = Backlog {
            dead: self.dead.len(),
            ..Backlog::default()
        };
        for (name, queues) in &self.topics {
            let Some(topic) = topics.get(name) else { continue };
            backlog.delayed += topic.delayed();
            for (log, queue) in topic.logs().iter().zip(queues) {
                let unread = log.end().saturating_sub(queue.cursor());
                backlog.ready += queue.ready() + usize::try_from(unread).unwrap_or(usize::MAX);
                backlog.in_flight += queue.out();
                backlog.waiting += queue.waiting();
            }
        }
        backlog
    }

    /// The messages that failed and are not finished, by topic, queue and offset.
    pub(super) fn failed(&self, now: Instant) -> Vec<FailedMessage> {
        let queues = self.topics.values().flatten();
        queues
            .flat_map(|queue| queue.failed(now))
            .map(|(_, failed)| failed)
            .collect()
    }

    /// The topics it is registered for.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.topics.keys()
    }

    fn queue(&self, topic: &str, queue: u32) -> Option<&GroupQueue> {
        self.topics.get(topic)?.get(queue as usize)
    }

    fn queue_mut(&mut self, topic: &str, queue: u32) -> Option<&mut GroupQueue> {
        self.topics.get_mut(topic)?.get_mut(queue as usize)
    }
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
