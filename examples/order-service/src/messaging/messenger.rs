use std::time::Duration;

use outbox_core::confirmation::Confirm;
use outbox_core::{Enqueue, Message, MessageError, Order};
use outbox_sqlx::{Outbox, OutboxError, OutboxTransaction};

use super::trace;
use crate::database::ServiceDatabase;
use crate::events::Outgoing;
use crate::groups::CONFIRM_TO;
use crate::journal;
use crate::store_error::StoreError;

/// Sends messages in the transactions of the modules: into the outbox, and into the journal, so that an order's messages
/// can be shown. Clones share the outbox.
#[derive(Debug, Clone)]
pub struct Messenger {
    outbox: Outbox,
    confirm_within: Duration,
}

impl Messenger {
    /// Through this outbox. Who is meant to hear a message has to confirm it within this time of each delivery, or it is
    /// sent again.
    pub fn new(outbox: Outbox, confirm_within: Duration) -> Self {
        Self {
            outbox,
            confirm_within,
        }
    }

    /// The outbox.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Sends these, if the transaction commits.
    ///
    /// # Errors
    /// The database refused; then nothing of the transaction may be committed.
    pub async fn send<DB: ServiceDatabase>(
        &self,
        tx: &mut OutboxTransaction<DB>,
        outgoing: Vec<Outgoing>,
    ) -> Result<(), StoreError> {
        let messages = outgoing
            .iter()
            .map(|outgoing| self.message(outgoing))
            .collect::<Result<Vec<Message>, MessageError>>()
            .map_err(OutboxError::from)?;
        let entries = journal::entries(outgoing.iter().zip(&messages), trace::current().as_ref());
        self.outbox.publish_all(tx, messages).await?;
        journal::write::<DB>(tx, entries).await?;
        Ok(())
    }

    fn message(&self, outgoing: &Outgoing) -> Result<Message, MessageError> {
        let message = outgoing.to_message()?;
        let groups = outgoing.confirmed_by();
        if groups.is_empty() {
            return message.build();
        }
        let groups = groups.iter().copied();
        let confirm = Confirm::by(groups, self.confirm_within).to(CONFIRM_TO);
        message.confirm_by(confirm)?.build()
    }
}

/// For the guard, which sends the confirmations.
impl<DB: ServiceDatabase> Enqueue<OutboxTransaction<DB>> for Messenger {
    type Error = OutboxError;

    async fn enqueue(
        &self,
        tx: &mut OutboxTransaction<DB>,
        messages: &[Message],
        order: Order,
    ) -> Result<(), OutboxError> {
        self.outbox.enqueue(tx, messages, order).await
    }

    fn committed(&self) {
        self.outbox.wake();
    }
}
