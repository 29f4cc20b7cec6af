use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use foldhash::{HashMap, HashSet};
use tokio::time::Instant;

use super::budget::Kept;
use super::clock::Place;
use super::config::MAX_DELAY;
use super::group::MemberId;
use super::topic::Log;
use crate::message::Message;

/// One queue as one group sees it: how far it has been read, and every message that was read and is
/// not finished. Pure: it is told the time and wakes nobody.
///
/// Of a key at most one message is out at a time. A message that failed waits, and later ones of its
/// key wait behind it; everything else goes on.
pub(super) struct GroupQueue {
    /// Who may receive from it.
    pub(super) assigned: Option<MemberId>,
    /// Whose the messages are that are out. While there are any, nobody else gets one: a queue that
    /// was given to another member is handed over once its former owner has finished.
    holder: Option<MemberId>,
    /// The offset that is read next.
    cursor: u64,
    items: HashMap<u64, Item>,
    /// The unfinished messages of each key.
    lanes: HashMap<Arc<str>, Lane>,
    /// Keys whose turn is in another queue of the topic: see `growth`.
    held: HashSet<Arc<str>>,
    /// Those that may be handed out, by offset.
    ready: BTreeSet<u64>,
    /// Those that are out.
    out: HashSet<u64>,
    /// When something happens by itself: a wait ends, a lease runs out. At most one per message.
    timers: BTreeSet<(Instant, u64)>,
}

/// A message that was read and is not finished.
pub(super) struct Item {
    pub(super) kept: Arc<Kept>,
    pub(super) failures: u32,
    /// What was wrong the last time.
    error: Option<Arc<str>>,
    not_before: Option<Instant>,
    state: ItemState,
}

/// A message that failed in a group, and is tried again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FailedMessage {
    /// The message.
    pub message: Message,
    /// How many attempts have failed.
    pub attempts: u32,
    /// What was wrong at the last one.
    pub error: Arc<str>,
    /// How long it still waits; zero when it may be handed out, or is in flight again.
    pub retry_in: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ItemState {
    /// May be handed out.
    Ready,
    /// Handed out under this token, perhaps for a limited time.
    Out { token: u64, until: Option<Instant> },
    /// Waits until this time after a failure.
    Waiting(Instant),
    /// Waits for an earlier message of its key.
    Behind,
}

struct Lane {
    offsets: BTreeSet<u64>,
    /// The one whose turn it is; all others are behind it.
    current: u64,
}

impl GroupQueue {
    pub(super) fn new(cursor: u64) -> Self {
        Self {
            assigned: None,
            holder: None,
            cursor,
            items: HashMap::default(),
            lanes: HashMap::default(),
            held: HashSet::default(),
            ready: BTreeSet::new(),
            out: HashSet::default(),
            timers: BTreeSet::new(),
        }
    }

    /// Everything below was read, and what is not finished of it is kept here.
    pub(super) fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn out(&self) -> usize {
        self.out.len()
    }

    /// How many wait after a failure, or behind one that does.
    pub(super) fn waiting(&self) -> usize {
        self.items.len() - self.ready.len() - self.out.len()
    }

    /// The messages that failed and are not finished, by offset.
    pub(super) fn failed(&self, now: Instant) -> Vec<(u64, FailedMessage)> {
        let failed = |(&offset, item): (&u64, &Item)| {
            let message = FailedMessage {
                message: item.kept.message.clone(),
                attempts: item.failures,
                error: Arc::clone(item.error.as_ref()?),
                retry_in: item
                    .not_before
                    .map_or(Duration::ZERO, |at| at.saturating_duration_since(now)),
            };
            Some((offset, message))
        };
        let mut failed: Vec<_> = self.items.iter().filter_map(failed).collect();
        failed.sort_unstable_by_key(|&(offset, _)| offset);
        failed
    }

    /// Whether all that was read is finished.
    pub(super) fn is_finished(&self) -> bool {
        self.items.is_empty()
    }

    /// When [`GroupQueue::advance`] will next change something.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Whether `member` may receive now.
    pub(super) fn is_open_to(&self, member: MemberId) -> bool {
        self.assigned == Some(member) && (self.out.is_empty() || self.holder == Some(member))
    }

    /// Lets time pass: waits that ended, leases that ran out. Whether any lease did.
    pub(super) fn advance(&mut self, now: Instant) -> bool {
        let mut ran_out = false;
        while let Some(&(at, offset)) = self.timers.first() {
            if at > now {
                break;
            }
            ran_out |= self.out.contains(&offset);
            self.give_back(offset, now);
        }
        ran_out
    }

    /// The key of a message that is not finished.
    pub(super) fn key_of(&self, offset: u64) -> Option<Arc<str>> {
        self.items.get(&offset)?.kept.message.shared_key().cloned()
    }

    /// Whether there is a message of the key that was read and is not finished.
    pub(super) fn has_key(&self, key: &str) -> bool {
        self.lanes.contains_key(key)
    }

    /// Whether a message of the key is out.
    pub(super) fn is_key_out(&self, key: &str) -> bool {
        self.lanes
            .get(key)
            .is_some_and(|lane| self.out.contains(&lane.current))
    }

    /// The keys of which messages were read and are not finished.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.lanes.keys()
    }

    /// The keys of which nothing may be handed out here.
    pub(super) fn held(&self) -> impl Iterator<Item = &Arc<str>> {
        self.held.iter()
    }

    /// Hands out nothing of the key until it is let go; one that is out stays so.
    pub(super) fn hold(&mut self, key: &Arc<str>, now: Instant) {
        if self.has_key(key) && self.held.insert(Arc::clone(key)) {
            self.elect(key, now);
        }
    }

    /// The key's turn is here.
    pub(super) fn let_go(&mut self, key: &Arc<str>, now: Instant) {
        if self.held.remove(key) {
            self.elect(key, now);
        }
    }

    /// Hands out the ready message with the lowest offset. `has_older` says whether another queue has earlier messages of
    /// a key.
    pub(super) fn take(
        &mut self,
        member: MemberId,
        log: &Log,
        token: u64,
        lease: Option<Duration>,
        now: Instant,
        has_older: impl Fn(&str) -> bool,
    ) -> Option<(u64, &Item)> {
        if !self.is_open_to(member) {
            return None;
        }
        // Reading stops at the first message whose key is free; those of busy keys go behind.
        while self.ready.is_empty() {
            let kept = Arc::clone(log.get(self.cursor)?);
            if let Some(key) = kept.message.shared_key()
                && !self.has_key(key)
                && has_older(key)
            {
                self.held.insert(Arc::clone(key));
            }
            self.enter(self.cursor, kept, now);
            self.cursor += 1;
        }
        let offset = *self.ready.first()?;
        self.holder = Some(member);
        let until = lease.map(|lease| later(now, lease));
        self.set(offset, ItemState::Out { token, until });
        Some((offset, self.items.get(&offset)?))
    }

    /// The message is finished. `None` when `token` is not the one it is out under any more.
    pub(super) fn finish(&mut self, offset: u64, token: u64, now: Instant) -> Option<Item> {
        self.is_out(offset, token).then_some(())?;
        self.set(offset, ItemState::Behind);
        let item = self.items.remove(&offset)?;
        if let Some(key) = item.kept.message.shared_key() {
            if let Some(lane) = self.lanes.get_mut(key) {
                lane.offsets.remove(&offset);
            }
            self.elect(&Arc::clone(key), now);
        }
        Some(item)
    }

    /// The message failed, and comes again after `after`. False when the token is an old one.
    pub(super) fn fail(
        &mut self,
        offset: u64,
        token: u64,
        after: Duration,
        error: Arc<str>,
        now: Instant,
    ) -> bool {
        if !self.is_out(offset, token) {
            return false;
        }
        if let Some(item) = self.items.get_mut(&offset) {
            item.failures = item.failures.saturating_add(1);
            item.error = Some(error);
            item.not_before = Some(later(now, after));
        }
        self.give_back(offset, now);
        true
    }

    /// The message was dropped without an outcome: it comes again, and nothing is counted.
    pub(super) fn release(&mut self, offset: u64, token: u64, now: Instant) -> bool {
        let out = self.is_out(offset, token);
        if out {
            self.give_back(offset, now);
        }
        out
    }

    /// The member is gone, and what it had out comes again for others.
    pub(super) fn release_all_of(&mut self, member: MemberId, now: Instant) {
        if self.holder == Some(member) {
            for offset in self.out.iter().copied().collect::<Vec<_>>() {
                self.give_back(offset, now);
            }
            self.holder = None;
        }
    }

    /// Forgets what was read, and reads on from a place: nobody's outcomes are taken any more. What only this queue keeps
    /// comes again, if it is from the place on.
    pub(super) fn seek(&mut self, log: &Log, place: Place, now: Instant) {
        let mut fresh = Self::new(log.offset_of(place));
        fresh.assigned = self.assigned;
        let mut kept_here: Vec<(u64, Item)> = std::mem::take(&mut self.items)
            .into_iter()
            .filter(|(offset, item)| {
                let included = |appended| place.includes(appended);
                *offset < log.first() && item.kept.appended().is_some_and(included)
            })
            .collect();
        kept_here.sort_unstable_by_key(|&(offset, _)| offset);
        for (offset, item) in kept_here {
            fresh.enter(offset, item.kept, now);
        }
        *self = fresh;
    }

    /// Puts a message in that was read before, at its old place in its key's order: a redrive. One that comes anyway,
    /// because the group was moved back, comes once.
    pub(super) fn enter_again(&mut self, offset: u64, kept: Arc<Kept>, now: Instant) {
        if offset < self.cursor && !self.items.contains_key(&offset) {
            self.enter(offset, kept, now);
        }
    }

    /// Puts a message in, at its place in its key's order.
    fn enter(&mut self, offset: u64, kept: Arc<Kept>, now: Instant) {
        let key = kept.message.shared_key().cloned();
        self.items.insert(
            offset,
            Item {
                kept,
                failures: 0,
                error: None,
                not_before: None,
                state: ItemState::Behind,
            },
        );
        let Some(key) = key else {
            self.set(offset, ItemState::Ready);
            return;
        };
        let lane = self.lanes.entry(Arc::clone(&key)).or_insert_with(|| Lane {
            offsets: BTreeSet::new(),
            current: offset,
        });
        lane.offsets.insert(offset);
        // Where an earlier one of the key has its turn, nothing changes for the others.
        if offset <= lane.current {
            self.elect(&key, now);
        }
    }

    fn is_out(&self, offset: u64, token: u64) -> bool {
        self.items
            .get(&offset)
            .is_some_and(|item| matches!(item.state, ItemState::Out { token: t, .. } if t == token))
    }

    /// A message that was out, or waited, is here again.
    fn give_back(&mut self, offset: u64, now: Instant) {
        let Some(item) = self.items.get(&offset) else {
            return;
        };
        match item.kept.message.shared_key().cloned() {
            Some(key) => {
                self.set(offset, ItemState::Behind);
                self.elect(&key, now);
            }
            None => {
                let state = item.ready_or_waiting(now);
                self.set(offset, state);
            }
        }
    }

    /// Gives the turn to the key's lowest offset, unless one of the key is out.
    fn elect(&mut self, key: &Arc<str>, now: Instant) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let Some(&first) = lane.offsets.first() else {
            self.lanes.remove(key);
            self.held.remove(key);
            return;
        };
        let before = lane.current;
        if let Some(item) = self.items.get(&before)
            && matches!(item.state, ItemState::Out { .. })
        {
            return;
        }
        lane.current = first;
        if before != first && self.items.contains_key(&before) {
            self.set(before, ItemState::Behind);
        }
        if let Some(item) = self.items.get(&first) {
            let held = self.held.contains(key);
            let state = if held {
                ItemState::Behind
            } else {
                item.ready_or_waiting(now)
            };
            self.set(first, state);
        }
    }

    /// The only place that changes a state, so that the indexes can't disagree with it.
    fn set(&mut self, offset: u64, state: ItemState) {
        let Some(item) = self.items.get_mut(&offset) else {
            return;
        };
        let before = std::mem::replace(&mut item.state, state);
        match before {
            ItemState::Ready => {
                self.ready.remove(&offset);
            }
            ItemState::Out { until, .. } => {
                self.out.remove(&offset);
                if let Some(until) = until {
                    self.timers.remove(&(until, offset));
                }
            }
            ItemState::Waiting(at) => {
                self.timers.remove(&(at, offset));
            }
            ItemState::Behind => {}
        }
        match state {
            ItemState::Ready => {
                self.ready.insert(offset);
            }
            ItemState::Out { until, .. } => {
                self.out.insert(offset);
                if let Some(until) = until {
                    self.timers.insert((until, offset));
                }
            }
            ItemState::Waiting(at) => {
                self.timers.insert((at, offset));
            }
            ItemState::Behind => {}
        }
    }
}

impl Item {
    /// When its lease ends; `None` when it has none, or is not out.
    pub(super) fn until(&self) -> Option<Instant> {
        match self.state {
            ItemState::Out { until, .. } => until,
            _ => None,
        }
    }

    fn ready_or_waiting(&self, now: Instant) -> ItemState {
        match self.not_before {
            Some(at) if at > now => ItemState::Waiting(at),
            _ => ItemState::Ready,
        }
    }
}

/// `now + wait`, however long the wait.
pub(super) fn later(now: Instant, wait: Duration) -> Instant {
    now + wait.min(MAX_DELAY)
}
