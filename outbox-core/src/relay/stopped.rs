use super::store::StoreError;

/// Why a relay stopped, and what it left behind.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stopped {
    /// Why.
    pub reason: StopReason,
    /// Messages delivered in all.
    pub delivered: u64,
    /// Publishes that had not answered when the drain's time was over. Their messages are sent again by
    /// whoever relays next.
    pub abandoned: usize,
    /// Delivered messages that could not be settled. They are sent again, too.
    pub unsettled: usize,
}

/// Why a relay stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// It was asked to.
    Asked,
    /// The outbox can't be relayed: it found so when it started.
    Unusable(StoreError),
}

impl Stopped {
    /// Whether it was asked to stop and left nothing behind.
    pub fn is_clean(&self) -> bool {
        matches!(self.reason, StopReason::Asked) && self.abandoned == 0 && self.unsettled == 0
    }
}
