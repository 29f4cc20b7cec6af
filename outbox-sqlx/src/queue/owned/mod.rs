//! One queue as its owner sees it: which of its messages may be handed out, and what has to be written down. Pure:
//! it is told the time, and does no I/O.
//!
//! A message is read from the log above the cursor. Finished, it lets the cursor go on; failed, it moves to the
//! group's retry table with a copy of its content, and so does every later message of its key that is read: the key
//! waits, the queue does not. What is out has a token; an outcome under another token is too late.
//!
//! In reading order: what is written down (`changes`), a message (`item`), reading and handing out (here), outcomes
//! (`outcome`), whose turn it is within a key (`election`), and what to do when the process keeps dying (`trial`).

mod changes;
mod election;
mod item;
mod offsets;
mod outcome;
mod trial;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use foldhash::HashMap;
use outbox_core::Message;
use tokio::time::Instant;

use changes::Retry;
pub(super) use changes::{Change, Changes, Key};
use item::{Item, KeyItems, State};
use offsets::Offsets;
pub(super) use outcome::Outcome;
pub(super) use trial::Trials;

/// Most messages above what the database was told of the cursor that are in hand at a time. What killed a former owner
/// was among them. (The model's windows are small enough to be filled.)
pub(super) const WINDOW_ROWS: i64 = if cfg!(test) { 8 } else { 1_024 };
/// As many where an owner has died, until the queue has got past what that one had in hand: whatever kills the next one is
/// among few.
pub(super) const CAREFUL_ROWS: i64 = if cfg!(test) { 3 } else { 16 };

/// A row of the retry table, as it is found when a queue is taken over.
#[derive(Debug, Clone)]
pub(super) struct StoredItem {
    pub(super) offset: i64,
    pub(super) key: Option<Key>,
    pub(super) attempts: u32,
    /// `None`: it was behind another one.
    pub(super) not_before: Option<Instant>,
    /// Its handler ran when the process died.
    pub(super) in_trial: bool,
}

/// A message that is handed out.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) offset: i64,
    pub(super) token: u64,
    /// Which attempt this is, from 1.
    pub(super) attempt: u32,
    pub(super) message: Message,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct OwnedQueue {
    /// Everything below is finished or stored.
    cursor: i64,
    /// What the database was last told of it.
    written: i64,
    /// The log was read up to here.
    read_to: i64,
    /// For each offset from `cursor` to `read_to`: whether it is neither finished nor stored.
    open: VecDeque<bool>,
    items: HashMap<i64, Item>,
    keys: HashMap<Key, KeyItems>,
    ready: Offsets,
    wanted: BTreeSet<i64>,
    timers: BTreeSet<(Instant, i64)>,
    out: usize,
    stored: usize,
    /// What the payloads weigh that are in memory.
    weight: usize,
    changes: BTreeMap<i64, Change>,
    /// Finished already, though the log is still to be read there: what a former owner wrote down above its cursor.
    settled: HashSet<i64>,
    trials: Trials,
}

impl OwnedQueue {
    /// A queue that was taken over at `cursor`.
    pub(super) fn new(
        cursor: i64,
        stored: Vec<StoredItem>,
        dead: Vec<i64>,
        trials: Trials,
        now: Instant,
    ) -> Self {
        let mut queue = Self {
            cursor,
            written: cursor,
            read_to: cursor,
            open: VecDeque::new(),
            items: HashMap::default(),
            keys: HashMap::default(),
            ready: Offsets::default(),
            wanted: BTreeSet::new(),
            timers: BTreeSet::new(),
            out: 0,
            stored: 0,
            weight: 0,
            changes: BTreeMap::new(),
            settled: dead.into_iter().collect(),
            trials,
        };
        for row in stored {
            if row.not_before.is_some_and(|at| at <= now) {
                queue.trials.note_due(row.offset, row.key.is_some());
            }
            queue.enter_stored(row, now);
        }
        queue
    }

    /// Takes in rows of the retry table that were not there before: dead letters that an operator has redriven. A row
    /// whose end is not written down yet is there still, and is none of them.
    pub(super) fn redriven(&mut self, rows: Vec<StoredItem>, now: Instant) {
        for row in rows {
            if !self.items.contains_key(&row.offset) && !self.changes.contains_key(&row.offset) {
                self.enter_stored(row, now);
            }
        }
    }

    fn enter_stored(&mut self, row: StoredItem, now: Instant) {
        // Above the cursor it is in the log as well; there it does not count.
        self.close(row.offset);
        self.stored += 1;
        let item = Item {
            key: row.key.clone(),
            message: None,
            attempts: row.attempts,
            stored: true,
            in_table: true,
            tried: false,
            suspect: row.in_trial,
            not_before: row.not_before,
            state: State::Behind,
        };
        self.items.insert(row.offset, item);
        match row.key {
            Some(key) => {
                let lane = self.keys.entry(key.clone()).or_default();
                lane.offsets.insert(row.offset);
                lane.stored += 1;
                let log_rows_follow = lane
                    .offsets
                    .after(row.offset)
                    .any(|offset| self.items.get(&offset).is_some_and(|item| !item.stored));
                if log_rows_follow {
                    self.store_followers(&key, row.offset);
                }
                self.elect(&key, now);
            }
            None => self.release_alone(row.offset, now),
        }
    }

    /// The offset at which the log is read next.
    pub(super) fn read_from(&self) -> i64 {
        self.read_to
    }

    /// How many more rows of the log may be read, when at most `stored_max` may be in the retry table.
    pub(super) fn room(&self, stored_max: usize) -> i64 {
        if self.stored >= stored_max {
            return 0;
        }
        let window_rows = match self.trials.is_careful() {
            true => CAREFUL_ROWS,
            false => WINDOW_ROWS,
        };
        let window_end = self.written.saturating_add(window_rows);
        let end = self
            .trials
            .read_limit()
            .map_or(window_end, |limit| window_end.min(limit));
        (end - self.read_to).max(0)
    }

    /// Takes in what was read of the log, in its order. Offsets that are missing were removed.
    pub(super) fn read(&mut self, rows: impl IntoIterator<Item = (i64, Message)>, now: Instant) {
        for (offset, message) in rows {
            if offset < self.read_to {
                continue;
            }
            self.skip_to(offset);
            self.read_to = offset + 1;
            if let Some(item) = self.items.get(&offset) {
                self.open.push_back(false);
                if let Some(key) = item.key.clone() {
                    self.elect(&key, now);
                }
                continue;
            }
            if self.settled.remove(&offset) {
                self.open.push_back(false);
                continue;
            }
            self.open.push_back(true);
            self.enter_read(offset, message, now);
        }
        self.advance();
    }

    /// Nothing is at the offsets below this one any more.
    fn skip_to(&mut self, offset: i64) {
        while self.read_to < offset {
            self.open.push_back(false);
            self.read_to += 1;
        }
    }

    fn enter_read(&mut self, offset: i64, message: Message, now: Instant) {
        let key = message.shared_key().cloned();
        self.weight += message.weight();
        let item = Item {
            key: key.clone(),
            message: Some(message),
            attempts: 0,
            stored: false,
            in_table: false,
            tried: false,
            suspect: false,
            not_before: None,
            state: State::Behind,
        };
        self.items.insert(offset, item);
        let Some(key) = key else {
            self.release_alone(offset, now);
            return;
        };
        let lane = self.keys.entry(key.clone()).or_default();
        lane.offsets.insert(offset);
        let held_up = lane.rewound && lane.out > 0;
        if self.is_behind_stored(&key, offset) {
            self.store_behind(offset);
        } else if !held_up {
            self.set(offset, self.startable(offset));
        }
    }

    /// Whether an earlier one of the key is stored. (After a crash there may be stored ones that are later.)
    fn is_behind_stored(&self, key: &Key, offset: i64) -> bool {
        let stored = |before: i64| self.items.get(&before).is_some_and(|item| item.stored);
        self.keys
            .get(key)
            .is_some_and(|lane| lane.stored > 0 && lane.offsets.before(offset).any(stored))
    }

    /// Hands out at most `max` messages, those with the lowest offsets.
    pub(super) fn take(&mut self, max: usize, next_token: &mut u64) -> Vec<Taken> {
        let mut taken = Vec::with_capacity(max.min(self.ready.len()));
        while taken.len() < max {
            let Some(offset) = self.ready.first() else { break };
            let token = *next_token;
            *next_token += 1;
            self.set(offset, State::Out(token));
            let Some(item) = self.items.get(&offset) else {
                break;
            };
            let Some(message) = item.message.clone() else {
                break;
            };
            // In a trial the attempt was counted before.
            let attempt = if item.tried {
                item.attempts
            } else {
                item.attempts.saturating_add(1)
            };
            taken.push(Taken {
                offset,
                token,
                attempt,
                message,
            });
        }
        taken
    }

    /// Lets time pass: waits that ended.
    pub(super) fn advance_time(&mut self, now: Instant) {
        while let Some(&(at, offset)) = self.timers.first() {
            if at > now {
                break;
            }
            self.set(offset, self.startable(offset));
        }
        self.trials.settle(self.cursor);
    }

    /// When [`advance_time`](Self::advance_time) will next change something.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// At most `max` rows of the retry table whose payload is to be loaded. What was not handed over to be written down
    /// yet is not there to be loaded; once it was, it may be looked for when it was written.
    pub(super) fn wanted(&self, max: usize) -> Vec<i64> {
        let wanted = self.wanted.iter().copied();
        wanted
            .filter(|offset| self.is_in_table(offset))
            .take(max)
            .collect()
    }

    /// Whether a payload is wanted of a row that has not been written down yet. To ask for it before would find nothing,
    /// as if somebody had removed it.
    pub(super) fn wants_unwritten(&self) -> bool {
        !self.wanted.iter().all(|offset| self.is_in_table(offset))
    }

    fn is_in_table(&self, offset: &i64) -> bool {
        self.items.get(offset).is_some_and(|item| item.in_table)
    }

    /// The payload of a row of the retry table.
    pub(super) fn loaded(&mut self, offset: i64, message: Message) {
        if let Some(item) = self.items.get_mut(&offset)
            && item.state == State::Wanted
        {
            self.weight += message.weight();
            item.message = Some(message);
            self.set(offset, self.startable(offset));
        }
    }

    /// A row of the retry table isn't there any more: somebody has removed it.
    pub(super) fn vanished(&mut self, offset: i64, now: Instant) {
        if self
            .items
            .get(&offset)
            .is_some_and(|item| item.state == State::Wanted)
        {
            self.remove(offset, now);
        }
    }

    /// What has to be written down, if anything.
    pub(super) fn take_changes(&mut self) -> Option<Changes> {
        self.trials.settle(self.cursor);
        let recovered = self.trials.take_recovered();
        if self.changes.is_empty() && self.cursor == self.written && !recovered {
            return None;
        }
        let rows = std::mem::take(&mut self.changes);
        for (offset, change) in &rows {
            if let (Change::Retry(_), Some(item)) = (change, self.items.get_mut(offset)) {
                item.in_table = true;
            }
        }
        self.written = self.cursor;
        Some(Changes {
            cursor: self.cursor,
            rows,
            recovered,
        })
    }

    /// Whether what killed its former owners is behind it, and that is still to be written down.
    pub(super) fn has_recovered(&self) -> bool {
        self.trials.has_recovered()
    }

    /// Whether there is something to write down.
    pub(super) fn has_changes(&self) -> bool {
        !self.changes.is_empty() || self.cursor != self.written || self.trials.has_recovered()
    }

    /// How many messages may be handed out at once.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// What the payloads weigh that are in memory.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// The keyed messages of the retry table below an offset, and whether each is in its handler's hands.
    pub(super) fn stored_below(&self, offset: i64) -> impl Iterator<Item = (i64, &Key, bool)> {
        self.items
            .iter()
            .filter(move |(at, item)| **at < offset && item.stored)
            .filter_map(|(&at, item)| {
                let busy = matches!(item.state, State::Out(_) | State::Trying);
                Some((at, item.key.as_ref()?, busy))
            })
    }

    /// These messages of the retry table are about to become another queue's: none of them is handed out any more.
    pub(super) fn withhold(&mut self, offsets: &[i64]) {
        for &offset in offsets {
            if self
                .items
                .get(&offset)
                .is_some_and(|item| item.state == State::Ready)
            {
                self.set(offset, State::Behind);
            }
        }
    }

    /// These messages of the retry table are another queue's now.
    pub(super) fn moved(&mut self, offsets: &[i64], now: Instant) {
        for &offset in offsets {
            self.changes.remove(&offset);
            self.remove(offset, now);
        }
    }

    /// How many are out.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// How many are in the retry table.
    pub(super) fn stored(&self) -> usize {
        self.stored
    }

    /// Everything below is finished or in the retry table.
    pub(super) fn cursor(&self) -> i64 {
        self.cursor
    }

    /// An offset of the log is finished or stored.
    fn close(&mut self, offset: i64) {
        if let Ok(index) = usize::try_from(offset - self.cursor)
            && let Some(open) = self.open.get_mut(index)
        {
            *open = false;
        }
        self.advance();
    }

    fn advance(&mut self) {
        while self.open.front() == Some(&false) {
            self.open.pop_front();
            self.cursor += 1;
        }
    }
}
