//! One partition that a member owns: what of it is in hand, what waits, and how far it is. Pure.

use std::collections::BTreeMap;
use std::time::Instant;

use outbox_core::Message;

use super::position::Position;

/// So many messages after one whose owner died are handed out one by one, each written down before: so the one that kills is found,
/// and not those that were handled just before it.
const CAREFUL: u32 = 1_000;
/// Most messages that are finished above one that isn't.
const SPAN_MAX: usize = 10_000;

/// A partition.
pub(super) struct Lane {
    out_max: usize,
    entries: BTreeMap<i64, Entry>,
    /// After what was taken from Kafka last; `None`: nothing was.
    next: Option<i64>,
    /// Attempts that the first message has behind it.
    spent: u32,
    careful: u32,
    /// Something was handed out since the partition is ours.
    opened: bool,
    /// No more is handed out.
    leaving: bool,
    /// What is known to be committed.
    written: Option<Position>,
}

struct Entry {
    /// `None`: finished, below one that is not.
    message: Option<Message>,
    attempt: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waits { until: Option<Instant> },
    Out,
    Finished,
}

/// What may happen to the next message of a lane.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It may be handed out.
    Ready(i64),
    /// It may be when this is committed.
    Write,
    /// Not before then.
    Later(Instant),
    /// There is none, or enough is out.
    Nothing,
}

impl Lane {
    /// A partition of which `out_max` messages may be out at a time, and whose first message has `spent` attempts behind it.
    pub(super) fn new(out_max: usize, spent: u32) -> Self {
        Self {
            out_max: out_max.max(1),
            entries: BTreeMap::new(),
            next: None,
            spent,
            careful: if spent > 0 { CAREFUL } else { 0 },
            opened: false,
            leaving: false,
            written: None,
        }
    }

    fn limit(&self) -> usize {
        if self.careful > 0 { 1 } else { self.out_max }
    }

    fn unfinished(&self) -> impl Iterator<Item = (&i64, &Entry)> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.state != State::Finished)
    }

    /// Whether a further message is to be taken from Kafka.
    pub(super) fn wants(&self) -> bool {
        let waits = |entry: &Entry| matches!(entry.state, State::Waits { .. });
        !self.leaving
            && self.entries.len() < SPAN_MAX
            && self.unfinished().count() < self.limit()
            && !self.entries.values().any(waits)
    }

    /// Takes one from Kafka; `attempt` is what the next one of it is, as far as it says, and `until` when it is due.
    pub(super) fn take(&mut self, offset: i64, message: Message, attempt: u32, until: Option<Instant>) {
        let spent = std::mem::take(&mut self.spent);
        let entry = Entry {
            message: Some(message),
            attempt: attempt.max(1).saturating_add(spent),
            state: State::Waits { until },
        };
        self.entries.insert(offset, entry);
        self.next = Some(offset + 1);
    }

    /// What may be handed out next.
    pub(super) fn next(&self, now: Instant) -> Next {
        let out = self.outs();
        if self.leaving || out >= self.limit() {
            return Next::Nothing;
        }
        let waiting = self.unfinished().find_map(|(offset, entry)| match entry.state {
            State::Waits { until } => Some((*offset, entry, until)),
            _ => None,
        });
        match waiting {
            None => Next::Nothing,
            Some((_, _, Some(until))) if until > now => Next::Later(until),
            Some((offset, entry, _)) => {
                // Before the first of an owner, and each while one may kill: so it is known to whoever comes next.
                let needed = !self.opened || self.careful > 0;
                let written = Position {
                    offset,
                    open: true,
                    spent: entry.attempt - 1,
                };
                match needed && out == 0 && self.written != Some(written) {
                    true => Next::Write,
                    false => Next::Ready(offset),
                }
            }
        }
    }

    /// Hands one out that is ready; which attempt it is.
    pub(super) fn hand_out(&mut self, offset: i64) -> Option<(Message, u32)> {
        let entry = self.entries.get_mut(&offset)?;
        entry.state = State::Out;
        self.opened = true;
        Some((entry.message.clone()?, entry.attempt))
    }

    /// One that was handed out and that nobody has seen.
    pub(super) fn take_back(&mut self, offset: i64) {
        if let Some(entry) = self.entries.get_mut(&offset) {
            entry.state = State::Waits { until: None };
        }
    }

    /// Whether it is out.
    pub(super) fn is_out(&self, offset: i64) -> bool {
        self.entries
            .get(&offset)
            .is_some_and(|entry| entry.state == State::Out)
    }

    /// One that is out needs nothing more.
    pub(super) fn finish(&mut self, offset: i64) {
        if let Some(entry) = self.entries.get_mut(&offset) {
            entry.state = State::Finished;
            entry.message = None;
            self.careful = self.careful.saturating_sub(1);
        }
        while let Some(entry) = self.entries.first_entry()
            && entry.get().state == State::Finished
        {
            entry.remove();
        }
    }

    /// One that is out has failed, and comes again.
    pub(super) fn again(&mut self, offset: i64, until: Option<Instant>) {
        if let Some(entry) = self.entries.get_mut(&offset) {
            entry.attempt = entry.attempt.saturating_add(1);
            entry.state = State::Waits { until };
        }
    }

    /// How many are out.
    pub(super) fn outs(&self) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.state == State::Out)
            .count()
    }

    /// Hands out nothing more.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    /// What is to be committed, if that is not known to be; `opening`: as if the next one were out.
    pub(super) fn to_write(&self, opening: bool) -> Option<Position> {
        let position = match self.unfinished().next() {
            Some((offset, entry)) => Position {
                offset: *offset,
                // Whoever leaves in order did not die with it.
                open: !self.leaving && (opening || entry.state == State::Out),
                spent: entry.attempt - 1,
            },
            None => Position {
                offset: self.next?,
                open: false,
                spent: 0,
            },
        };
        (self.written != Some(position)).then_some(position)
    }

    /// It is committed.
    pub(super) fn written(&mut self, position: Position) {
        self.written = Some(position);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn message() -> Message {
        Message::builder("t").payload("x", "text/plain").build().unwrap()
    }

    /// Writes what has to be, and hands the next one out.
    fn hand_out(lane: &mut Lane, now: Instant) -> (i64, u32) {
        if lane.next(now) == Next::Write {
            let position = lane.to_write(true).unwrap();
            assert!(position.open);
            lane.written(position);
        }
        let Next::Ready(offset) = lane.next(now) else {
            panic!("{:?}", lane.next(now))
        };
        (offset, lane.hand_out(offset).unwrap().1)
    }

    #[test]
    fn in_order_one_is_out_and_the_others_wait_for_it() {
        let now = Instant::now();
        let mut lane = Lane::new(1, 0);
        lane.take(5, message(), 1, None);
        assert!(!lane.wants());
        assert_eq!(lane.next(now), Next::Write, "before the first one");
        assert_eq!(hand_out(&mut lane, now), (5, 1));
        assert_eq!(lane.next(now), Next::Nothing);
        let due = now + Duration::from_secs(1);
        lane.again(5, Some(due));
        assert_eq!(lane.next(now), Next::Later(due));
        assert!(!lane.wants(), "the others wait for it");
        let position = lane.to_write(false).unwrap();
        assert_eq!((position.offset, position.open, position.spent), (5, false, 1));
        assert_eq!(lane.next(due), Next::Ready(5));
        assert_eq!(lane.hand_out(5).unwrap().1, 2);
        lane.finish(5);
        assert!(lane.wants());
        assert_eq!(lane.to_write(false).unwrap().offset, 6);
    }

    #[test]
    fn without_order_the_lowest_unfinished_is_where_it_is() {
        let now = Instant::now();
        let mut lane = Lane::new(3, 0);
        for offset in [1, 2, 4] {
            assert!(lane.wants());
            lane.take(offset, message(), 1, None);
            assert_eq!(hand_out(&mut lane, now), (offset, 1));
        }
        assert!(!lane.wants());
        lane.finish(2);
        assert_eq!(lane.to_write(false), None, "it is written that the lowest is out");
        lane.finish(1);
        assert_eq!(lane.to_write(false).unwrap().offset, 4);
        lane.finish(4);
        let position = lane.to_write(false).unwrap();
        assert_eq!((position.offset, position.open), (5, false));
    }

    #[test]
    fn after_a_death_each_is_written_before_it_is_handed_out() {
        let now = Instant::now();
        let mut lane = Lane::new(10, 2);
        lane.take(7, message(), 1, None);
        assert_eq!(hand_out(&mut lane, now), (7, 3));
        assert!(!lane.wants(), "one by one");
        lane.finish(7);
        lane.take(8, message(), 1, None);
        assert_eq!(lane.next(now), Next::Write);
        assert_eq!(hand_out(&mut lane, now), (8, 1));
    }

    #[test]
    fn whoever_leaves_hands_out_nothing_and_did_not_die() {
        let now = Instant::now();
        let mut lane = Lane::new(1, 0);
        lane.take(7, message(), 1, None);
        hand_out(&mut lane, now);
        lane.leave();
        assert!(!lane.to_write(false).unwrap().open);
        lane.again(7, None);
        assert_eq!(lane.next(now), Next::Nothing);
        assert_eq!(lane.to_write(false).unwrap().spent, 1);
    }
}
