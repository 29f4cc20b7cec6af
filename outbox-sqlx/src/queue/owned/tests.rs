//! A model: a log, a retry table and dead letters as plain collections, an owner that reads, hands out, writes down and
//! crashes at random, and a consumer that keeps to its contract (after a retry or a drop it drops the later ones of
//! the key that it has).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use outbox_core::Message;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{Change, Changes, Outcome, OwnedQueue, StoredItem, Trials};

#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    Read(usize),
    Take(usize),
    /// Of what is out, the n-th.
    Ack(usize),
    Retry(usize, u64),
    Dead(usize),
    Drop(usize),
    Pass(u64),
    Write,
    /// The owner is gone without a word.
    Crash,
    /// The owner leaves in good order.
    Leave,
    Redrive(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..4).prop_map(Step::Append),
        3 => (1usize..8).prop_map(Step::Read),
        4 => (1usize..6).prop_map(Step::Take),
        6 => any::<usize>().prop_map(Step::Ack),
        3 => (any::<usize>(), 0u64..3).prop_map(|(n, wait)| Step::Retry(n, wait)),
        1 => any::<usize>().prop_map(Step::Dead),
        2 => any::<usize>().prop_map(Step::Drop),
        2 => (1u64..4).prop_map(Step::Pass),
        3 => Just(Step::Write),
        1 => Just(Step::Crash),
        1 => Just(Step::Leave),
        1 => any::<usize>().prop_map(Step::Redrive),
    ]
}

#[derive(Debug, Clone)]
struct Row {
    attempts: u32,
    due: Option<Instant>,
    in_trial: bool,
}

/// What the database has.
#[derive(Default)]
struct Stored {
    log: Vec<Message>,
    cursor: i64,
    retries: BTreeMap<i64, Row>,
    dead: BTreeMap<i64, u32>,
    deaths: u32,
    range_to: i64,
}

impl Stored {
    fn write(&mut self, changes: Changes, now: Instant) {
        assert!(changes.cursor >= self.cursor, "the cursor went back");
        for (offset, change) in changes.rows {
            match change {
                Change::Retry(row) => {
                    assert!(
                        row.from_log || self.retries.contains_key(&offset),
                        "no row {offset} to change"
                    );
                    let before = self.retries.get(&offset).map_or(0, |row| row.attempts);
                    assert!(row.attempts >= before, "attempts fell");
                    let due = row.wait.map(|wait| now + wait);
                    self.retries.insert(
                        offset,
                        Row {
                            attempts: row.attempts,
                            due,
                            in_trial: row.in_trial,
                        },
                    );
                }
                Change::Finished => {
                    self.retries.remove(&offset);
                }
                Change::Dead {
                    attempts, from_log, ..
                } => {
                    assert!(
                        from_log || self.retries.remove(&offset).is_some(),
                        "no row {offset} to bury"
                    );
                    self.dead.insert(offset, attempts);
                }
            }
        }
        self.cursor = changes.cursor;
        if changes.recovered {
            self.deaths = 0;
        }
    }

    fn rows(&self) -> Vec<StoredItem> {
        let rows = self.retries.iter().map(|(&offset, row)| StoredItem {
            offset,
            key: self.log[offset as usize].shared_key().cloned(),
            attempts: row.attempts,
            not_before: row.due,
            in_trial: row.in_trial,
        });
        rows.collect()
    }

    fn open(&self, now: Instant) -> OwnedQueue {
        let dead = self.dead.range(self.cursor..).map(|(&offset, _)| offset);
        OwnedQueue::new(
            self.cursor,
            self.rows(),
            dead.collect(),
            Trials::new(self.deaths, self.range_to),
            now,
        )
    }
}

struct World {
    stored: Stored,
    queue: OwnedQueue,
    now: Instant,
    next_token: u64,
    /// Out: offset, token.
    out: Vec<(i64, u64)>,
    acked: BTreeSet<i64>,
    /// Acknowledged at any time, whether or not that was written down before a crash: what comes again of them is a
    /// duplicate, which later ones of the key need not wait for.
    ever_acked: BTreeSet<i64>,
    /// Dead in the owner's mind.
    buried: BTreeSet<i64>,
    /// Of each key the offsets that were handed out for the first time, in that order.
    first: HashMap<Arc<str>, Vec<i64>>,
    crashed: bool,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let stored = Stored::default();
        Self {
            queue: stored.open(now),
            stored,
            now,
            next_token: 0,
            out: Vec::new(),
            acked: BTreeSet::new(),
            ever_acked: BTreeSet::new(),
            buried: BTreeSet::new(),
            first: HashMap::new(),
            crashed: false,
        }
    }

    fn read(&mut self, max: usize) {
        let from = self.queue.read_from();
        let room = self.queue.room(1_000).min(max as i64);
        let rows: Vec<_> = (from..self.stored.log.len() as i64)
            .take(room.max(0) as usize)
            .map(|offset| (offset, self.stored.log[offset as usize].clone()))
            .collect();
        self.queue.read(rows, self.now);
    }

    fn take(&mut self, max: usize) {
        self.queue.advance_time(self.now);
        if self.queue.begin_trial() {
            assert!(self.write_now(), "a trial is written down first");
            self.queue.trial_written();
        }
        for offset in self.queue.wanted(max) {
            if self.stored.retries.contains_key(&offset) {
                let message = self.stored.log[offset as usize].clone();
                self.queue.loaded(offset, message);
            } else {
                self.queue.vanished(offset, self.now);
            }
        }
        for taken in self.queue.take(max, &mut self.next_token) {
            let message = &self.stored.log[taken.offset as usize];
            assert_eq!(&taken.message, message);
            if let Some(key) = message.shared_key() {
                for (earlier, before) in self.stored.log[..taken.offset as usize].iter().enumerate() {
                    let earlier = earlier as i64;
                    assert!(
                        before.key() != message.key()
                            || self.ever_acked.contains(&earlier)
                            || self.buried.contains(&earlier)
                            || self.out.iter().any(|&(out, _)| out == earlier),
                        "{} was handed out before {earlier} of its key was finished",
                        taken.offset
                    );
                }
                let first = self.first.entry(Arc::clone(key)).or_default();
                if !first.contains(&taken.offset) {
                    first.push(taken.offset);
                }
            }
            assert!(
                !self.out.iter().any(|&(out, _)| out == taken.offset),
                "handed out twice"
            );
            if !self.crashed {
                assert!(
                    !self.acked.contains(&taken.offset),
                    "an acknowledged one came again"
                );
            }
            self.out.push((taken.offset, taken.token));
        }
    }

    fn settle(&mut self, index: usize, outcome: Outcome) {
        if self.out.is_empty() {
            return;
        }
        // A consumer takes those of a key in their order.
        let (offset, _) = self.out[index % self.out.len()];
        let key = self.stored.log[offset as usize].key().map(str::to_owned);
        let same = |world: &Self, other: i64| {
            key.is_some() && world.stored.log[other as usize].key() == key.as_deref()
        };
        let offset = self
            .out
            .iter()
            .map(|&(other, _)| other)
            .filter(|&other| other == offset || same(self, other))
            .min()
            .unwrap_or(offset);
        let place = self.out.iter().position(|&(other, _)| other == offset).unwrap();
        let (_, token) = self.out.remove(place);
        assert!(self.queue.settle(offset, token, outcome.clone(), self.now));
        assert!(
            !self.queue.settle(offset, token, Outcome::Ack, self.now),
            "an outcome counts once"
        );
        match outcome {
            Outcome::Ack => {
                self.acked.insert(offset);
                self.ever_acked.insert(offset);
            }
            Outcome::Dead { .. } => {
                self.buried.insert(offset);
            }
            Outcome::Retry { .. } | Outcome::Dropped => {
                let (later, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.out)
                    .into_iter()
                    .partition(|&(other, _)| same(self, other));
                self.out = kept;
                for (other, token) in later {
                    assert!(self.queue.settle(other, token, Outcome::Dropped, self.now));
                }
            }
        }
    }

    fn write_now(&mut self) -> bool {
        let changes = self.queue.take_changes();
        let any = changes.is_some();
        if let Some(changes) = changes {
            self.stored.write(changes, self.now);
        }
        for offset in 0..self.stored.cursor {
            assert!(
                self.acked.contains(&offset)
                    || self.stored.retries.contains_key(&offset)
                    || self.stored.dead.contains_key(&offset),
                "the cursor went past {offset}"
            );
        }
        any
    }

    fn crash(&mut self) {
        self.crashed = true;
        // What was not written down is not known any more.
        let cursor = self.stored.cursor;
        let retries = &self.stored.retries;
        self.acked
            .retain(|offset| *offset < cursor && !retries.contains_key(offset));
        self.buried = self.stored.dead.keys().copied().collect();
        // As `queue_free.sql` does.
        let in_hand = match self.stored.deaths {
            0 => super::WINDOW_ROWS,
            _ => super::CAREFUL_ROWS,
        };
        self.stored.deaths += 1;
        self.stored.range_to = (cursor + in_hand).min(self.stored.log.len() as i64);
        for (offset, _) in self.out.drain(..) {
            let due_without_key =
                retries.contains_key(&offset) && self.stored.log[offset as usize].key().is_none();
            assert!(
                offset < self.stored.range_to || due_without_key,
                "{offset} was in hand, and nobody suspects it"
            );
        }
        self.queue = self.stored.open(self.now);
    }

    fn redrive(&mut self, n: usize) {
        let dead: Vec<i64> = self.stored.dead.keys().copied().collect();
        if dead.is_empty() {
            return;
        }
        let offset = dead[n % dead.len()];
        self.stored.dead.remove(&offset);
        self.buried.remove(&offset);
        self.acked.remove(&offset);
        // Later ones of the key that are out or done are: a redrive is for those that come.
        let row = Row {
            attempts: 0,
            due: Some(self.now),
            in_trial: false,
        };
        self.stored.retries.insert(offset, row);
        // The owner is shown all rows, and finds out which is new.
        self.queue.redriven(self.stored.rows(), self.now);
    }

    /// The owner leaves with deliveries in flight; what it has finished must not come again.
    fn leave(&mut self) {
        self.write_now();
        self.queue.store_open();
        self.write_now();
        self.out.clear();
        self.queue = self.stored.open(self.now);
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Append(key) => {
                let message = Message::builder("t").payload(self.stored.log.len().to_string(), "text/plain");
                let message = if key == 0 {
                    message
                } else {
                    message.key(key.to_string())
                };
                self.stored.log.push(message.build().unwrap());
            }
            Step::Read(max) => self.read(max),
            Step::Take(max) => self.take(max),
            Step::Ack(n) => self.settle(n, Outcome::Ack),
            Step::Retry(n, wait) => self.settle(
                n,
                Outcome::Retry {
                    after: Duration::from_secs(wait),
                    error: "failed".into(),
                },
            ),
            Step::Dead(n) => self.settle(n, Outcome::Dead { error: "dead".into() }),
            Step::Drop(n) => self.settle(n, Outcome::Dropped),
            Step::Pass(seconds) => self.now += Duration::from_secs(seconds),
            Step::Write => {
                self.write_now();
            }
            Step::Crash => self.crash(),
            Step::Leave => self.leave(),
            Step::Redrive(n) => self.redrive(n),
        }
    }

    /// Everything is handled in the end.
    fn finish(&mut self) {
        for _ in 0..self.stored.log.len() * 6 + 20 {
            while !self.out.is_empty() {
                self.settle(0, Outcome::Ack);
            }
            self.now += Duration::from_secs(5);
            self.read(100);
            self.take(100);
            self.write_now();
        }
        assert!(self.out.is_empty());
        assert_eq!(
            self.stored.cursor,
            self.stored.log.len() as i64,
            "{:?}",
            self.queue
        );
        assert!(self.stored.retries.is_empty(), "{:?}", self.queue);
        assert_eq!(
            (self.queue.stored(), self.queue.out(), self.queue.ready()),
            (0, 0, 0)
        );
        assert!(self.queue.items.is_empty() && self.queue.keys.is_empty() && self.queue.changes.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn keeps_order_and_loses_nothing(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.apply(step);
        }
        world.finish();
        if !world.crashed {
            for (key, first) in world.first {
                prop_assert!(first.is_sorted(), "key {key}: {first:?}");
            }
        }
    }
}
