//! Messages as a queue would hand them out, whose outcomes nobody writes down.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use outbox_core::{Acknowledge, Delivery, Headers, Message, ReceiveError};

use crate::content::{Content, TOPIC};

struct Unheard;

#[async_trait]
impl Acknowledge for Unheard {
    async fn ack(self: Box<Self>) -> Result<(), ReceiveError> {
        Ok(())
    }
    async fn retry(self: Box<Self>, _: Duration, _: &str) -> Result<(), ReceiveError> {
        Ok(())
    }
    async fn dead(self: Box<Self>, _: &str) -> Result<(), ReceiveError> {
        Ok(())
    }
}

/// So many, each of another message.
pub(super) fn deliveries(messages: usize) -> Result<Vec<Delivery>> {
    let content = Content::new();
    (0..messages as u64)
        .map(|n| {
            let message = Message::builder(TOPIC)
                .key(content.key(n))
                .payload(content.payload.clone(), Headers::DEFAULT_CONTENT_TYPE)
                .build()?;
            Ok(Delivery::new(message, 1, 0, n, Box::new(Unheard)))
        })
        .collect()
}
