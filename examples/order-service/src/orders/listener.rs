//! Orders as a consumer: it hears the answers of the other modules, and its own timer.

use std::time::Duration;

use async_trait::async_trait;
use idempotency::consumer::IdempotentHandler;
use outbox_core::consumer::HandleError;
use outbox_core::{Event, Message};
use outbox_sqlx::OutboxTransaction;

use super::changes::{Changed, change};
use super::model::Order;
use crate::database::ServiceDatabase;
use crate::events::{OrderMessage, Outgoing, PaymentAnswer, PaymentDue, ShipmentEvent, StockAnswer};
use crate::groups;
use crate::ids::OrderId;
use crate::messaging::{Hearing, Messenger, Module};

/// The module as a consumer group. A buyer has `pay_within` to pay.
///
/// # Errors
/// The group's name can't be one.
pub fn module<DB: ServiceDatabase>(hearing: &Hearing<DB>, pay_within: Duration) -> anyhow::Result<Module> {
    let topics = &[
        StockAnswer::TOPIC,
        PaymentAnswer::TOPIC,
        PaymentDue::TOPIC,
        ShipmentEvent::TOPIC,
    ];
    hearing.module(groups::ORDERS, topics, Listener { pay_within })
}

struct Listener {
    pay_within: Duration,
}

/// What a message does to an order. `None`: it is no news.
type Decision = Box<dyn FnOnce(&mut Order) -> Option<Vec<Outgoing>> + Send>;

impl Listener {
    fn decision(&self, message: &Message) -> Result<(OrderId, Decision), HandleError> {
        let pay_within = self.pay_within;
        Ok(match message.topic() {
            StockAnswer::TOPIC => {
                let answer: StockAnswer = message.decode()?;
                (
                    answer.order_id(),
                    Box::new(move |order| match answer {
                        StockAnswer::Reserved { sub_order_id, .. } => {
                            order.answered(sub_order_id, Ok(()), pay_within)
                        }
                        StockAnswer::Refused {
                            sub_order_id, reason, ..
                        } => order.answered(sub_order_id, Err(reason), pay_within),
                    }),
                )
            }
            PaymentAnswer::TOPIC => {
                let answer: PaymentAnswer = message.decode()?;
                (
                    answer.order_id(),
                    Box::new(move |order| match answer {
                        PaymentAnswer::Captured {
                            payment_id, amount, ..
                        } => order.captured(payment_id, amount),
                        PaymentAnswer::Refused {
                            payment_id, reason, ..
                        } => order.payment_refused(payment_id, reason),
                        PaymentAnswer::Refunded {
                            sub_order_id, amount, ..
                        } => order.refunded(sub_order_id, amount),
                    }),
                )
            }
            ShipmentEvent::TOPIC => {
                let event: ShipmentEvent = message.decode()?;
                (
                    event.order_id(),
                    Box::new(move |order| match event {
                        ShipmentEvent::Shipped { sub_order_id, .. } => order.shipped(sub_order_id),
                        ShipmentEvent::Delivered { sub_order_id, .. } => order.delivered(sub_order_id),
                    }),
                )
            }
            _ => {
                let due: PaymentDue = message.decode()?;
                (due.order_id, Box::new(Order::payment_due))
            }
        })
    }
}

#[async_trait]
impl<DB: ServiceDatabase> IdempotentHandler<DB, Messenger> for Listener {
    /// An error is tried again with backoff; a message that can't be read goes to the dead letters at once.
    async fn handle(
        &self,
        message: &Message,
        tx: &mut OutboxTransaction<DB>,
        messenger: &Messenger,
    ) -> Result<(), HandleError> {
        let (id, decision) = self.decision(message)?;
        let decide = |order: &mut Order| {
            let outgoing = decision(order);
            // Most orders are paid before their time is up.
            if outgoing.is_none() && message.topic() != PaymentDue::TOPIC {
                tracing::warn!(
                    order = %order.id, topic = message.topic(), id = %message.id(),
                    "an answer came too late, or contradicts an earlier one: it changes nothing"
                );
            }
            (outgoing.unwrap_or_default(), ())
        };
        match change(tx, messenger, id, self.pay_within, decide).await? {
            Changed::Yes(..) => Ok(()),
            Changed::NoOrder => Err(HandleError::permanent(format!("there is no order {id}"))),
        }
    }
}
