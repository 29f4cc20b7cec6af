//! Which parts of the service a process runs. They share the database and the durable queue and nothing else, so each can
//! have a process of its own.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde::Serialize;

use crate::groups;

/// A part of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Orders: its API, its consumer, and the page
    Orders,
    /// Inventory: its API and its consumer
    Inventory,
    /// Payment: its consumer
    Payment,
    /// Shipping: its consumer
    Shipping,
    /// Loyalty points: API and consumer. Not started unless it is asked for
    Loyalty,
    /// From the outbox to the queue, with confirmations, resends and the schedule
    Relay,
}

/// The parts of a process.
pub type Roles = BTreeSet<Role>;

/// All but loyalty: that one was added later.
pub fn default_roles() -> Roles {
    Roles::from([
        Role::Orders,
        Role::Inventory,
        Role::Payment,
        Role::Shipping,
        Role::Relay,
    ])
}

impl Role {
    /// The consumer group that comes with it.
    pub fn group(self) -> &'static str {
        match self {
            Self::Orders => groups::ORDERS,
            Self::Inventory => groups::INVENTORY,
            Self::Payment => groups::PAYMENT,
            Self::Shipping => groups::SHIPPING,
            Self::Loyalty => groups::LOYALTY,
            Self::Relay => groups::CONFIRMATIONS,
        }
    }
}
