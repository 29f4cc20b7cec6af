//! Loyalty as a consumer.

use async_trait::async_trait;
use idempotency::consumer::IdempotentHandler;
use outbox_core::consumer::HandleError;
use outbox_core::{Event, Message};
use outbox_sqlx::OutboxTransaction;

use super::Statements;
use crate::database::ServiceDatabase;
use crate::events::OrderEvent;
use crate::groups;
use crate::messaging::{Hearing, Messenger, Module};

/// Cents that bring a point.
const CENTS_PER_POINT: i64 = 100;

/// The module as a consumer group.
///
/// # Errors
/// The group's name can't be one.
pub fn module<DB: ServiceDatabase>(hearing: &Hearing<DB>) -> anyhow::Result<Module> {
    hearing.module(groups::LOYALTY, &[OrderEvent::TOPIC], Listener)
}

struct Listener;

#[async_trait]
impl<DB: ServiceDatabase> IdempotentHandler<DB, Messenger> for Listener {
    async fn handle(
        &self,
        message: &Message,
        tx: &mut OutboxTransaction<DB>,
        _messenger: &Messenger,
    ) -> Result<(), HandleError> {
        if let OrderEvent::Completed { buyer, amount, .. } = message.decode()? {
            Statements::add_points(&mut **tx, &buyer, amount / CENTS_PER_POINT).await?;
        }
        Ok(())
    }
}
