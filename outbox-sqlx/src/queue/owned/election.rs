use tokio::time::Instant;

use super::item::State;
use super::{Key, OwnedQueue};

impl OwnedQueue {
    /// One of the key came back: while later ones are out, nothing of it is handed out.
    pub(super) fn rewind(&mut self, key: &Key) {
        let Some(lane) = self.keys.get_mut(key) else {
            return;
        };
        if lane.out == 0 || lane.rewound {
            return;
        }
        lane.rewound = true;
        let offsets: Vec<i64> = lane.offsets.iter().collect();
        for offset in offsets {
            if !self.is_out(offset) {
                self.set(offset, State::Behind);
            }
        }
    }

    /// All of the key above `offset` that is not out goes to the retry table, behind it.
    pub(super) fn store_followers(&mut self, key: &Key, offset: i64) {
        let Some(lane) = self.keys.get(key) else {
            return;
        };
        let followers: Vec<i64> = lane.offsets.after(offset).collect();
        for follower in followers {
            let in_log = self.items.get(&follower).is_some_and(|item| !item.stored);
            if in_log && !self.is_out(follower) {
                self.store_behind(follower);
            }
        }
    }

    /// One of the key is gone. The usual case is that the others are handed out or ready already.
    pub(super) fn went_on(&mut self, key: &Key, now: Instant) {
        let Some(lane) = self.keys.get(key) else {
            return;
        };
        let Some(first) = lane.offsets.first() else {
            self.keys.remove(key);
            return;
        };
        let stored_is_first = self.items.get(&first).is_some_and(|item| item.stored);
        if stored_is_first || (lane.rewound && lane.out == 0) {
            self.elect(key, now);
        }
    }

    /// Gives the turn to whom it belongs: to all of the log that come first, or to the first one of the retry
    /// table alone.
    pub(super) fn elect(&mut self, key: &Key, now: Instant) {
        let Some(lane) = self.keys.get_mut(key) else {
            return;
        };
        if lane.rewound {
            if lane.out > 0 {
                return;
            }
            lane.rewound = false;
        }
        let any_out = lane.out > 0;
        let is_stored = |offset: &i64| self.items.get(offset).is_some_and(|item| item.stored);
        let of_log: Vec<i64> = lane
            .offsets
            .iter()
            .take_while(|offset| !is_stored(offset))
            .collect();
        let head = match of_log.is_empty() {
            true => lane.offsets.first(),
            false => None,
        };
        let before = lane.head;
        if before.is_some_and(|before| before != head.unwrap_or(before) && self.is_begun(before)) {
            // One that was redriven waits for the one whose turn has come already.
            return;
        }
        for offset in of_log {
            if !self.is_out(offset) {
                self.set(offset, self.startable(offset));
            }
        }
        if before != head {
            if let Some(before) = before {
                self.set(before, State::Behind);
            }
            if let Some(lane) = self.keys.get_mut(key) {
                lane.head = head;
            }
        }
        if let Some(head) = head
            && !any_out
            && !self.is_begun(head)
            // Above it the log may still hold earlier ones of the key, which a former owner had not finished.
            && head < self.read_to
        {
            self.release_alone(head, now);
        }
    }

    /// Whether its turn can't be taken back: it is out, or its attempt is counted already.
    fn is_begun(&self, offset: i64) -> bool {
        self.items
            .get(&offset)
            .is_some_and(|item| matches!(item.state, State::Out(_) | State::Trying) || item.tried)
    }

    /// It waits for nobody: it may be handed out now, or when its wait is over.
    pub(super) fn release_alone(&mut self, offset: i64, now: Instant) {
        let Some(item) = self.items.get(&offset) else {
            return;
        };
        let state = match item.not_before {
            Some(at) if at > now => State::Waiting(at),
            _ => self.startable(offset),
        };
        self.set(offset, state);
    }

    /// The state in which it may be handed out, one step after the other: in a trial, loaded, ready.
    pub(super) fn startable(&self, offset: i64) -> State {
        match self.items.get(&offset) {
            Some(item) if !item.tried && (item.suspect || self.trials.is_in_range(offset)) => State::Suspect,
            Some(item) if item.message.is_none() => State::Wanted,
            _ => State::Ready,
        }
    }

    fn is_out(&self, offset: i64) -> bool {
        self.items
            .get(&offset)
            .is_some_and(|item| matches!(item.state, State::Out(_)))
    }

    /// The only place that changes a state, so that the indexes can't disagree with it.
    pub(super) fn set(&mut self, offset: i64, state: State) {
        let Some(item) = self.items.get_mut(&offset) else {
            return;
        };
        let before = std::mem::replace(&mut item.state, state);
        if before == state {
            return;
        }
        let lane = item.key.as_ref().and_then(|key| self.keys.get_mut(key));
        match before {
            State::Ready => {
                self.ready.remove(offset);
            }
            State::Wanted => {
                self.wanted.remove(&offset);
            }
            State::Suspect => self.trials.withdraw(offset),
            State::Out(_) => {
                self.out -= 1;
                if let Some(lane) = lane {
                    lane.out -= 1;
                }
            }
            State::Waiting(at) => {
                self.timers.remove(&(at, offset));
            }
            State::Trying | State::Behind => {}
        }
        let lane = item.key.as_ref().and_then(|key| self.keys.get_mut(key));
        match state {
            State::Ready => {
                self.ready.insert(offset);
            }
            State::Wanted => {
                self.wanted.insert(offset);
            }
            State::Suspect => self.trials.offer(offset),
            State::Out(_) => {
                self.out += 1;
                if let Some(lane) = lane {
                    lane.out += 1;
                }
            }
            State::Waiting(at) => {
                self.timers.insert((at, offset));
            }
            State::Trying | State::Behind => {}
        }
    }
}
