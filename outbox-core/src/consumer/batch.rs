use std::sync::Arc;

use async_trait::async_trait;

use super::handler::HandleError;
use crate::message::Message;
use crate::subscriber::Delivery;

/// Handles several messages by one call, where that is cheaper than one by one: a bulk insert, one request for many.
///
/// A batch may hold messages of several topics, and several of one key, in their order; no other batch that runs holds
/// any of these keys. `Ok` acknowledges all of them. The future may be dropped at any await, as a
/// [`Handler`](super::Handler)'s may.
///
/// When a batch of more than one message fails (an error, a panic, or the handler's timeout), nothing of it counts as
/// failed: each message is handled again, in order, as a batch of its own, so that only those fail that fail alone. So
/// what a call did before it failed must be undone, as by a transaction, or harmless when it is done again.
///
/// Functions and closures from the messages to such a result are batch handlers:
///
/// ```
/// use outbox_core::Message;
/// use outbox_core::consumer::{BatchHandler, HandleError};
///
/// async fn index(messages: Vec<Message>) -> Result<(), HandleError> {
///     let orders = messages.iter().map(Message::decode_json).collect::<Result<Vec<u64>, _>>()?;
///     println!("one request for {} orders", orders.len());
///     Ok(())
/// }
/// fn is_a_batch_handler(_: impl BatchHandler) {}
/// is_a_batch_handler(index);
/// ```
#[async_trait]
pub trait BatchHandler: Send + Sync + 'static {
    /// Handles these messages, at least one, all or none.
    ///
    /// # Errors
    /// None of them counts as handled. Of a batch of one, [`HandleError`] says whether trying again may help.
    async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError>;
}

#[async_trait]
impl<F, R> BatchHandler for F
where
    F: Fn(Vec<Message>) -> R + Send + Sync + 'static,
    R: Future<Output = Result<(), HandleError>> + Send,
{
    async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        let messages = batch.iter().map(|delivery| delivery.message().clone());
        self(messages.collect()).await
    }
}

#[async_trait]
impl<H: BatchHandler + ?Sized> BatchHandler for Arc<H> {
    async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        (**self).handle_batch(batch).await
    }
}

/// Object safety is part of the contract: the runtime holds a handler of any type.
fn _obj_safe(_: &dyn BatchHandler) {}
