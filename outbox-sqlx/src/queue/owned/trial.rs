use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::item::State;
use super::{OwnedQueue, Retry};

/// How often a process may die over a queue before its messages are handed out in trials.
const DEATHS_BEFORE_TRIALS: u32 = 2;

/// A message that kills its process reports no failure. So deaths are counted on the queue. After the first one only few
/// messages are in hand at a time, so that the second one has few causes; from then on these are handed out in trials:
/// one at a time, its attempt counted *before* its handler runs.
#[derive(Debug, Default)]
pub(in crate::queue) struct Trials {
    /// How many owners died since the queue last got past what they had in hand.
    deaths: u32,
    /// What the dead owners had in hand of the log is below this offset.
    range_to: i64,
    /// What they may have had in hand of the retry table, and has had no outcome since.
    due: HashSet<i64>,
    /// May be handed out in a trial.
    waiting: BTreeSet<i64>,
    /// Its trial has begun, and has no outcome.
    running: Option<i64>,
    recovered: bool,
}

impl Trials {
    /// As the queue was found when it was taken over.
    pub(in crate::queue) fn new(deaths: u32, range_to: i64) -> Self {
        Self {
            deaths,
            range_to,
            ..Self::default()
        }
    }

    /// A row of the retry table that was due when the queue was taken over. One with a key has its turn only once the log is
    /// read past it: above the range nobody had it in hand, and to wait for its outcome would be to wait for the log, which is not
    /// read there meanwhile.
    pub(super) fn note_due(&mut self, offset: i64, has_key: bool) {
        if self.deaths > 0 && (offset < self.range_to || !has_key) {
            self.due.insert(offset);
        }
    }

    /// Whether what is at this offset may have killed the former owners, again and again.
    pub(super) fn is_in_range(&self, offset: i64) -> bool {
        self.deaths >= DEATHS_BEFORE_TRIALS && (offset < self.range_to || self.due.contains(&offset))
    }

    /// Whether only few messages may be in hand: whoever counts the next death takes that for granted, until it is written
    /// down that the queue has got past the last one.
    pub(super) fn is_careful(&self) -> bool {
        self.deaths > 0 || self.recovered
    }

    /// While there are trials the log is not read beyond them: another one that kills the process would be taken for
    /// the one in the trial.
    pub(super) fn read_limit(&self) -> Option<i64> {
        (self.deaths >= DEATHS_BEFORE_TRIALS).then_some(self.range_to)
    }

    pub(super) fn offer(&mut self, offset: i64) {
        self.waiting.insert(offset);
    }

    pub(super) fn withdraw(&mut self, offset: i64) {
        self.waiting.remove(&offset);
    }

    /// It has an outcome.
    pub(super) fn finished(&mut self, offset: i64) {
        if self.running == Some(offset) {
            self.running = None;
        }
        self.due.remove(&offset);
    }

    /// It is not there any more.
    pub(super) fn gone(&mut self, offset: i64) {
        self.finished(offset);
    }

    /// Notices that everything the dead owners had in hand has had an outcome.
    pub(super) fn settle(&mut self, cursor: i64) {
        if self.deaths > 0 && cursor >= self.range_to && self.due.is_empty() && self.running.is_none() {
            self.deaths = 0;
            self.recovered = true;
        }
    }

    /// That is still to be written down.
    pub(super) fn has_recovered(&self) -> bool {
        self.recovered
    }

    pub(super) fn take_recovered(&mut self) -> bool {
        std::mem::take(&mut self.recovered)
    }
}

impl OwnedQueue {
    /// Whether one is handed out in a trial at the moment.
    pub(in crate::queue) fn in_trial(&self) -> bool {
        self.trials.running.is_some()
    }

    /// Begins the next trial, if there is one to begin: once the changes are written that this makes,
    /// [`trial_written`](Self::trial_written) lets the message go out.
    pub(in crate::queue) fn begin_trial(&mut self) -> bool {
        if self.trials.running.is_some() {
            return false;
        }
        let Some(&offset) = self.trials.waiting.first() else {
            return false;
        };
        self.set(offset, State::Trying);
        let Some(item) = self.items.get_mut(&offset) else {
            return false;
        };
        item.attempts = item.attempts.saturating_add(1);
        item.tried = true;
        let (attempts, key) = (item.attempts, item.key.clone());
        self.trials.running = Some(offset);
        self.store(
            offset,
            Retry {
                attempts,
                wait: Some(Duration::ZERO),
                in_trial: true,
                error: None,
                from_log: false,
            },
        );
        if let Some(key) = key {
            self.store_followers(&key, offset);
        }
        true
    }

    /// The attempt of the trial is written down: its message may go out.
    pub(in crate::queue) fn trial_written(&mut self) {
        if let Some(offset) = self.trials.running
            && self
                .items
                .get(&offset)
                .is_some_and(|item| item.state == State::Trying)
        {
            self.set(offset, self.startable(offset));
        }
    }
}
