//! What the modules tell each other: their only way to talk, so that any of them could be moved to a process
//! of its own. A file per module, which holds what that module *publishes or takes*.
//!
//! ```text
//! orders ──StockCommand───► inventory ──StockAnswer───► orders
//!        ──PaymentCommand─► payment ────PaymentAnswer─► orders
//!        ──ShipmentCommand► shipping ───ShipmentEvent─► orders, inventory
//!        ──OrderEvent─────► whoever wants to know (loyalty, say)
//!        ──PaymentDue─────► orders, N minutes later
//! ```
//!
//! The ordering key of an event is the thing whose history it belongs to. Messages of one topic and key are
//! delivered one after the other, in the order they were published; all others may overtake each other and are
//! handled side by side. So: as fine a key as the receiver can bear. What must keep its order is one topic: a command and
//! its contrary are variants of one type.

mod inventory;
mod orders;
mod outgoing;
mod payment;
mod shipping;

pub use inventory::{StockAnswer, StockCommand, StockLine};
pub use orders::{OrderEvent, PaymentDue};
pub use outgoing::Outgoing;
pub use payment::{PaymentAnswer, PaymentCommand};
pub use shipping::{CarrierDelivery, ShipmentCommand, ShipmentEvent};

use outbox_core::Event;

use crate::ids::{OrderId, SubOrderId};

/// A message of this service: an [`Event`] that belongs to an order.
pub trait OrderMessage: Event {
    /// The consumer groups that confirm it. None: it is for whoever wants to know, and nobody is waited for.
    const CONFIRMED_BY: &'static [&'static str];

    /// The order that it is about.
    fn order_id(&self) -> OrderId;

    /// The sub-order that it is about, if it is about one.
    fn sub_order_id(&self) -> Option<SubOrderId> {
        None
    }

    /// What it says, in a word.
    fn name(&self) -> &'static str;
}
