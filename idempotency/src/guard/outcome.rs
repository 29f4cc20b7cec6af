/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome<T> {
    /// The work was done and is committed; this is what it returned.
    First(T),
    /// It was done before; the work did not run.
    Duplicate(Duplicate),
}

/// Who said that something was done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicate {
    /// The lock's done mark. The database was not asked.
    Mark,
    /// The ledger's row.
    Ledger,
}

/// What became of a run whose answer is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum StoredOutcome<T> {
    /// The work was done and is committed; this is what it returned.
    First(T),
    /// It was done before; this is what the first one returned.
    Replayed(T),
}

impl<T> StoredOutcome<T> {
    /// What the first one returned.
    pub fn into_inner(self) -> T {
        match self {
            Self::First(value) | Self::Replayed(value) => value,
        }
    }
}
