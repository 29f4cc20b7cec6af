use std::borrow::Cow;

use outbox_core::Event;
use serde::{Deserialize, Serialize};

use super::OrderMessage;
use crate::groups;
use crate::ids::{OrderId, SubOrderId};

/// Orders → shipping: send a sub-order that is paid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentCommand {
    /// The sub-order.
    pub sub_order_id: SubOrderId,
    /// The order it belongs to.
    pub order_id: OrderId,
    /// Who sends it.
    pub merchant: String,
}

impl Event for ShipmentCommand {
    const TOPIC: &'static str = "shipping.commands";

    /// The sub-orders of an order are sent one after the other, in the order in which the buyer named them.
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id.to_string().into())
    }
}

impl OrderMessage for ShipmentCommand {
    const CONFIRMED_BY: &'static [&'static str] = &[groups::SHIPPING];

    fn order_id(&self) -> OrderId {
        self.order_id
    }

    fn sub_order_id(&self) -> Option<SubOrderId> {
        Some(self.sub_order_id)
    }

    fn name(&self) -> &'static str {
        "ship"
    }
}

/// Shipping → orders and inventory: how far a sub-order has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ShipmentEvent {
    /// It left the merchant, and his stock.
    Shipped {
        /// The sub-order.
        sub_order_id: SubOrderId,
        /// The order it belongs to.
        order_id: OrderId,
    },
    /// The buyer has it.
    Delivered {
        /// The sub-order.
        sub_order_id: SubOrderId,
        /// The order it belongs to.
        order_id: OrderId,
    },
}

impl Event for ShipmentEvent {
    const TOPIC: &'static str = "shipping.events";

    /// By order, as all that changes the main order; so a sub-order is shipped before it is delivered.
    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id().to_string().into())
    }
}

impl OrderMessage for ShipmentEvent {
    /// Both must have heard of it.
    const CONFIRMED_BY: &'static [&'static str] = &[groups::ORDERS, groups::INVENTORY];

    fn order_id(&self) -> OrderId {
        let (Self::Shipped { order_id, .. } | Self::Delivered { order_id, .. }) = self;
        *order_id
    }

    fn sub_order_id(&self) -> Option<SubOrderId> {
        let (Self::Shipped { sub_order_id, .. } | Self::Delivered { sub_order_id, .. }) = self;
        Some(*sub_order_id)
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Shipped { .. } => "shipped",
            Self::Delivered { .. } => "delivered",
        }
    }
}

/// Shipping → shipping, when the carrier will be there: a message that is delivered later stands for the carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierDelivery {
    /// The sub-order.
    pub sub_order_id: SubOrderId,
    /// The order it belongs to.
    pub order_id: OrderId,
}

impl Event for CarrierDelivery {
    const TOPIC: &'static str = "shipping.carrier";

    fn key(&self) -> Option<Cow<'_, str>> {
        Some(self.order_id.to_string().into())
    }
}

impl OrderMessage for CarrierDelivery {
    const CONFIRMED_BY: &'static [&'static str] = &[groups::SHIPPING];

    fn order_id(&self) -> OrderId {
        self.order_id
    }

    fn sub_order_id(&self) -> Option<SubOrderId> {
        Some(self.sub_order_id)
    }

    fn name(&self) -> &'static str {
        "carrier is there"
    }
}
