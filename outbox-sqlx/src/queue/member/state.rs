use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::HashSet;
use outbox_core::{Message, ReceiveError};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::queue::owned::{Outcome, OwnedQueue, StoredItem};
use crate::queue::read::{ReadFrom, ReadMessage};
use crate::queue::settle::QueueChanges;
use crate::queue::split::Waiting;

/// A queue that this member has.
#[derive(Debug)]
pub(super) struct Owned {
    pub(super) topic: Arc<str>,
    pub(super) number: u32,
    pub(super) epoch: i64,
    pub(super) queue: OwnedQueue,
    /// Another member should have it: nothing more is handed out.
    pub(super) handing_over: bool,
    /// The last read found the end.
    pub(super) at_end: bool,
    /// Queues that were split off it and wait for the group to come to the split.
    pub(super) waiting: Vec<Waiting>,
    /// It has been said that its retries are too many.
    pub(super) full_was_said: bool,
}

/// Who waits for an outcome to be written down.
pub(super) type Waiter = oneshot::Sender<Result<(), ReceiveError>>;

/// What is handed out, before it becomes a delivery.
pub(in crate::queue) struct Handed {
    pub(in crate::queue) queue: i64,
    pub(in crate::queue) number: u32,
    pub(in crate::queue) epoch: i64,
    pub(in crate::queue) offset: i64,
    pub(in crate::queue) token: u64,
    pub(in crate::queue) attempt: u32,
    pub(in crate::queue) message: Message,
}

/// Changes on their way to the database, and who waits for them.
pub(super) struct Batch {
    pub(super) queues: Vec<QueueChanges>,
    waiters: Vec<((i64, i64), Waiter)>,
}

/// What a member, its subscriber and its deliveries share.
#[derive(Debug)]
pub(in crate::queue) struct State {
    queues: BTreeMap<i64, Owned>,
    /// Which queue is asked first, so that each has its turn.
    turn: usize,
    next_token: u64,
    /// Until when the member's queues are surely its own.
    lease_until: Option<Instant>,
    /// Nothing is handed out with less of the lease left.
    assured: Duration,
    pub(super) paused: bool,
    pub(super) closed: bool,
    /// How many the subscriber waits for; 0 when it doesn't wait.
    asked: usize,
    /// The most it has asked for so far.
    asked_most: usize,
    /// Why nothing comes, to be said once.
    pub(super) failure: Option<ReceiveError>,
    waiters: Vec<((i64, i64), Waiter)>,
    /// Outcomes since the last batch, and when the first of them came.
    outcomes: usize,
    outcome_at: Option<Instant>,
}

impl State {
    pub(super) fn new(assured: Duration) -> Self {
        Self {
            queues: BTreeMap::new(),
            turn: 0,
            next_token: 0,
            lease_until: None,
            assured,
            paused: false,
            closed: false,
            asked: 0,
            asked_most: 0,
            failure: None,
            waiters: Vec::new(),
            outcomes: 0,
            outcome_at: None,
        }
    }

    /// Hands out at most `max` messages: first every queue its fair share, then what is left to whoever has more.
    pub(in crate::queue) fn take(&mut self, max: usize, now: Instant) -> Vec<Handed> {
        let mut handed = Vec::new();
        self.asked_most = self.asked_most.max(max);
        let left = self.lease_left(now);
        if self.paused || self.queues.is_empty() || left.is_none_or(|left| left < self.assured) {
            self.asked = max;
            return handed;
        }
        let count = self.queues.len();
        self.turn = (self.turn + 1) % count;
        let share = max.div_ceil(count);
        let order: Vec<i64> = self
            .queues
            .keys()
            .copied()
            .cycle()
            .skip(self.turn)
            .take(count)
            .collect();
        for (round, id) in (0..2).flat_map(|round| order.iter().map(move |&id| (round, id))) {
            let Some(owned) = self.queues.get_mut(&id) else {
                continue;
            };
            if owned.handing_over {
                continue;
            }
            let room = max - handed.len();
            let limit = if round == 0 { share.min(room) } else { room };
            for taken in owned.queue.take(limit, &mut self.next_token) {
                handed.push(Handed {
                    queue: id,
                    number: owned.number,
                    epoch: owned.epoch,
                    offset: taken.offset,
                    token: taken.token,
                    attempt: taken.attempt,
                    message: taken.message,
                });
            }
        }
        self.asked = if handed.is_empty() { max } else { 0 };
        handed
    }

    /// Takes the outcome of a delivery; false when it belongs to somebody else by now. With a waiter, the outcome is
    /// written down at once and the waiter told.
    pub(in crate::queue) fn settle(
        &mut self,
        (queue, epoch): (i64, i64),
        (offset, token): (i64, u64),
        outcome: Outcome,
        waiter: Option<Waiter>,
        now: Instant,
    ) -> bool {
        let mine = self.lease_left(now).is_some();
        let Some(owned) = self
            .queues
            .get_mut(&queue)
            .filter(|owned| mine && owned.epoch == epoch)
        else {
            return false;
        };
        if !owned.queue.settle(offset, token, outcome, now) {
            return false;
        }
        self.outcomes += 1;
        self.outcome_at.get_or_insert(now);
        if let Some(waiter) = waiter {
            self.waiters.push(((queue, epoch), waiter));
        }
        true
    }

    /// What is left of the lease; `None` when it has run out.
    pub(in crate::queue) fn lease_left(&self, now: Instant) -> Option<Duration> {
        self.lease_until?
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    pub(super) fn renewed(&mut self, until: Instant) {
        self.lease_until = Some(until);
    }

    /// The member leaves: what it has not finished is not to come again together with what it has.
    pub(super) fn store_open(&mut self) {
        for owned in self.queues.values_mut() {
            owned.queue.store_open();
        }
    }

    /// The member has lost everything it had.
    pub(super) fn lose_all(&mut self) {
        self.lease_until = None;
        self.queues.clear();
        self.outcomes = 0;
        self.outcome_at = None;
        for (_, waiter) in self.waiters.drain(..) {
            let _ = waiter.send(Err(ReceiveError::Fenced));
        }
    }

    pub(super) fn insert(&mut self, id: i64, owned: Owned) {
        self.queues.insert(id, owned);
    }

    pub(super) fn remove(&mut self, id: i64) -> Option<Owned> {
        self.queues.remove(&id)
    }

    pub(super) fn queues(&self) -> impl Iterator<Item = (i64, &Owned)> {
        self.queues.iter().map(|(&id, owned)| (id, owned))
    }

    pub(super) fn queues_mut(&mut self) -> impl Iterator<Item = (i64, &mut Owned)> {
        self.queues.iter_mut().map(|(&id, owned)| (id, owned))
    }

    pub(super) fn queue_mut(&mut self, id: i64) -> Option<&mut Owned> {
        self.queues.get_mut(&id)
    }

    /// Keeps only these queues, under these epochs. Says which of those it has no record of.
    pub(super) fn keep_only(&mut self, mine: &[(i64, i64)], to_hand_over: &[i64]) -> Vec<(i64, i64)> {
        let mine: HashSet<(i64, i64)> = mine.iter().copied().collect();
        self.queues.retain(|&id, owned| mine.contains(&(id, owned.epoch)));
        for (id, owned) in &mut self.queues {
            owned.handing_over = to_hand_over.contains(id);
        }
        mine.into_iter()
            .filter(|(id, _)| !self.queues.contains_key(id))
            .collect()
    }

    /// Lets time pass, and begins a trial where there is to be one: one at a time, whatever the number of queues.
    pub(super) fn advance(&mut self, now: Instant) {
        for owned in self.queues.values_mut() {
            owned.queue.advance_time(now);
        }
        if self.paused || self.queues.values().any(|owned| owned.queue.in_trial()) {
            return;
        }
        for owned in self.queues.values_mut() {
            if !owned.handing_over && owned.queue.begin_trial() {
                return;
            }
        }
    }

    /// Whether something has to be written down now: somebody waits for it, it has waited for long, or there is much.
    pub(super) fn is_write_due(&self, now: Instant, interval: Duration, many: usize) -> bool {
        !self.waiters.is_empty()
            || self.outcomes >= many
            || self.outcome_at.is_some_and(|at| now >= at + interval)
            || self.queues.values().any(|owned| {
                owned.queue.in_trial()
                    || owned.handing_over
                    || !owned.waiting.is_empty()
                    || owned.queue.has_recovered()
                    || owned.queue.wants_unwritten()
            })
    }

    /// When that will be.
    pub(super) fn write_due_at(&self, interval: Duration) -> Option<Instant> {
        self.outcome_at.map(|at| at + interval)
    }

    /// Whether there is anything to be written down.
    pub(super) fn has_something_to_write(&self) -> bool {
        !self.waiters.is_empty() || self.queues.values().any(|owned| owned.queue.has_changes())
    }

    /// Whether an outcome makes the member look: the first one since it last did, one that somebody waits for, and one
    /// that lets something go on.
    pub(in crate::queue) fn is_worth_waking(&self) -> bool {
        self.outcomes <= 1 || !self.waiters.is_empty() || self.asked > 0 || self.outcomes % 256 == 0
    }

    /// All that has to be written down, and who waits for it.
    pub(super) fn take_batch(&mut self) -> Option<Batch> {
        self.outcomes = 0;
        self.outcome_at = None;
        let mut queues = Vec::new();
        for (&queue, owned) in &mut self.queues {
            if let Some(changes) = owned.queue.take_changes() {
                queues.push(QueueChanges {
                    queue,
                    epoch: owned.epoch,
                    changes,
                });
            }
        }
        let waiters = std::mem::take(&mut self.waiters);
        (!queues.is_empty() || !waiters.is_empty()).then_some(Batch { queues, waiters })
    }

    /// A batch was written, for those queues that are still this member's. Returns whether others were lost.
    pub(super) fn written(&mut self, batch: Batch, still_mine: &HashSet<i64>) -> bool {
        let mut lost = false;
        for changes in &batch.queues {
            let current = self
                .queues
                .get_mut(&changes.queue)
                .filter(|owned| owned.epoch == changes.epoch);
            if still_mine.contains(&changes.queue) {
                if let Some(owned) = current {
                    owned.queue.trial_written();
                }
            } else if current.is_some() {
                self.queues.remove(&changes.queue);
                lost = true;
            }
        }
        let written: HashSet<(i64, i64)> = batch
            .queues
            .iter()
            .map(|changes| (changes.queue, changes.epoch))
            .collect();
        for ((queue, epoch), waiter) in batch.waiters {
            // Where nothing was left to write, its outcome was written down before; unless its queue was taken away
            // together with its changes.
            let owned = self.queues.get(&queue).is_some_and(|owned| owned.epoch == epoch);
            let told = match written.contains(&(queue, epoch)) {
                true if still_mine.contains(&queue) => Ok(()),
                false if owned => Ok(()),
                _ => Err(ReceiveError::Fenced),
            };
            // Whoever waited may have stopped.
            let _ = waiter.send(told);
        }
        lost
    }

    /// At most `max` retries whose content is to be loaded, as (queue, offset).
    pub(super) fn wanted(&self, max: usize) -> Vec<(i64, i64)> {
        let mut wanted = Vec::new();
        for (&id, owned) in &self.queues {
            let offsets = owned.queue.wanted(max - wanted.len());
            wanted.extend(offsets.into_iter().map(|offset| (id, offset)));
        }
        wanted
    }

    /// Takes in the content of retries, of those that were asked for.
    pub(super) fn loaded(&mut self, asked: &[(i64, i64)], rows: Vec<ReadMessage>, now: Instant) {
        let mut missing: HashSet<(i64, i64)> = asked.iter().copied().collect();
        for row in rows {
            missing.remove(&(row.queue, row.offset));
            if let Some(owned) = self.queues.get_mut(&row.queue) {
                match row.problem {
                    None => owned.queue.loaded(row.offset, row.message),
                    Some(problem) => owned.queue.refuse(row.offset, problem, now),
                }
            }
        }
        for (queue, offset) in missing {
            if let Some(owned) = self.queues.get_mut(&queue) {
                owned.queue.vanished(offset, now);
            }
        }
    }

    /// What is to be read of the log: as much as keeps the subscriber busy, within these bounds.
    pub(super) fn to_read(&mut self, bounds: &ReadBounds, poll: bool) -> Vec<ReadFrom> {
        let (ready, weight) = self.queues.values().fold((0, 0), |(ready, weight), owned| {
            (ready + owned.queue.ready(), weight + owned.queue.weight())
        });
        if self.asked_most == 0 || self.paused {
            return Vec::new();
        }
        // Twice what is taken at once, so that reading and handling go on side by side.
        let target = (self.asked_most * 2).min(bounds.rows).max(1);
        if ready >= target.div_ceil(2) || (weight >= bounds.bytes && ready > 0) {
            return Vec::new();
        }
        let mut reads = Vec::new();
        let mut open = Vec::new();
        for (&id, owned) in &mut self.queues {
            if owned.handing_over || (owned.at_end && !poll) {
                continue;
            }
            let room = owned.queue.room(bounds.retries_max);
            if owned.queue.stored() >= bounds.retries_max
                && !std::mem::replace(&mut owned.full_was_said, true)
            {
                tracing::error!(
                    topic = &*owned.topic,
                    queue = owned.number,
                    retries = owned.queue.stored(),
                    "a queue stands still for this group: too many of its messages failed or wait behind failed ones"
                );
            } else if owned.queue.stored() < bounds.retries_max {
                owned.full_was_said = false;
            }
            if room > 0 {
                open.push((id, room));
            }
        }
        let share = (target - ready).div_ceil(open.len().max(1));
        let fit = bounds.fit(weight).div_ceil(open.len().max(1));
        let rows = i64::try_from(share.min(fit).max(1)).unwrap_or(i64::MAX);
        for (id, room) in open {
            if let Some(owned) = self.queues.get(&id) {
                reads.push(ReadFrom {
                    queue: id,
                    offset: owned.queue.read_from(),
                    rows: rows.min(room),
                    topic: Arc::clone(&owned.topic),
                });
            }
        }
        reads
    }

    /// Takes in what was read.
    pub(super) fn read(&mut self, reads: &[ReadFrom], rows: Vec<ReadMessage>, now: Instant) {
        let mut by_queue: BTreeMap<i64, (Vec<(i64, Message)>, Vec<(i64, Arc<str>)>)> = BTreeMap::new();
        for row in rows {
            let (messages, problems) = by_queue.entry(row.queue).or_default();
            if let Some(problem) = row.problem {
                problems.push((row.offset, problem));
            }
            messages.push((row.offset, row.message));
        }
        for read in reads {
            let (messages, problems) = by_queue.remove(&read.queue).unwrap_or_default();
            let Some(owned) = self.queues.get_mut(&read.queue) else {
                continue;
            };
            if owned.queue.read_from() != read.offset {
                continue;
            }
            owned.at_end = (messages.len() as i64) < read.rows;
            owned.queue.read(messages, now);
            for (offset, problem) in problems {
                owned.queue.refuse(offset, problem, now);
                self.outcomes += 1;
                self.outcome_at.get_or_insert(now);
            }
        }
    }

    /// Something was appended: the ends are not known any more.
    pub(super) fn look_again(&mut self) {
        for owned in self.queues.values_mut() {
            owned.at_end = false;
        }
    }

    /// Retries that an operator has put back.
    pub(super) fn redriven(&mut self, id: i64, rows: Vec<StoredItem>, now: Instant) {
        if let Some(owned) = self.queues.get_mut(&id) {
            owned.queue.redriven(rows, now);
        }
    }

    /// Queues that are to be handed over, have nothing out and nothing to be written down.
    pub(super) fn handed_over(&self) -> Vec<(i64, i64)> {
        self.queues
            .iter()
            .filter(|(_, owned)| owned.handing_over && owned.queue.out() == 0 && !owned.queue.has_changes())
            .map(|(&id, owned)| (id, owned.epoch))
            .collect()
    }

    /// Whether the subscriber could do with more, and how soon time changes something.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.queues
            .values()
            .filter_map(|owned| owned.queue.next_timer())
            .min()
    }

    /// Whether there is something to hand out.
    pub(super) fn has_ready(&self) -> bool {
        self.queues
            .values()
            .any(|owned| !owned.handing_over && owned.queue.ready() > 0)
    }

    /// Whether the subscriber waits for something.
    pub(super) fn is_asked(&self) -> bool {
        self.asked > 0
    }

    /// The member is closed: its queues and epochs, to be given back.
    pub(super) fn close(&mut self) -> Vec<(i64, i64)> {
        self.closed = true;
        self.queues.iter().map(|(&id, owned)| (id, owned.epoch)).collect()
    }
}

/// How much is read ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadBounds {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    /// Most retries of a queue; with more it stands still.
    pub(super) retries_max: usize,
    /// What a message weighs, learnt from the last ones.
    pub(super) typical_weight: usize,
}

impl ReadBounds {
    /// How many messages fit beside what is here already.
    fn fit(&self, weight: usize) -> usize {
        let free = self.bytes.saturating_sub(weight);
        free.checked_div(self.typical_weight).unwrap_or(usize::MAX).max(1)
    }

    /// Learns: up at once, down slowly.
    pub(super) fn learn(&mut self, rows: usize, weight: usize) {
        if let Some(average) = weight.checked_div(rows) {
            self.typical_weight = average.max(self.typical_weight / 2 + average / 2);
        }
    }
}
