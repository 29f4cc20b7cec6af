//! The orders module as a consumer: it hears what inventory answers.

use std::sync::Arc;

use outbox_core::consumer::{Consumer, HandleError};
use outbox_core::{Event, Message};

use super::{Answer, OrderStore};
use crate::events::{StockRefused, StockReserved};
use crate::queue::{HANDLER_TIMEOUT, Queue};

/// The consumer group.
pub const GROUP: &str = "orders";

/// How many answers are handled at the same time, each of another order.
const CONCURRENCY: usize = 8;

/// A consumer of inventory's answers.
///
/// # Errors
/// The queue can't be reached, or is closed.
pub async fn hear_answers(queue: &Queue, store: Arc<dyn OrderStore>) -> anyhow::Result<Consumer> {
    let subscriber = queue
        .subscribe(GROUP, &[StockReserved::TOPIC, StockRefused::TOPIC])
        .await?;
    let handler = move |message: Message| {
        let store = Arc::clone(&store);
        async move { hear(&message, &*store).await }
    };
    Ok(Consumer::builder(subscriber, handler)
        .concurrency(CONCURRENCY)
        .handler_timeout(HANDLER_TIMEOUT)
        .build()?)
}

/// An error is tried again with backoff; a message that can't be read goes to the dead letters at once. A duplicate
/// is no error: the store changes nothing for it, and it is acknowledged like the first.
async fn hear(message: &Message, store: &dyn OrderStore) -> Result<(), HandleError> {
    let (order_id, sub_order_id, answer) = match message.topic() {
        StockReserved::TOPIC => {
            let event: StockReserved = message.decode()?;
            (event.order_id, event.sub_order_id, Answer::Reserved)
        }
        _ => {
            let event: StockRefused = message.decode()?;
            (
                event.order_id,
                event.sub_order_id,
                Answer::Refused { reason: event.reason },
            )
        }
    };
    store.answer(order_id, sub_order_id, &answer).await?;
    Ok(())
}
