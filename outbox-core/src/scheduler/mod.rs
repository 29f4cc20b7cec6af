//! Which message may go next: the key scheduler.
//!
//! One pure data structure without I/O, used by the relay and by every consumer. It is offered rows in
//! the order they were read and hands out those that may be published (or handled) now:
//!
//! * per key at most one row is in flight, and the next goes when the one before has succeeded
//!   (several, when the publisher appends batches atomically and in order);
//! * a row that fails *holds* its key: it may be taken again itself, every other row of the key waits
//!   outside of the window;
//! * a key that has more rows than its share of the window remembers the lowest of them outside, and
//!   nothing above it is taken before a pass has begun below it;
//! * memory is bounded by [`Bounds`], never by the backlog.
//!
//! The caller owns time, storage and delivery, and tells the outcome of each row it took.

mod lane;
#[cfg(test)]
mod model_tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// Keys are hashed with a seed of the process's own.
pub use foldhash::fast::RandomState;

use lane::Lane;

/// A row's place in its source: the id of an outbox row, an offset of a queue. Unique in a scheduler.
pub type Position = i64;

/// The part of the source that a row belongs to and that is gained and lost as a whole: a shard.
pub type Group = u8;

/// How much a scheduler may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most rows in the window, those in flight and those being settled included (WINDOW_ROWS).
    pub rows: usize,
    /// Most bytes of the rows in the window (WINDOW_BYTES).
    pub bytes: usize,
    /// Most rows of one key that wait in the window; more stay outside, so that one busy key can't
    /// keep every other key out.
    pub key_rows: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            rows: 8_192,
            bytes: 32 * 1024 * 1024,
            key_rows: 2_048,
        }
    }
}

/// What became of an offered row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It is in the window.
    Accepted,
    /// It was in the window already.
    Known,
    /// It waits outside: its key is held, or has its share of the window. A later pass offers it again.
    Outside,
    /// Its key is parked: it belongs with the dead letters.
    Parked,
    /// The window is full. The caller ends its page before this row.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// May be taken.
    Ready,
    /// Behind another row of its key.
    Waiting,
    /// Taken, outcome unknown.
    InFlight,
    /// Outcome known, but the source still shows the row as it was; offering it again changes nothing.
    Settling,
}

#[derive(Debug)]
struct Row<K, T> {
    group: Group,
    key: Option<K>,
    bytes: usize,
    phase: Phase,
    /// Present while ready or waiting; in flight the caller has it.
    row: Option<T>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct KeyScheduler<K, T> {
    bounds: Bounds,
    rows: HashMap<Position, Row<K, T>, RandomState>,
    /// Bytes of the rows that are ready, waiting or in flight.
    bytes: usize,
    lanes: HashMap<K, Lane, RandomState>,
    /// Rows that may be taken, oldest first. An entry whose row is not `Ready` any more is skipped.
    ready: VecDeque<Position>,
    /// Keys whose lane has a hold: what a fetch leaves out.
    held: HashSet<K, RandomState>,
    /// Keys without a hold that have rows outside.
    overflowed: HashSet<K, RandomState>,
    /// Where the current pass of each group began: no row below it is missing from what was offered.
    pass_start: [Position; 256],
    /// From where a group has to be read again, because a key may go on there.
    rewinds: HashMap<Group, Position, RandomState>,
}

impl<K: Hash + Eq + Clone, T> KeyScheduler<K, T> {
    /// An empty scheduler.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            rows: HashMap::default(),
            bytes: 0,
            lanes: HashMap::default(),
            ready: VecDeque::new(),
            held: HashSet::default(),
            overflowed: HashSet::default(),
            pass_start: [0; 256],
            rewinds: HashMap::default(),
        }
    }

    /// Whether the window takes one more row.
    pub fn has_room(&self) -> bool {
        self.rows.len() < self.bounds.rows && self.bytes < self.bounds.bytes
    }

    /// How many more rows the window takes.
    pub fn room(&self) -> usize {
        if self.bytes < self.bounds.bytes {
            self.bounds.rows.saturating_sub(self.rows.len())
        } else {
            0
        }
    }

    /// Rows in the window.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the window is empty.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a row is in the window.
    pub fn contains(&self, position: Position) -> bool {
        self.rows.contains_key(&position)
    }

    /// Keys whose rows a fetch may leave out: held ones, and those that have their share of the window.
    pub fn excluded(&self) -> impl Iterator<Item = &K> {
        self.held.iter().chain(&self.overflowed)
    }

    /// Keys that are held by a failed row.
    pub fn held_keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.held.iter()
    }

    /// How many keys [`KeyScheduler::excluded`] names.
    pub fn excluded_len(&self) -> usize {
        self.held.len() + self.overflowed.len()
    }

    /// A pass over `groups` begins: everything above `start` that is still in the source will be offered,
    /// in order. Keys that had rows outside above `start` start afresh with what this pass offers.
    pub fn begin_pass(&mut self, groups: impl IntoIterator<Item = Group>, start: Position) {
        let mut in_pass = [false; 256];
        for group in groups {
            in_pass[usize::from(group)] = true;
            self.pass_start[usize::from(group)] = start;
            if self.rewinds.get(&group).is_some_and(|&rewind| rewind > start) {
                self.rewinds.remove(&group);
            }
        }
        if self.overflowed.is_empty() {
            return;
        }
        let covered: Vec<K> = self
            .overflowed
            .iter()
            .filter(|key| {
                let lane = &self.lanes[*key];
                in_pass[usize::from(lane.group)] && lane.outside.is_some_and(|low| low > start)
            })
            .cloned()
            .collect();
        for key in covered {
            self.overflowed.remove(&key);
            if let Some(lane) = self.lanes.get_mut(&key) {
                lane.outside = None;
                lane.rewind_asked = false;
            }
            self.drop_lane_if_idle(&key);
        }
    }

    /// The lowest positions from which groups have to be read again because a key may go on there. They
    /// are forgotten when a pass begins below them.
    pub fn rewinds(&self) -> impl Iterator<Item = (Group, Position)> {
        self.rewinds.iter().map(|(&group, &position)| (group, position))
    }

    /// Asks for a group to be read again from `position` on: a row came back there.
    pub fn ask_rewind_of(&mut self, group: Group, position: Position) {
        let rewind = self.rewinds.entry(group).or_insert(position);
        *rewind = position.min(*rewind);
    }

    /// Whether any group has to be read again.
    pub fn wants_rewind(&self) -> bool {
        !self.rewinds.is_empty()
    }

    /// Offers a row that was read. Rows of one key must be offered in their order.
    pub fn offer(&mut self, position: Position, group: Group, key: Option<K>, bytes: usize, row: T) -> Offer {
        if self.rows.contains_key(&position) {
            return Offer::Known;
        }
        let room = self.has_room();
        let low = self.pass_start[usize::from(group)] + 1;
        let phase = match &key {
            None if room => Phase::Ready,
            None => return Offer::Full,
            Some(key) => {
                // A key that nothing is known of needs no lane before there is room for its row.
                let Some(lane) = self.lanes.get_mut(key) else {
                    if !room {
                        return Offer::Full;
                    }
                    let mut lane = Lane::new(group);
                    lane.ready = Some(position);
                    self.lanes.insert(key.clone(), lane);
                    return self.accept(position, group, Some(key.clone()), bytes, row, Phase::Ready);
                };
                if lane.parked {
                    return Offer::Parked;
                }
                if let Some(holder) = lane.hold {
                    if holder != position {
                        lane.keep_outside(position.min(low));
                        return Offer::Outside;
                    }
                } else if lane.outside.is_some_and(|lowest| position > lowest) {
                    return Offer::Outside;
                } else if lane.waiting.len() >= self.bounds.key_rows {
                    lane.keep_outside(position.min(low));
                    self.overflowed.insert(key.clone());
                    return Offer::Outside;
                }
                if !room {
                    return Offer::Full;
                }
                if lane.is_free() {
                    lane.ready = Some(position);
                    Phase::Ready
                } else {
                    lane.waiting.push_back(position);
                    Phase::Waiting
                }
            }
        };
        self.accept(position, group, key, bytes, row, phase)
    }

    fn accept(
        &mut self,
        position: Position,
        group: Group,
        key: Option<K>,
        bytes: usize,
        row: T,
        phase: Phase,
    ) -> Offer {
        if phase == Phase::Ready {
            self.ready.push_back(position);
        }
        self.bytes += bytes;
        self.rows.insert(
            position,
            Row {
                group,
                key,
                bytes,
                phase,
                row: Some(row),
            },
        );
        Offer::Accepted
    }

    /// Whether [`KeyScheduler::take`] may find something.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes up to `max` rows that may go now, oldest first; they are in flight until their outcome is told.
    ///
    /// With `atomic`, following rows of a key go into the same batch, in order. `may_take` can keep back
    /// rows of a group whose lease may have run out.
    pub fn take(
        &mut self,
        max: usize,
        atomic: bool,
        mut may_take: impl FnMut(Group) -> bool,
    ) -> Vec<(Position, T)> {
        let mut taken = Vec::with_capacity(max.min(self.ready.len()));
        let mut kept_back = Vec::new();
        while taken.len() < max {
            let Some(position) = self.ready.pop_front() else {
                break;
            };
            let Some(row) = self
                .rows
                .get_mut(&position)
                .filter(|row| row.phase == Phase::Ready)
            else {
                continue;
            };
            if !may_take(row.group) {
                kept_back.push(position);
                continue;
            }
            let Some(content) = row.row.take() else { continue };
            row.phase = Phase::InFlight;
            taken.push((position, content));
            let Some(key) = row.key.clone() else { continue };
            let Some(lane) = self.lanes.get_mut(&key) else {
                continue;
            };
            lane.ready = None;
            lane.in_flight += 1;
            while atomic && lane.hold.is_none() && taken.len() < max {
                let Some(next) = lane.waiting.pop_front() else {
                    break;
                };
                let Some(row) = self.rows.get_mut(&next) else {
                    continue;
                };
                let Some(content) = row.row.take() else { continue };
                row.phase = Phase::InFlight;
                lane.in_flight += 1;
                taken.push((next, content));
            }
        }
        for position in kept_back.into_iter().rev() {
            self.ready.push_front(position);
        }
        taken
    }

    /// The row went through: its key goes on. Until [`KeyScheduler::forget`] the source may still show it.
    pub fn delivered(&mut self, position: Position) {
        let Some(key) = self.end_flight(position) else {
            return;
        };
        let Some(lane) = self.lanes.get_mut(&key) else {
            return;
        };
        if lane.hold == Some(position) {
            lane.hold = None;
            self.held.remove(&key);
            if lane.outside.is_some() {
                self.overflowed.insert(key.clone());
            }
        }
        self.advance(&key);
    }

    /// The row failed and holds its key until it goes through, is [freed](KeyScheduler::free) or is found
    /// gone by [`KeyScheduler::sync_holds`]. Rows of the key that waited are outside now.
    pub fn hold(&mut self, position: Position) {
        let Some(key) = self.end_flight(position) else {
            return;
        };
        self.set_hold(&key, position);
        self.advance(&key);
    }

    /// These rows were not tried: they go again first, in the order given.
    pub fn put_back(&mut self, rows: impl IntoIterator<Item = (Position, T), IntoIter: DoubleEndedIterator>) {
        for (position, content) in rows.into_iter().rev() {
            let Some(row) = self
                .rows
                .get_mut(&position)
                .filter(|row| row.phase == Phase::InFlight)
            else {
                continue;
            };
            let Some(key) = row.key.clone() else {
                row.phase = Phase::Ready;
                row.row = Some(content);
                self.ready.push_front(position);
                continue;
            };
            let group = row.group;
            let Some(lane) = self.lanes.get_mut(&key) else {
                continue;
            };
            lane.in_flight = lane.in_flight.saturating_sub(1);
            if lane.lost {
                self.remove(position);
            } else if lane.hold.is_some_and(|holder| holder != position) || lane.parked {
                lane.keep_outside(position.min(self.pass_start[usize::from(group)] + 1));
                self.remove(position);
            } else {
                row.phase = Phase::Waiting;
                row.row = Some(content);
                lane.waiting.push_front(position);
            }
            self.advance_to(&key, End::Front);
        }
    }

    /// The source no longer shows the row as it was when it was taken: its settling is complete.
    pub fn forget(&mut self, position: Position) {
        self.remove(position);
    }

    /// The key of a row in the window.
    pub fn key_of(&self, position: Position) -> Option<&K> {
        self.rows.get(&position)?.key.as_ref()
    }

    /// The row holds its key no longer, and was not delivered either (buried, or settled by another).
    pub fn free(&mut self, key: &K, position: Position) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        if lane.hold == Some(position) {
            lane.hold = None;
            self.held.remove(key);
            if lane.outside.is_some() {
                self.overflowed.insert(key.clone());
            }
            self.advance(key);
        }
    }

    /// Every row of the key belongs with the dead letters from now on. Those in the window that are not
    /// in flight are outside, and will be offered again to be moved.
    pub fn park(&mut self, key: &K, group: Group) {
        let low = self.pass_start[usize::from(group)] + 1;
        self.evict_waiting(key, group);
        let lane = self.lanes.entry(key.clone()).or_insert_with(|| Lane::new(group));
        lane.hold = None;
        lane.parked = true;
        lane.keep_outside(low);
        self.held.remove(key);
        self.overflowed.remove(key);
        self.ask_rewind(key);
    }

    /// Compares with what the source says about `in_groups`: which rows hold their keys, and which keys
    /// are parked. A hold or park that is gone there is gone here (an operator redrove or discarded it,
    /// or another process settled it); one that is only there is taken over. Rows being settled are left
    /// alone, because the source does not know yet. `complete`: the source named all it has; if not,
    /// nothing is taken to be gone.
    pub fn sync_holds(
        &mut self,
        in_groups: impl Fn(Group) -> bool,
        complete: bool,
        held: &HashMap<K, (Group, Position), RandomState>,
        parked: &HashMap<K, Group, RandomState>,
    ) {
        let gone: Vec<(K, Option<Position>)> = self
            .lanes
            .iter()
            .filter(|(key, lane)| {
                complete
                    && in_groups(lane.group)
                    && match lane.hold {
                        Some(position) => !held.contains_key(*key) && !self.rows.contains_key(&position),
                        None => lane.parked && !parked.contains_key(*key),
                    }
            })
            .map(|(key, lane)| (key.clone(), lane.hold))
            .collect();
        for (key, hold) in gone {
            match hold {
                Some(position) => self.free(&key, position),
                None => {
                    if let Some(lane) = self.lanes.get_mut(&key) {
                        lane.parked = false;
                        lane.rewind_asked = false;
                        lane.keep_outside(self.pass_start[usize::from(lane.group)] + 1);
                        self.overflowed.insert(key.clone());
                    }
                    self.advance(&key);
                }
            }
        }
        for (key, &(group, position)) in held {
            let known = self.lanes.get(key).is_some_and(|lane| lane.hold.is_some());
            if in_groups(group) && !known && !self.rows.contains_key(&position) {
                self.lanes
                    .entry(key.clone())
                    .or_insert_with(|| Lane::new(group))
                    .lost = false;
                self.set_hold(key, position);
            }
        }
        for (key, &group) in parked {
            if in_groups(group) && !self.lanes.get(key).is_some_and(|lane| lane.parked) {
                self.park(key, group);
            }
        }
    }

    /// The groups belong to somebody else now: their rows that are not in flight are dropped, with the
    /// holds. Keys with a row in flight stay, so that none can have two should the group come back.
    pub fn drop_groups(&mut self, mut gone: impl FnMut(Group) -> bool) {
        let mut is_gone = [false; 256];
        for group in 0..=Group::MAX {
            is_gone[usize::from(group)] = gone(group);
        }
        let dropped: Vec<Position> = self
            .rows
            .iter()
            .filter(|(_, row)| {
                is_gone[usize::from(row.group)] && matches!(row.phase, Phase::Ready | Phase::Waiting)
            })
            .map(|(&position, _)| position)
            .collect();
        for position in dropped {
            self.remove(position);
        }
        let (held, overflowed) = (&mut self.held, &mut self.overflowed);
        self.lanes.retain(|key, lane| {
            if !is_gone[usize::from(lane.group)] {
                return true;
            }
            held.remove(key);
            overflowed.remove(key);
            *lane = Lane {
                in_flight: lane.in_flight,
                lost: true,
                ..Lane::new(lane.group)
            };
            lane.in_flight > 0
        });
        self.rewinds.retain(|&group, _| !is_gone[usize::from(group)]);
    }

    /// The groups are (again) this process's: keys that were left with a row in flight go on.
    pub fn gain_groups(&mut self, mut gained: impl FnMut(Group) -> bool) {
        for lane in self.lanes.values_mut() {
            if lane.lost && gained(lane.group) {
                lane.lost = false;
            }
        }
    }

    /// Rows of these groups that are in flight or being settled.
    pub fn unsettled(&self, mut in_groups: impl FnMut(Group) -> bool) -> usize {
        self.rows
            .values()
            .filter(|row| matches!(row.phase, Phase::InFlight | Phase::Settling) && in_groups(row.group))
            .count()
    }

    /// Drops rows that are not in flight and whose key the predicate names (a topic was paused).
    pub fn evict(&mut self, mut of_key: impl FnMut(Option<&K>, &T) -> bool) {
        let evicted: Vec<Position> = self
            .rows
            .iter()
            .filter(|(_, row)| {
                row.row
                    .as_ref()
                    .is_some_and(|content| of_key(row.key.as_ref(), content))
            })
            .map(|(&position, _)| position)
            .collect();
        let mut keys = HashSet::<K, RandomState>::default();
        for position in evicted {
            if let Some(row) = self.rows.get(&position)
                && let Some(key) = row.key.clone()
            {
                let low = position.min(self.pass_start[usize::from(row.group)] + 1);
                if let Some(lane) = self.lanes.get_mut(&key) {
                    lane.keep_outside(low);
                    lane.waiting.retain(|&waiting| waiting != position);
                    if lane.ready == Some(position) {
                        lane.ready = None;
                    }
                    if lane.hold.is_none() {
                        self.overflowed.insert(key.clone());
                    }
                    keys.insert(key);
                }
            }
            self.remove(position);
        }
        for key in keys {
            self.advance(&key);
        }
    }

    /// The row is no longer in flight; returns its key.
    fn end_flight(&mut self, position: Position) -> Option<K> {
        let row = self
            .rows
            .get_mut(&position)
            .filter(|row| row.phase == Phase::InFlight)?;
        row.phase = Phase::Settling;
        self.bytes -= std::mem::take(&mut row.bytes);
        let key = row.key.clone()?;
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
        }
        Some(key)
    }

    fn set_hold(&mut self, key: &K, position: Position) {
        let Some(lane) = self.lanes.get(key) else { return };
        if lane.lost {
            return;
        }
        let group = lane.group;
        self.evict_waiting(key, group);
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.hold = Some(position);
            lane.rewind_asked = false;
            lane.keep_outside(position.min(self.pass_start[usize::from(group)] + 1));
            self.held.insert(key.clone());
            self.overflowed.remove(key);
        }
    }

    /// Moves the key's ready and waiting rows outside.
    fn evict_waiting(&mut self, key: &K, group: Group) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        let evicted: Vec<Position> = lane
            .ready
            .take()
            .into_iter()
            .chain(lane.waiting.drain(..))
            .collect();
        let low = self.pass_start[usize::from(group)] + 1;
        for &position in &evicted {
            lane.keep_outside(position.min(low));
        }
        for position in evicted {
            self.remove(position);
        }
    }

    fn remove(&mut self, position: Position) {
        if let Some(row) = self.rows.remove(&position) {
            self.bytes -= row.bytes;
        }
    }

    fn advance(&mut self, key: &K) {
        self.advance_to(key, End::Back);
    }

    /// Makes the key's next row ready when nothing of the key is, asks for a rewind when its rows in the
    /// window run low, and drops the lane when nothing is left to know of the key.
    fn advance_to(&mut self, key: &K, end: End) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        if lane.is_free()
            && !lane.parked
            && let Some(next) = lane.waiting.front().copied()
            && lane.hold.is_none_or(|holder| holder == next)
        {
            lane.waiting.pop_front();
            if let Some(row) = self.rows.get_mut(&next) {
                row.phase = Phase::Ready;
                lane.ready = Some(next);
                match end {
                    End::Front => self.ready.push_front(next),
                    End::Back => self.ready.push_back(next),
                }
            }
        }
        if lane.hold.is_none()
            && lane.outside.is_some()
            && !lane.rewind_asked
            && lane.waiting.len() <= self.bounds.key_rows / 4
        {
            self.ask_rewind(key);
        }
        self.drop_lane_if_idle(key);
    }

    fn ask_rewind(&mut self, key: &K) {
        let Some(lane) = self.lanes.get_mut(key) else {
            return;
        };
        if let Some(low) = lane.outside {
            lane.rewind_asked = true;
            let group = lane.group;
            self.ask_rewind_of(group, low);
        }
    }

    fn drop_lane_if_idle(&mut self, key: &K) {
        if self.lanes.get(key).is_some_and(Lane::is_idle) {
            self.lanes.remove(key);
        }
    }
}

/// Which end of the ready rows a key's next row goes to.
#[derive(Clone, Copy)]
enum End {
    Front,
    Back,
}
