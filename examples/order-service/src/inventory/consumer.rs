//! The inventory module as a consumer: it answers what orders asks.

use std::sync::Arc;

use outbox_core::consumer::{Consumer, HandleError};
use outbox_core::{Event, Message};

use super::InventoryStore;
use crate::events::StockRequested;
use crate::queue::{HANDLER_TIMEOUT, Queue};

/// The consumer group.
pub const GROUP: &str = "inventory";

/// How many requests are handled at the same time, each of another sub-order.
const CONCURRENCY: usize = 8;

/// A consumer of the requests for stock.
///
/// # Errors
/// The queue can't be reached, or is closed.
pub async fn hear_requests(queue: &Queue, store: Arc<dyn InventoryStore>) -> anyhow::Result<Consumer> {
    let subscriber = queue.subscribe(GROUP, &[StockRequested::TOPIC]).await?;
    let handler = move |message: Message| {
        let store = Arc::clone(&store);
        async move { hear(&message, &*store).await }
    };
    Ok(Consumer::builder(subscriber, handler)
        .concurrency(CONCURRENCY)
        .handler_timeout(HANDLER_TIMEOUT)
        .build()?)
}

/// An error is tried again with backoff; a message that can't be read goes to the dead letters at once. Being short
/// of stock is no error: it is an answer.
async fn hear(message: &Message, store: &dyn InventoryStore) -> Result<(), HandleError> {
    let request: StockRequested = message.decode()?;
    store.reserve(message.id(), &request).await?;
    Ok(())
}
