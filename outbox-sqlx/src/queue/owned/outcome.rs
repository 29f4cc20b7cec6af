use std::sync::Arc;
use std::time::Duration;

use outbox_core::Message;
use tokio::time::Instant;

use super::item::State;
use super::{Change, OwnedQueue, Retry};

/// What became of a delivery.
#[derive(Debug, Clone)]
pub(in crate::queue) enum Outcome {
    /// Handled.
    Ack,
    /// Failed, and tried again later.
    Retry { after: Duration, error: Arc<str> },
    /// Given up.
    Dead { error: Arc<str> },
    /// Given back without an outcome.
    Dropped,
}

impl OwnedQueue {
    /// Takes the outcome of what is out under `token`. False when it is not out under it any more.
    pub(in crate::queue) fn settle(
        &mut self,
        offset: i64,
        token: u64,
        outcome: Outcome,
        now: Instant,
    ) -> bool {
        let Some(item) = self.items.get(&offset) else {
            return false;
        };
        if item.state != State::Out(token) {
            return false;
        }
        self.trials.finished(offset);
        match outcome {
            Outcome::Ack => self.finish(offset, now),
            Outcome::Retry { after, error } => self.fail(offset, after, error, now),
            Outcome::Dead { error } => self.bury(offset, error, now),
            Outcome::Dropped => self.give_back(offset, now),
        }
        true
    }

    /// A message that can't be read goes to the dead letters without having been out.
    pub(in crate::queue) fn refuse(&mut self, offset: i64, error: Arc<str>, now: Instant) {
        if self.items.contains_key(&offset) {
            self.bury(offset, error, now);
        }
    }

    /// Moves what has no outcome to the retry table, where something after it is finished: a next owner begins at the
    /// cursor, and would hand out the latter again. For an owner who leaves.
    pub(in crate::queue) fn store_open(&mut self) {
        let Some(last) = self.open.iter().rposition(|open| !open) else {
            return;
        };
        let open: Vec<i64> = (self.cursor..)
            .zip(self.open.iter().take(last))
            .filter_map(|(offset, open)| open.then_some(offset))
            .collect();
        for offset in open {
            self.store_behind(offset);
        }
    }

    fn finish(&mut self, offset: i64, now: Instant) {
        let in_table = self.items.get(&offset).is_some_and(|item| item.in_table);
        if in_table {
            self.changes.insert(offset, Change::Finished);
        } else {
            // It may have failed and been tried again since anything was last written.
            self.changes.remove(&offset);
        }
        self.remove(offset, now);
    }

    fn bury(&mut self, offset: i64, error: Arc<str>, now: Instant) {
        if let Some(item) = self.items.get(&offset) {
            let change = Change::Dead {
                attempts: if item.tried {
                    item.attempts
                } else {
                    item.attempts.saturating_add(1)
                },
                error,
                from_log: !item.in_table,
            };
            self.changes.insert(offset, change);
        }
        self.remove(offset, now);
    }

    fn fail(&mut self, offset: i64, after: Duration, error: Arc<str>, now: Instant) {
        self.set(offset, State::Behind);
        let Some(item) = self.items.get_mut(&offset) else {
            return;
        };
        if !item.tried {
            item.attempts = item.attempts.saturating_add(1);
        }
        item.tried = false;
        item.suspect = false;
        item.not_before = now.checked_add(after);
        let (attempts, key) = (item.attempts, item.key.clone());
        self.store(
            offset,
            Retry {
                attempts,
                wait: Some(after),
                in_trial: false,
                error: Some(error),
                from_log: false,
            },
        );
        match key {
            Some(key) => {
                self.rewind(&key);
                self.store_followers(&key, offset);
                self.elect(&key, now);
            }
            None => self.release_alone(offset, now),
        }
    }

    /// It was out, and comes again; nothing is counted.
    fn give_back(&mut self, offset: i64, now: Instant) {
        self.set(offset, State::Behind);
        let Some(item) = self.items.get_mut(&offset) else {
            return;
        };
        let key = item.key.clone();
        if std::mem::take(&mut item.tried) {
            // It was not the one that killed the process; what was counted stays counted.
            item.suspect = false;
            item.not_before = None;
            let attempts = item.attempts;
            self.store(
                offset,
                Retry {
                    attempts,
                    wait: Some(Duration::ZERO),
                    in_trial: false,
                    error: None,
                    from_log: false,
                },
            );
        }
        let Some(key) = key else {
            self.release_alone(offset, now);
            return;
        };
        self.rewind(&key);
        let in_log = self.items.get(&offset).is_some_and(|item| !item.stored);
        if in_log && self.is_behind_stored(&key, offset) {
            self.store_behind(offset);
        }
        self.elect(&key, now);
    }

    /// Makes a message the retry table's: the next changes write `row`.
    pub(super) fn store(&mut self, offset: i64, mut row: Retry) {
        let Some(item) = self.items.get_mut(&offset) else {
            return;
        };
        row.from_log = !item.in_table;
        // What an earlier change of the same batch had to say about the error stays said.
        if row.error.is_none()
            && let Some(Change::Retry(before)) = self.changes.get(&offset)
        {
            row.error.clone_from(&before.error);
        }
        self.changes.insert(offset, Change::Retry(row));
        if !item.stored {
            item.stored = true;
            self.stored += 1;
            if let Some(key) = item.key.clone()
                && let Some(lane) = self.keys.get_mut(&key)
            {
                lane.stored += 1;
            }
            self.close(offset);
        }
    }

    /// A message that waits behind a stored one of its key is stored too. Its payload is let go.
    pub(super) fn store_behind(&mut self, offset: i64) {
        self.set(offset, State::Behind);
        let Some(item) = self.items.get_mut(&offset) else {
            return;
        };
        let message = item.message.take();
        self.weight -= message.map_or(0, |message| message.weight());
        let attempts = item.attempts;
        self.store(
            offset,
            Retry {
                attempts,
                wait: None,
                in_trial: false,
                error: None,
                from_log: false,
            },
        );
    }

    /// It is over with this one: its key goes on.
    pub(super) fn remove(&mut self, offset: i64, now: Instant) {
        self.set(offset, State::Behind);
        let Some(item) = self.items.remove(&offset) else {
            return;
        };
        self.weight -= item.message.as_ref().map_or(0, Message::weight);
        if item.stored {
            self.stored -= 1;
            if offset >= self.read_to {
                self.settled.insert(offset);
            }
        } else {
            self.close(offset);
        }
        self.trials.gone(offset);
        if let Some(key) = item.key {
            let Some(lane) = self.keys.get_mut(&key) else {
                return;
            };
            lane.offsets.remove(offset);
            if item.stored {
                lane.stored -= 1;
            }
            if lane.head == Some(offset) {
                lane.head = None;
            }
            self.went_on(&key, now);
        }
    }
}
