use std::sync::{Arc, Mutex, PoisonError};

/// How one delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processed {
    Handled,
    Failed,
    Dead,
    Unsettled,
    /// It was not handled, because an earlier one of its key comes again or its lease is nearly over: it comes again.
    GivenBack,
}

impl Processed {
    /// Whether it is done for good, and the next of its key may go.
    pub(super) fn is_done(self) -> bool {
        matches!(self, Self::Handled | Self::Dead)
    }
}

/// How the deliveries of one batch ended so far, by their place in it. It is kept outside of the task that handles them,
/// because one that is aborted can't tell.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Vec<Option<Processed>>>>);

impl Progress {
    pub(super) fn of(messages: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![None; messages])))
    }

    pub(super) fn tell(&self, place: usize, processed: Processed) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = all.get_mut(place) {
            *told = Some(processed);
        }
    }

    /// Takes what was told; `None` of those that nothing was told of.
    pub(super) fn take(&self) -> Vec<Option<Processed>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
