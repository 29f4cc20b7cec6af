use std::borrow::Cow;

use outbox_core::Event;
use serde::{Deserialize, Serialize};

use super::OrderMessage;
use crate::groups;
use crate::ids::{OrderId, PaymentId, RefundId, SubOrderId};

/// Orders → payment: take money, or give some back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum PaymentCommand {
    /// Capture the amount of a main order.
    Charge {
        /// This try.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// How much, in cents.
        amount: i64,
        /// The provider's token for the buyer's means of payment; never a card number.
        payment_method: String,
    },
    /// Give money back for one sub-order.
    Refund {
        /// This refund.
        refund_id: RefundId,
        /// What was captured.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// The sub-order.
        sub_order_id: SubOrderId,
        /// How much, in cents.
        amount: i64,
    },
}

impl Event for PaymentCommand {
    const TOPIC: &'static str = "payment.commands";

    /// The money of an order moves step by step.
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id().to_string().into())
    }
}

impl OrderMessage for PaymentCommand {
    const CONFIRMED_BY: &'static [&'static str] = &[groups::PAYMENT];

    fn order_id(&self) -> OrderId {
        let (Self::Charge { order_id, .. } | Self::Refund { order_id, .. }) = self;
        *order_id
    }

    fn sub_order_id(&self) -> Option<SubOrderId> {
        match self {
            Self::Charge { .. } => None,
            Self::Refund { sub_order_id, .. } => Some(*sub_order_id),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Charge { .. } => "charge",
            Self::Refund { .. } => "refund",
        }
    }
}

/// Payment → orders: what became of a [`PaymentCommand`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum PaymentAnswer {
    /// The amount is captured.
    Captured {
        /// The try.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// How much, in cents.
        amount: i64,
    },
    /// It is not, and will not be by this try.
    Refused {
        /// The try.
        payment_id: PaymentId,
        /// The order.
        order_id: OrderId,
        /// Why, for the buyer.
        reason: String,
    },
    /// The money went back.
    Refunded {
        /// The refund.
        refund_id: RefundId,
        /// The order.
        order_id: OrderId,
        /// The sub-order.
        sub_order_id: SubOrderId,
        /// How much, in cents.
        amount: i64,
    },
}

impl Event for PaymentAnswer {
    const TOPIC: &'static str = "payment.answers";

    /// As [`StockAnswer`](super::StockAnswer).
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id().to_string().into())
    }
}

impl OrderMessage for PaymentAnswer {
    const CONFIRMED_BY: &'static [&'static str] = &[groups::ORDERS];

    fn order_id(&self) -> OrderId {
        match self {
            Self::Captured { order_id, .. }
            | Self::Refused { order_id, .. }
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
            Self::Captured { .. } => "payment captured",
            Self::Refused { .. } => "payment refused",
            Self::Refunded { .. } => "refund paid",
        }
    }
}
