//! The scheduler against a simulated source and an outbox's rules, with everything at random: sizes,
//! pages, outcomes, holds, parks by an operator, lost and regained groups.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::*;

const GROUPS: u8 = 4;

#[derive(Clone, Debug)]
struct SimRow {
    key: Option<u8>,
    /// Steps until a held row is due again; `None` is not held.
    hold: Option<u32>,
}

fn group_of(key: Option<u8>, position: Position) -> Group {
    key.map_or(position as u8 % GROUPS, |key| key % GROUPS)
}

/// A relay in miniature: passes, holds and settling, but no time and no database.
struct Sim {
    random: fastrand::Rng,
    scheduler: KeyScheduler<u8, Position>,
    source: BTreeMap<Position, SimRow>,
    next: Position,
    owned: [bool; GROUPS as usize],
    mark: Position,
    floor: Position,
    in_flight: Vec<(Position, Option<u8>)>,
    settle: Vec<(Position, Option<u8>, bool)>,
    delivered: HashSet<Position>,
    last_of_key: HashMap<u8, Position>,
    atomic: bool,
}

impl Sim {
    fn new(seed: u64, bounds: Bounds, atomic: bool) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            scheduler: KeyScheduler::new(bounds),
            source: BTreeMap::new(),
            next: 1,
            owned: [true; GROUPS as usize],
            mark: 0,
            floor: 0,
            in_flight: Vec::new(),
            settle: Vec::new(),
            delivered: HashSet::new(),
            last_of_key: HashMap::new(),
            atomic,
        }
    }

    fn write(&mut self) {
        for _ in 0..self.random.u32(1..20) {
            let key = (self.random.u8(0..4) > 0).then(|| self.random.u8(0..12));
            self.source.insert(self.next, SimRow { key, hold: None });
            self.next += 1;
        }
    }

    fn begin_pass(&mut self) {
        let rewind = self
            .scheduler
            .rewinds()
            .map(|(_, low)| low - 1)
            .min()
            .unwrap_or(Position::MAX);
        // Without late rows the floor may be the mark: that is what makes rewinds necessary.
        self.floor = self.mark.max(self.floor);
        self.mark = self.floor.min(rewind).max(0);
        let owned = self.owned;
        self.scheduler
            .begin_pass((0..GROUPS).filter(|&group| owned[usize::from(group)]), self.mark);
    }

    fn read(&mut self) {
        let excluded: HashSet<u8> = self.scheduler.excluded().copied().collect();
        let leave_out = self.random.bool();
        let page: Vec<_> = self
            .source
            .range(self.mark + 1..)
            .filter(|(position, row)| {
                self.owned[usize::from(group_of(row.key, **position))]
                    && row.hold.is_none()
                    && !(leave_out && row.key.is_some_and(|key| excluded.contains(&key)))
            })
            .take(self.random.usize(1..30))
            .map(|(&position, row)| (position, row.key))
            .collect();
        let short = page.is_empty();
        for (position, key) in page {
            match self
                .scheduler
                .offer(position, group_of(key, position), key, 1, position)
            {
                Offer::Full => return,
                _ => self.mark = position,
            }
        }
        if short {
            self.begin_pass();
        }
    }

    fn read_due(&mut self) {
        for row in self.source.values_mut() {
            if let Some(wait) = &mut row.hold {
                *wait = wait.saturating_sub(1);
            }
        }
        let due: Vec<_> = self
            .source
            .iter()
            .filter(|(position, row)| {
                row.hold == Some(0) && self.owned[usize::from(group_of(row.key, **position))]
            })
            .map(|(&position, row)| (position, row.key))
            .collect();
        for (position, key) in due {
            if self
                .scheduler
                .offer(position, group_of(key, position), key, 1, position)
                == Offer::Full
            {
                break;
            }
        }
    }

    fn take(&mut self) {
        let owned = self.owned;
        let max = self.random.usize(1..10);
        for (position, content) in self
            .scheduler
            .take(max, self.atomic, |group| owned[usize::from(group)])
        {
            assert_eq!(position, content);
            let key = self.source.get(&position).and_then(|row| row.key);
            if let (Some(key), false) = (key, self.atomic) {
                assert!(
                    self.in_flight.iter().all(|(_, other)| *other != Some(key)),
                    "two of key {key} in flight"
                );
            }
            self.in_flight.push((position, key));
        }
    }

    fn outcome(&mut self, always_good: bool) {
        if self.in_flight.is_empty() {
            return;
        }
        if self.atomic {
            // All or nothing, as the capability promises.
            let batch = std::mem::take(&mut self.in_flight);
            if !always_good && self.random.u8(0..4) == 0 {
                return self
                    .scheduler
                    .put_back(batch.into_iter().map(|(position, _)| (position, position)));
            }
            return batch
                .into_iter()
                .for_each(|(position, key)| self.succeed(position, key));
        }
        let (position, key) = self
            .in_flight
            .swap_remove(self.random.usize(0..self.in_flight.len()));
        match self.random.u8(0..6) {
            0 if !always_good => self.scheduler.put_back([(position, position)]),
            1 if !always_good => {
                self.scheduler.hold(position);
                self.settle.push((position, key, false));
            }
            _ => self.succeed(position, key),
        }
    }

    fn succeed(&mut self, position: Position, key: Option<u8>) {
        if self.delivered.insert(position)
            && let Some(key) = key
        {
            let last = self.last_of_key.insert(key, position).unwrap_or(0);
            assert!(
                last < position,
                "key {key}: {position} was first delivered after {last}"
            );
        }
        self.scheduler.delivered(position);
        self.settle.push((position, key, true));
    }

    fn settle(&mut self) {
        for (position, key, delivered) in self.settle.drain(..) {
            if delivered {
                self.source.remove(&position);
            } else if let Some(row) = self.source.get_mut(&position)
                && self.owned[usize::from(group_of(key, position))]
            {
                row.hold = Some(self.random.u32(1..6));
            } else if let Some(key) = key {
                self.scheduler.forget(position);
                self.scheduler.free(&key, position);
            }
            self.scheduler.forget(position);
        }
    }

    /// Loses a group and, as another owner would have left it, gets it back.
    fn lose_and_regain(&mut self) {
        let group = self.random.u8(0..GROUPS);
        self.owned[usize::from(group)] = false;
        self.scheduler.drop_groups(|other| other == group);
        self.outcome(false);
        self.settle();
        self.owned[usize::from(group)] = true;
        self.scheduler.gain_groups(|other| other == group);
        self.floor = 0;
        self.mark = 0;
        self.sync();
        self.begin_pass();
    }

    fn sync(&mut self) {
        let held = self
            .source
            .iter()
            .filter_map(|(&position, row)| {
                row.key
                    .filter(|_| row.hold.is_some())
                    .map(|key| (key, (group_of(Some(key), position), position)))
            })
            .collect();
        self.scheduler
            .sync_holds(|_| true, true, &held, &HashMap::default());
    }

    /// An operator discards a held row.
    fn discard(&mut self) {
        let held: Vec<_> = self
            .source
            .iter()
            .filter(|(_, row)| row.hold.is_some())
            .map(|(&position, _)| position)
            .collect();
        if let Some(&position) = held.first()
            && !self.scheduler.contains(position)
        {
            self.source.remove(&position);
            self.delivered.insert(position);
            self.sync();
        }
    }

    fn check_bounds(&self, bounds: Bounds) {
        assert!(self.scheduler.len() <= bounds.rows);
        assert!(
            self.scheduler
                .lanes
                .values()
                .all(|lane| lane.waiting.len() <= bounds.key_rows + 16)
        );
    }
}

fn run(seed: u64, rows: usize, key_rows: usize, atomic: bool) {
    let bounds = Bounds {
        rows,
        bytes: usize::MAX,
        key_rows,
    };
    let mut sim = Sim::new(seed, bounds, atomic);
    for _ in 0..400 {
        match sim.random.u8(0..24) {
            0..=3 => sim.write(),
            4..=9 => sim.read(),
            10..=11 => sim.read_due(),
            12..=16 => sim.take(),
            17..=20 => sim.outcome(false),
            21..=22 => sim.settle(),
            _ if sim.random.bool() => sim.lose_and_regain(),
            _ => sim.discard(),
        }
        sim.check_bounds(bounds);
    }
    // Faults stop: everything must go through, in a bounded number of rounds.
    for _ in 0..20_000 {
        sim.read_due();
        sim.read();
        sim.take();
        sim.outcome(true);
        sim.settle();
        if sim.source.is_empty() && sim.in_flight.is_empty() {
            break;
        }
    }
    assert_eq!(
        sim.delivered.len() as i64,
        sim.next - 1,
        "left: {:?} {:#?}",
        sim.source,
        sim.scheduler.lanes
    );
    sim.scheduler.begin_pass(0..GROUPS, 0);
    assert!(
        sim.scheduler.is_empty() && sim.scheduler.bytes == 0,
        "the window leaks"
    );
    assert!(
        sim.scheduler.lanes.is_empty(),
        "lanes leak: {:#?}",
        sim.scheduler.lanes
    );
    assert!(sim.scheduler.held.is_empty() && sim.scheduler.overflowed.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn keeps_order_and_loses_nothing(seed: u64, rows in 4usize..60, key_rows in 1usize..8) {
        run(seed, rows, key_rows, false);
    }

    #[test]
    fn keeps_order_in_atomic_batches(seed: u64, rows in 4usize..60, key_rows in 1usize..8) {
        run(seed, rows, key_rows, true);
    }
}

#[test]
fn a_held_key_keeps_only_itself_waiting() {
    let mut scheduler = KeyScheduler::new(Bounds::default());
    for position in 1..=6 {
        scheduler.offer(position, 0, Some(position % 2), 10, position);
    }
    let first = scheduler.take(10, false, |_| true);
    assert_eq!(first, [(1, 1), (2, 2)]);
    scheduler.hold(1);
    scheduler.delivered(2);
    assert_eq!(scheduler.take(10, false, |_| true), [(4, 4)]);
    assert_eq!(scheduler.excluded().collect::<Vec<_>>(), [&1]);
    assert_eq!(scheduler.offer(3, 0, Some(1), 10, 3), Offer::Outside);
    scheduler.forget(1);
    assert_eq!(
        scheduler.offer(1, 0, Some(1), 10, 1),
        Offer::Accepted,
        "the holder itself may go when it is due"
    );
    assert_eq!(scheduler.take(10, false, |_| true), [(1, 1)]);
    scheduler.delivered(1);
    assert_eq!(
        scheduler.rewinds().collect::<Vec<_>>(),
        [(0, 1)],
        "3 and 5 have to be read again"
    );
}

#[test]
fn a_parked_key_is_moved_until_it_is_unparked() {
    let mut scheduler = KeyScheduler::new(Bounds::default());
    scheduler.offer(1, 0, Some(7), 1, ());
    scheduler.offer(2, 0, Some(7), 1, ());
    scheduler.take(1, false, |_| true);
    scheduler.hold(1);
    scheduler.forget(1);
    scheduler.park(&7, 0);
    scheduler.begin_pass([0], 0);
    assert_eq!(scheduler.offer(2, 0, Some(7), 1, ()), Offer::Parked);
    scheduler.sync_holds(|_| true, true, &HashMap::default(), &HashMap::default());
    assert!(scheduler.wants_rewind());
    assert_eq!(
        scheduler.offer(3, 0, Some(7), 1, ()),
        Offer::Outside,
        "not before the pass that reads 1 and 2 again"
    );
    scheduler.begin_pass([0], 0);
    assert_eq!(scheduler.offer(1, 0, Some(7), 1, ()), Offer::Accepted);
    assert_eq!(scheduler.offer(2, 0, Some(7), 1, ()), Offer::Accepted);
    assert_eq!(scheduler.take(9, false, |_| true).len(), 1);
}
