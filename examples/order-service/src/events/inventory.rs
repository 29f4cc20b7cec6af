use std::borrow::Cow;

use outbox_core::Event;
use serde::{Deserialize, Serialize};

use super::OrderMessage;
use crate::groups;
use crate::ids::{OrderId, SubOrderId};

/// Orders → inventory: what is to happen with the stock of one sub-order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum StockCommand {
    /// Set all of these lines aside, or none. Answered by a [`StockAnswer`].
    Reserve {
        /// The sub-order.
        sub_order_id: SubOrderId,
        /// The order it belongs to, to be repeated in the answer.
        order_id: OrderId,
        /// Whose stock.
        merchant: String,
        /// What.
        lines: Vec<StockLine>,
    },
    /// What was set aside is not needed any more.
    Release {
        /// The sub-order.
        sub_order_id: SubOrderId,
        /// The order it belongs to.
        order_id: OrderId,
    },
}

/// One line of a sub-order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockLine {
    /// The merchant's name for the article.
    pub sku: String,
    /// How many.
    pub quantity: u32,
}

impl Event for StockCommand {
    const TOPIC: &'static str = "inventory.commands";

    /// By sub-order, not by order or merchant: reservations have no order among each other. A merchant's many
    /// sub-orders would queue up behind one that fails; and the row of a stock item is a better lock than a key,
    /// because it is held for one transaction and not for all retries. Two commands about the *same* sub-order keep
    /// their order: the release comes after the reservation.
    fn key(&self) -> Option<Cow<'_, str>> {
        let (Self::Reserve { sub_order_id, .. } | Self::Release { sub_order_id, .. }) = self;
        Some(sub_order_id.to_string().into())
    }
}

impl OrderMessage for StockCommand {
    const CONFIRMED_BY: &'static [&'static str] = &[groups::INVENTORY];

    fn order_id(&self) -> OrderId {
        let (Self::Reserve { order_id, .. } | Self::Release { order_id, .. }) = self;
        *order_id
    }

    fn sub_order_id(&self) -> Option<SubOrderId> {
        let (Self::Reserve { sub_order_id, .. } | Self::Release { sub_order_id, .. }) = self;
        Some(*sub_order_id)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Reserve { .. } => "reserve stock",
            Self::Release { .. } => "release stock",
        }
    }
}

/// Inventory → orders: whether a sub-order's stock is set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum StockAnswer {
    /// All of it is.
    Reserved {
        /// The sub-order.
        sub_order_id: SubOrderId,
        /// The order it belongs to.
        order_id: OrderId,
    },
    /// Nothing of it is.
    Refused {
        /// The sub-order.
        sub_order_id: SubOrderId,
        /// The order it belongs to.
        order_id: OrderId,
        /// Why, for the buyer.
        reason: String,
    },
}

impl Event for StockAnswer {
    const TOPIC: &'static str = "inventory.answers";

    /// By order: the receiver changes the main order, so the answers of one order wait for each other here
    /// instead of at its row.
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id().to_string().into())
    }
}

impl OrderMessage for StockAnswer {
    const CONFIRMED_BY: &'static [&'static str] = &[groups::ORDERS];

    fn order_id(&self) -> OrderId {
        let (Self::Reserved { order_id, .. } | Self::Refused { order_id, .. }) = self;
        *order_id
    }

    fn sub_order_id(&self) -> Option<SubOrderId> {
        let (Self::Reserved { sub_order_id, .. } | Self::Refused { sub_order_id, .. }) = self;
        Some(*sub_order_id)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Reserved { .. } => "stock reserved",
            Self::Refused { .. } => "stock refused",
        }
    }
}
