use std::fmt;

/// What a check-back did until it was stopped. When there is one, nothing of it runs any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Messages that it committed.
    pub committed: u64,
    /// Messages that it rolled back.
    pub rolled_back: u64,
    /// Checks that were answered with Unknown.
    pub unknown: u64,
    /// Checks without an answer: they cost none.
    pub unreachable: u64,
    /// Messages that it parked.
    pub parked: u64,
}

impl Stopped {
    /// Adds what another part did.
    pub(super) fn add(&mut self, other: Self) {
        self.committed += other.committed;
        self.rolled_back += other.rolled_back;
        self.unknown += other.unknown;
        self.unreachable += other.unreachable;
        self.parked += other.parked;
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} committed, {} rolled back, {} unknown, {} unreachable, {} parked",
            self.committed, self.rolled_back, self.unknown, self.unreachable, self.parked
        )
    }
}
