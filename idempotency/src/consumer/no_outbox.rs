use std::future::{Future, ready};

use outbox_core::{Enqueue, Message, Order};

/// For handlers that publish nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoOutbox;

/// Something was to be published by a consumer that has no outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{messages} messages were to be published, and this consumer has no outbox: give it one")]
pub struct NoOutboxError {
    /// How many.
    pub messages: usize,
}

impl<Tx: ?Sized> Enqueue<Tx> for NoOutbox {
    type Error = NoOutboxError;

    fn enqueue(
        &self,
        _: &mut Tx,
        messages: &[Message],
        _: Order,
    ) -> impl Future<Output = Result<(), NoOutboxError>> + Send {
        ready(match messages.len() {
            0 => Ok(()),
            messages => Err(NoOutboxError { messages }),
        })
    }
}
