//! What the modules tell each other: their only way to talk, so that any of them could be moved to a process
//! of its own.
//!
//! The ordering key of an event is the thing whose history it belongs to. Messages of one topic and key are
//! delivered one after the other, in the order they were published; all others may overtake each other and are
//! handled side by side. So: as fine a key as the receiver can bear.

use std::borrow::Cow;

use outbox_core::Event;
use serde::{Deserialize, Serialize};

use crate::ids::{OrderId, SubOrderId};

/// Orders → anybody: an order was placed. Nobody listens yet; a new consumer group (loyalty points, say) is added
/// without touching the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPlaced {
    /// The order.
    pub order_id: OrderId,
    /// Who placed it.
    pub buyer: String,
    /// Its amount in cents.
    pub amount: i64,
    /// Its parts.
    pub sub_orders: Vec<SubOrderId>,
}

impl Event for OrderPlaced {
    const TOPIC: &'static str = "orders.placed";

    /// Whatever else will be told about the order on this topic comes after this.
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id.to_string().into())
    }
}

/// Orders → inventory: reserve all of these lines, or none. Answered by [`StockReserved`] or [`StockRefused`].
///
/// Asked again about the same sub-order, in a message of another id, inventory gives the same answer again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockRequested {
    /// The sub-order; also what makes a repeated request recognisable.
    pub sub_order_id: SubOrderId,
    /// The order it belongs to, to be repeated in the answer.
    pub order_id: OrderId,
    /// Whose stock.
    pub merchant: String,
    /// What to reserve.
    pub lines: Vec<StockLine>,
}

/// One line of a [`StockRequested`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLine {
    /// The merchant's name for the article.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

impl Event for StockRequested {
    const TOPIC: &'static str = "inventory.stock-requested";

    /// By sub-order, not by order or merchant: reservations have no order among each other. A merchant's many
    /// sub-orders would queue up behind one that fails; and the row of a stock item is a better lock than a key,
    /// because it is held for one transaction and not for all retries. What will be asked about the *same*
    /// sub-order later (a release) does belong behind its request, and so on this topic and key.
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.sub_order_id.to_string().into())
    }
}

/// Inventory → orders: everything the sub-order needs is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockReserved {
    /// The sub-order.
    pub sub_order_id: SubOrderId,
    /// The order it belongs to.
    pub order_id: OrderId,
}

impl Event for StockReserved {
    const TOPIC: &'static str = "inventory.stock-reserved";

    /// By order: the receiver changes the main order, so the answers of one order wait for each other here
    /// instead of at its row.
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id.to_string().into())
    }
}

/// Inventory → orders: the sub-order can't be served, and nothing of it is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockRefused {
    /// The sub-order.
    pub sub_order_id: SubOrderId,
    /// The order it belongs to.
    pub order_id: OrderId,
    /// Why, for the buyer.
    pub reason: String,
}

impl Event for StockRefused {
    const TOPIC: &'static str = "inventory.stock-refused";

    /// As [`StockReserved`].
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id.to_string().into())
    }
}
