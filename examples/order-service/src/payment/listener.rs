//! Payment as a consumer.

use std::sync::Arc;

use async_trait::async_trait;
use idempotency::consumer::PreparedHandler;
use outbox_core::consumer::HandleError;
use outbox_core::{Event, Message};
use outbox_sqlx::OutboxTransaction;

use super::{Charged, Gateway, Statements};
use crate::database::ServiceDatabase;
use crate::events::{Outgoing, PaymentAnswer, PaymentCommand};
use crate::groups;
use crate::messaging::{Hearing, Messenger, Module};

/// The module as a consumer group, with its payment provider.
///
/// # Errors
/// The group's name can't be one.
pub fn module<DB: ServiceDatabase>(
    hearing: &Hearing<DB>,
    gateway: Arc<dyn Gateway>,
) -> anyhow::Result<Module> {
    let topics = &[PaymentCommand::TOPIC];
    hearing.prepared_module(groups::PAYMENT, topics, Listener { gateway })
}

struct Listener {
    gateway: Arc<dyn Gateway>,
}

#[async_trait]
impl<DB: ServiceDatabase> PreparedHandler<DB, Messenger> for Listener {
    type Prepared = (PaymentCommand, Charged);

    /// The provider is asked while no transaction is open. If its answer gets lost, or this process dies before the answer
    /// is written down, the message comes again and so does the question, with the same key: the money moves once.
    async fn prepare(&self, message: &Message) -> Result<Self::Prepared, HandleError> {
        let command: PaymentCommand = message.decode()?;
        let charged = match &command {
            PaymentCommand::Charge {
                payment_id,
                amount,
                payment_method,
                ..
            } => self.gateway.charge(payment_id.0, *amount, payment_method).await?,
            PaymentCommand::Refund {
                refund_id,
                payment_id,
                amount,
                ..
            } => {
                self.gateway.refund(refund_id.0, payment_id.0, *amount).await?;
                Charged::Captured
            }
        };
        Ok((command, charged))
    }

    async fn handle(
        &self,
        _message: &Message,
        (command, charged): Self::Prepared,
        tx: &mut OutboxTransaction<DB>,
        messenger: &Messenger,
    ) -> Result<(), HandleError> {
        let answer = match command {
            PaymentCommand::Charge {
                payment_id,
                order_id,
                amount,
                ..
            } => {
                let (state, reason) = match &charged {
                    Charged::Captured => ("captured", None),
                    Charged::Refused { reason } => ("refused", Some(reason.as_str())),
                };
                Statements::insert_payment(&mut **tx, payment_id.0, order_id.0, amount, state, reason)
                    .await?;
                match charged {
                    Charged::Captured => PaymentAnswer::Captured {
                        payment_id,
                        order_id,
                        amount,
                    },
                    Charged::Refused { reason } => PaymentAnswer::Refused {
                        payment_id,
                        order_id,
                        reason,
                    },
                }
            }
            PaymentCommand::Refund {
                refund_id,
                payment_id,
                order_id,
                sub_order_id,
                amount,
            } => {
                Statements::insert_refund(&mut **tx, refund_id.0, payment_id.0, sub_order_id.0, amount)
                    .await?;
                Statements::add_refund(&mut **tx, amount, payment_id.0).await?;
                PaymentAnswer::Refunded {
                    refund_id,
                    order_id,
                    sub_order_id,
                    amount,
                }
            }
        };
        messenger.send(tx, vec![Outgoing::PaymentAnswer(answer)]).await?;
        Ok(())
    }
}
