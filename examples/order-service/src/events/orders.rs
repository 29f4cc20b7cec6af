use std::borrow::Cow;

use outbox_core::Event;
use serde::{Deserialize, Serialize};

use super::OrderMessage;
use crate::groups;
use crate::ids::{OrderId, SubOrderId};

/// Orders → anybody: what became of an order. Whoever wants to know subscribes, and the sender never hears of it: loyalty
/// points were added like that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum OrderEvent {
    /// It was placed.
    Placed {
        /// The order.
        order_id: OrderId,
        /// Who placed it.
        buyer: String,
        /// What was asked for, in cents.
        amount: i64,
        /// Its parts.
        sub_orders: Vec<SubOrderId>,
    },
    /// Stock is set aside, and it waits to be paid.
    AwaitingPayment {
        /// The order.
        order_id: OrderId,
        /// What is to be paid, in cents.
        amount: i64,
    },
    /// It is paid, once.
    Paid {
        /// The order.
        order_id: OrderId,
        /// What was captured, in cents.
        amount: i64,
    },
    /// The last of its sub-orders was delivered.
    Completed {
        /// The order.
        order_id: OrderId,
        /// Who placed it.
        buyer: String,
        /// What was paid, in cents.
        amount: i64,
    },
    /// It will not be delivered, and nothing is to be paid.
    Cancelled {
        /// The order.
        order_id: OrderId,
        /// Why.
        reason: String,
    },
    /// Money for one of its sub-orders went back.
    Refunded {
        /// The order.
        order_id: OrderId,
        /// The sub-order.
        sub_order_id: SubOrderId,
        /// How much, in cents.
        amount: i64,
    },
}

impl Event for OrderEvent {
    const TOPIC: &'static str = "orders.events";

    /// An order's history is told in its order.
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id().to_string().into())
    }
}

impl OrderMessage for OrderEvent {
    const CONFIRMED_BY: &'static [&'static str] = &[];

    fn order_id(&self) -> OrderId {
        match self {
            Self::Placed { order_id, .. }
            | Self::AwaitingPayment { order_id, .. }
            | Self::Paid { order_id, .. }
            | Self::Completed { order_id, .. }
            | Self::Cancelled { order_id, .. }
            | Self::Refunded { order_id, .. } => *order_id,
        }
    }

    fn sub_order_id(&self) -> Option<SubOrderId> {
        match self {
            Self::Refunded { sub_order_id, .. } => Some(*sub_order_id),
            _ => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Placed { .. } => "placed",
            Self::AwaitingPayment { .. } => "awaiting payment",
            Self::Paid { .. } => "paid",
            Self::Completed { .. } => "completed",
            Self::Cancelled { .. } => "cancelled",
            Self::Refunded { .. } => "refunded",
        }
    }
}

/// Orders → orders, so much later as a buyer may take to pay: an order that is still unpaid is closed.
///
/// The message is the timer: it is committed with the state that it belongs to, and survives every restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentDue {
    /// The order.
    pub order_id: OrderId,
}

impl Event for PaymentDue {
    const TOPIC: &'static str = "orders.payment-due";

    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id.to_string().into())
    }
}

impl OrderMessage for PaymentDue {
    const CONFIRMED_BY: &'static [&'static str] = &[groups::ORDERS];

    fn order_id(&self) -> OrderId {
        self.order_id
    }

    fn name(&self) -> &'static str {
        "payment due"
    }
}
