use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;

/// What order is kept within: a topic and a key.
pub(super) type LaneKey = (Arc<str>, Arc<str>);

/// What was received and not started: in order within a key, of which one at most is started at a time.
/// Pure.
pub(super) struct Lanes<T> {
    /// What may be started, in the order it came.
    ready: VecDeque<(Option<LaneKey>, T)>,
    /// For each key of which something is ready or started: what waits behind it.
    behind: HashMap<LaneKey, VecDeque<T>>,
    waiting: usize,
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        Self {
            ready: VecDeque::new(),
            behind: HashMap::default(),
            waiting: 0,
        }
    }

    /// How many were not started.
    pub(super) fn unstarted(&self) -> usize {
        self.ready.len() + self.waiting
    }

    /// Whether any may be started.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The one that [`take`](Self::take) would give.
    pub(super) fn peek(&self) -> Option<&T> {
        self.ready.front().map(|(_, item)| item)
    }

    /// Takes one in, after everything of its key that is here.
    pub(super) fn offer(&mut self, key: Option<LaneKey>, item: T) {
        if let Some(key) = &key {
            if let Some(behind) = self.behind.get_mut(key) {
                behind.push_back(item);
                self.waiting += 1;
                return;
            }
            self.behind.insert(key.clone(), VecDeque::new());
        }
        self.ready.push_back((key, item));
    }

    /// The next to start. Its key is busy until it is [`finished`](Self::finished) or
    /// [`failed`](Self::failed).
    pub(super) fn take(&mut self) -> Option<(Option<LaneKey>, T)> {
        self.ready.pop_front()
    }

    /// The one of this key that was started is done for good: the next may start.
    pub(super) fn finished(&mut self, key: LaneKey) {
        let Some(behind) = self.behind.get_mut(&key) else {
            return;
        };
        match behind.pop_front() {
            Some(next) => {
                self.waiting -= 1;
                self.ready.push_back((Some(key), next));
            }
            None => {
                self.behind.remove(&key);
            }
        }
    }

    /// The one of this key that was started comes again: what is behind it must come again after it, and
    /// is given back.
    pub(super) fn failed(&mut self, key: &LaneKey) -> VecDeque<T> {
        let behind = self.behind.remove(key).unwrap_or_default();
        self.waiting -= behind.len();
        behind
    }

    /// Gives back everything that was not started.
    pub(super) fn clear(&mut self) -> Vec<T> {
        self.waiting = 0;
        let ready = self.ready.drain(..).map(|(_, item)| item);
        ready
            .chain(self.behind.drain().flat_map(|(_, behind)| behind))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(n: u8) -> Option<LaneKey> {
        (n > 0).then(|| (Arc::from("t"), Arc::from(n.to_string())))
    }

    proptest! {
        /// Whatever is offered, taken, finished and failed in whatever order: of a key one at a time, in
        /// order, and nothing gets lost.
        #[test]
        fn one_of_a_key_at_a_time_in_order(steps in proptest::collection::vec((0u8..4, 0u8..4), 1..200)) {
            let mut lanes = Lanes::new();
            let mut started: Vec<(u8, usize)> = Vec::new();
            let mut last = [None::<usize>; 4];
            let (mut offered, mut done) = (0, 0);
            for (step, n) in steps {
                match step {
                    0 | 1 => {
                        lanes.offer(key(n), (n, offered));
                        offered += 1;
                    }
                    2 => {
                        if let Some((lane, (n, number))) = lanes.take() {
                            prop_assert_eq!(&lane, &key(n));
                            prop_assert!(n == 0 || started.iter().all(|&(other, _)| other != n), "two of key {}", n);
                            if n > 0 {
                                prop_assert!(last[usize::from(n)].is_none_or(|last| last < number));
                                last[usize::from(n)] = Some(number);
                            }
                            started.push((n, number));
                        }
                    }
                    _ => {
                        if !started.is_empty() {
                            let (n, _) = started.swap_remove(usize::from(n) % started.len());
                            done += 1;
                            match key(n) {
                                Some(lane) if done % 3 == 0 => done += lanes.failed(&lane).len(),
                                Some(lane) => lanes.finished(lane),
                                None => {}
                            }
                        }
                    }
                }
                prop_assert_eq!(offered, done + started.len() + lanes.unstarted());
            }
            for (n, _) in started {
                done += 1;
                if let Some(lane) = key(n) { lanes.finished(lane) }
            }
            while let Some((lane, _)) = lanes.take() {
                done += 1;
                if let Some(lane) = lane { lanes.finished(lane) }
            }
            prop_assert_eq!(offered, done);
            prop_assert!(lanes.behind.is_empty());
        }
    }
}
