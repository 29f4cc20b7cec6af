use std::time::Duration;

use outbox_core::{Event, MessageBuilder, MessageError};

use super::{
    CarrierDelivery, OrderEvent, OrderMessage, PaymentAnswer, PaymentCommand, PaymentDue, ShipmentCommand,
    ShipmentEvent, StockAnswer, StockCommand,
};
use crate::ids::{OrderId, SubOrderId};

/// A message that is to be sent: what a decision of a module comes to. Values, so that decisions can be tested without a
/// database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named after what it holds")]
pub enum Outgoing {
    Order(OrderEvent),
    PaymentDue { event: PaymentDue, after: Duration },
    Stock(StockCommand),
    StockAnswer(StockAnswer),
    Payment(PaymentCommand),
    PaymentAnswer(PaymentAnswer),
    Ship(ShipmentCommand),
    Shipment(ShipmentEvent),
    Carrier { event: CarrierDelivery, after: Duration },
}

/// Does the same with whatever event it is.
macro_rules! each {
    ($outgoing:expr, $event:ident => $do:expr) => {
        match $outgoing {
            Outgoing::Order($event) => $do,
            Outgoing::PaymentDue { event: $event, .. } => $do,
            Outgoing::Stock($event) => $do,
            Outgoing::StockAnswer($event) => $do,
            Outgoing::Payment($event) => $do,
            Outgoing::PaymentAnswer($event) => $do,
            Outgoing::Ship($event) => $do,
            Outgoing::Shipment($event) => $do,
            Outgoing::Carrier { event: $event, .. } => $do,
        }
    };
}

impl Outgoing {
    /// The order that it is about.
    pub fn order_id(&self) -> OrderId {
        each!(self, event => event.order_id())
    }

    /// The sub-order that it is about, if it is about one.
    pub fn sub_order_id(&self) -> Option<SubOrderId> {
        each!(self, event => event.sub_order_id())
    }

    /// What it says, in a word.
    pub fn name(&self) -> &'static str {
        each!(self, event => event.name())
    }

    /// The consumer groups that confirm it.
    pub fn confirmed_by(&self) -> &'static [&'static str] {
        fn of<E: OrderMessage>(_: &E) -> &'static [&'static str] {
            E::CONFIRMED_BY
        }
        each!(self, event => of(event))
    }

    /// As a message, due when it says.
    ///
    /// # Errors
    /// It can't be serialized.
    pub fn to_message(&self) -> Result<MessageBuilder, MessageError> {
        let message = each!(self, event => event.to_message())?;
        Ok(match self {
            Self::PaymentDue { after, .. } | Self::Carrier { after, .. } => message.delay(*after),
            _ => message,
        })
    }
}
