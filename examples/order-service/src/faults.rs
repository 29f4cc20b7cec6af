//! What is to go wrong next, for the playground: a page where people see what happens then. Nothing goes wrong unless
//! somebody asks for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::messaging::SLOWNESS_MAX;

/// The faults of one process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    planned: Arc<Mutex<Planned>>,
}

/// What is planned. As the body of a request it replaces what was planned before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Planned {
    /// So many of the next charges are refused by the payment provider.
    pub refuse_charges: u32,
    /// So many of the payment provider's next answers get lost, after it has done what it was asked.
    pub lose_answers: u32,
    /// So many of a group's next messages fail for good: they go to its dead letters.
    pub fail: BTreeMap<String, u32>,
    /// A group takes so many milliseconds longer for each message, at most 3,000.
    pub slow: BTreeMap<String, u64>,
}

impl Faults {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is planned.
    pub fn planned(&self) -> Planned {
        self.lock().clone()
    }

    /// Plans something else.
    pub fn plan(&self, planned: Planned) {
        *self.lock() = planned;
    }

    /// Changes what is planned.
    pub fn change(&self, change: impl FnOnce(&mut Planned)) {
        change(&mut self.lock());
    }

    /// Whether this charge is to be refused.
    pub fn is_charge_to_be_refused(&self) -> bool {
        take_one(&mut self.lock().refuse_charges)
    }

    /// Whether this answer is to be lost.
    pub fn is_answer_to_be_lost(&self) -> bool {
        take_one(&mut self.lock().lose_answers)
    }

    /// Whether this group is to fail at this message.
    pub fn is_to_fail(&self, group: &str) -> bool {
        self.lock().fail.get_mut(group).is_some_and(take_one)
    }

    /// How much longer this group is to take.
    pub fn slowness(&self, group: &str) -> Duration {
        let slow = self.lock().slow.get(group).copied().unwrap_or_default();
        Duration::from_millis(slow).min(SLOWNESS_MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Planned> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_one(left: &mut u32) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}
