use std::collections::VecDeque;
use std::sync::Arc;

use foldhash::HashMap;

use crate::subscriber::Delivery;

/// What order is kept within: a topic and a key.
pub(super) type LaneKey = (Arc<str>, Arc<str>);

/// The lane of a delivery; `None` for one without a key, which has no order.
pub(super) fn lane_key(delivery: &Delivery) -> Option<LaneKey> {
    let message = delivery.message();
    let key = message.shared_key()?;
    Some((Arc::clone(message.shared_topic()), Arc::clone(key)))
}

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

    /// How many [`take`](Self::take) would give.
    pub(super) fn available(&self, max: usize) -> usize {
        let mut available = 0;
        for (key, _) in &self.ready {
            if available >= max {
                break;
            }
            let behind = key.as_ref().and_then(|key| self.behind.get(key));
            available += 1 + behind.map_or(0, VecDeque::len);
        }
        available.min(max)
    }

    /// The first that [`take`](Self::take) would give.
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

    /// The next to start together, at most `max`: each with what is behind it of its key, in order. Each key among them is
    /// busy until it is [`finished`](Self::finished) or [`failed`](Self::failed), once for all of them.
    pub(super) fn take(&mut self, max: usize) -> Vec<(Option<LaneKey>, T)> {
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some((key, item)) = self.ready.pop_front() else {
                break;
            };
            let behind = key.as_ref().and_then(|key| self.behind.get_mut(key));
            let follow = behind.map_or_else(VecDeque::new, |behind| {
                let room = max - taken.len() - 1;
                behind.drain(..room.min(behind.len())).collect()
            });
            self.waiting -= follow.len();
            taken.push((key.clone(), item));
            taken.extend(follow.into_iter().map(|item| (key.clone(), item)));
        }
        taken
    }

    /// Gives back what waits behind those of this key that were started; the key stays busy.
    pub(super) fn behind(&mut self, key: &LaneKey) -> VecDeque<T> {
        let behind = self.behind.get_mut(key).map(std::mem::take).unwrap_or_default();
        self.waiting -= behind.len();
        behind
    }

    /// Those of this key that were started are done for good: the next may start.
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

    /// One of this key that was started comes again: what is behind it must come again after it, and is given
    /// back.
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
        /// Whatever is offered, taken in batches, finished, failed and given back in whatever order: no two batches with
        /// one key, of a key in order, and nothing gets lost.
        #[test]
        fn one_batch_of_a_key_at_a_time_in_order(steps in proptest::collection::vec((0u8..5, 0u8..4, 1usize..6), 1..200)) {
            let mut lanes = Lanes::new();
            let mut started: Vec<Vec<(u8, usize)>> = Vec::new();
            let mut last = [None::<usize>; 4];
            let (mut offered, mut done) = (0, 0);
            for (step, n, max) in steps {
                match step {
                    0 | 1 => {
                        lanes.offer(key(n), (n, offered));
                        offered += 1;
                    }
                    2 => {
                        let available = lanes.available(max);
                        let first = lanes.peek().copied();
                        let batch = lanes.take(max);
                        prop_assert_eq!(batch.len(), available);
                        prop_assert_eq!(batch.first().map(|(_, item)| *item), first);
                        let numbers: Vec<(u8, usize)> = batch.iter().map(|(_, item)| *item).collect();
                        for (lane, (n, number)) in batch {
                            prop_assert_eq!(&lane, &key(n));
                            let busy = started.iter().flatten().any(|&(other, _)| other == n);
                            prop_assert!(n == 0 || !busy, "two batches with key {}", n);
                            prop_assert!(n == 0 || last[usize::from(n)].is_none_or(|last| last < number));
                            last[usize::from(n)] = Some(number);
                        }
                        if !numbers.is_empty() { started.push(numbers) }
                    }
                    3 => {
                        if let Some(lane) = key(n) && started.iter().flatten().any(|&(other, _)| other == n) {
                            done += lanes.behind(&lane).len();
                        }
                    }
                    _ => {
                        if !started.is_empty() {
                            let batch = started.swap_remove(usize::from(n) % started.len());
                            done += end(&mut lanes, &batch, max % 3 == 0);
                        }
                    }
                }
                prop_assert_eq!(offered, done + started.iter().flatten().count() + lanes.unstarted());
            }
            for batch in started {
                done += end(&mut lanes, &batch, false);
            }
            // One of a time: so that what is behind has to come as well.
            while lanes.available(1) > 0 {
                let batch: Vec<_> = lanes.take(1).into_iter().map(|(_, item)| item).collect();
                done += end(&mut lanes, &batch, false);
            }
            prop_assert_eq!(offered, done);
            prop_assert!(lanes.behind.is_empty());
        }
    }

    /// Ends a batch, and returns how many are gone with it.
    fn end(lanes: &mut Lanes<(u8, usize)>, batch: &[(u8, usize)], fails: bool) -> usize {
        let mut gone = batch.len();
        let mut keys: Vec<LaneKey> = batch.iter().filter_map(|&(n, _)| key(n)).collect();
        keys.dedup();
        for lane in keys {
            if fails {
                gone += lanes.failed(&lane).len();
            } else {
                lanes.finished(lane);
            }
        }
        gone
    }
}
