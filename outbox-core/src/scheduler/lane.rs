use std::collections::VecDeque;

use super::{Group, Position};

/// What is known of one key. Exists only while there is something to know.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) group: Group,
    /// The row that may be taken next, if it is among the ready ones.
    pub(super) ready: Option<Position>,
    /// Rows taken whose outcome is unknown.
    pub(super) in_flight: u32,
    /// Rows behind those, in order.
    pub(super) waiting: VecDeque<Position>,
    /// The row that failed: nothing but itself may go.
    pub(super) hold: Option<Position>,
    /// The lowest position that may have rows of this key outside of the window; nothing above it is
    /// taken before a pass has begun below it.
    pub(super) outside: Option<Position>,
    /// A pass from `outside` was asked for.
    pub(super) rewind_asked: bool,
    /// Every row of the key goes to the dead letters.
    pub(super) parked: bool,
    /// The group was lost while a row was in flight.
    pub(super) lost: bool,
}

impl Lane {
    pub(super) fn new(group: Group) -> Self {
        Self {
            group,
            ready: None,
            in_flight: 0,
            waiting: VecDeque::new(),
            hold: None,
            outside: None,
            rewind_asked: false,
            parked: false,
            lost: false,
        }
    }

    /// No row of the key is ready or in flight.
    pub(super) fn is_free(&self) -> bool {
        self.ready.is_none() && self.in_flight == 0
    }

    /// Nothing is left to know.
    pub(super) fn is_idle(&self) -> bool {
        self.is_free()
            && self.waiting.is_empty()
            && self.hold.is_none()
            && self.outside.is_none()
            && !self.parked
    }

    pub(super) fn keep_outside(&mut self, position: Position) {
        self.outside = Some(self.outside.map_or(position, |low| low.min(position)));
    }
}
