//! Shipping as a consumer.

use std::time::Duration;

use async_trait::async_trait;
use idempotency::consumer::IdempotentHandler;
use outbox_core::consumer::HandleError;
use outbox_core::{Event, Message};
use outbox_sqlx::OutboxTransaction;

use super::Statements;
use crate::database::ServiceDatabase;
use crate::events::{CarrierDelivery, Outgoing, ShipmentCommand, ShipmentEvent};
use crate::groups;
use crate::messaging::{Hearing, Messenger, Module};

/// The module as a consumer group. The carrier takes `transit` to be there.
///
/// # Errors
/// The group's name can't be one.
pub fn module<DB: ServiceDatabase>(hearing: &Hearing<DB>, transit: Duration) -> anyhow::Result<Module> {
    let topics = &[ShipmentCommand::TOPIC, CarrierDelivery::TOPIC];
    hearing.module(groups::SHIPPING, topics, Listener { transit })
}

struct Listener {
    transit: Duration,
}

#[async_trait]
impl<DB: ServiceDatabase> IdempotentHandler<DB, Messenger> for Listener {
    async fn handle(
        &self,
        message: &Message,
        tx: &mut OutboxTransaction<DB>,
        messenger: &Messenger,
    ) -> Result<(), HandleError> {
        if message.topic() == ShipmentCommand::TOPIC {
            let command: ShipmentCommand = message.decode()?;
            let (sub_order_id, order_id) = (command.sub_order_id, command.order_id);
            Statements::insert_shipment(&mut **tx, sub_order_id.0, order_id.0, &command.merchant).await?;
            let shipped = Outgoing::Shipment(ShipmentEvent::Shipped {
                sub_order_id,
                order_id,
            });
            let carrier = Outgoing::Carrier {
                event: CarrierDelivery {
                    sub_order_id,
                    order_id,
                },
                after: self.transit,
            };
            messenger.send(tx, vec![shipped, carrier]).await?;
        } else {
            let carrier: CarrierDelivery = message.decode()?;
            if Statements::deliver_shipment(&mut **tx, carrier.sub_order_id.0).await? == 0 {
                return Ok(());
            }
            let delivered = Outgoing::Shipment(ShipmentEvent::Delivered {
                sub_order_id: carrier.sub_order_id,
                order_id: carrier.order_id,
            });
            messenger.send(tx, vec![delivered]).await?;
        }
        Ok(())
    }
}
