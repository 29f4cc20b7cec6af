use std::sync::atomic::{AtomicU64, Ordering};

/// What was decided, each as often as it came. The same numbers are the counter `idempotency_decisions_total` of the crate
/// `metrics`, by `decision`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decisions {
    /// The work was done and committed.
    pub first: u64,
    /// A done mark said so; the database was not asked.
    pub duplicate_mark: u64,
    /// The ledger said so.
    pub duplicate_ledger: u64,
    /// Another transaction was at the same key for too long.
    pub busy: u64,
    /// The same key, for another request.
    pub conflict: u64,
    /// The lock did not answer, and it went on without. One of the others comes beside it.
    pub redis_skipped: u64,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    First,
    DuplicateMark,
    DuplicateLedger,
    Busy,
    Conflict,
    RedisSkipped,
}

impl Decision {
    fn label(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::DuplicateMark => "duplicate_mark",
            Self::DuplicateLedger => "duplicate_ledger",
            Self::Busy => "busy",
            Self::Conflict => "conflict",
            Self::RedisSkipped => "redis_skipped",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; 6]);

impl Counters {
    pub(super) fn count(&self, decision: Decision) {
        self.0[decision as usize].fetch_add(1, Ordering::Relaxed);
        metrics::counter!("idempotency_decisions_total", "decision" => decision.label()).increment(1);
    }

    pub(super) fn snapshot(&self) -> Decisions {
        let of = |decision: Decision| self.0[decision as usize].load(Ordering::Relaxed);
        Decisions {
            first: of(Decision::First),
            duplicate_mark: of(Decision::DuplicateMark),
            duplicate_ledger: of(Decision::DuplicateLedger),
            busy: of(Decision::Busy),
            conflict: of(Decision::Conflict),
            redis_skipped: of(Decision::RedisSkipped),
        }
    }
}
