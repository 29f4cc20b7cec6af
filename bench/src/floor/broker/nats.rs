use anyhow::Result;
use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use async_trait::async_trait;
use futures_util::future::try_join_all;
use outbox_core::Message;

use super::Client;

/// JetStream's own client.
pub(crate) struct Nats {
    context: Context,
}

impl Nats {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let context = async_nats::jetstream::new(async_nats::connect(url).await?);
        Ok(Self { context })
    }
}

#[async_trait]
impl Client for Nats {
    async fn publish(&self, messages: &[Message]) -> Result<()> {
        let mut acks = Vec::with_capacity(messages.len());
        for message in messages {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", message.id().to_string());
            for (name, value) in super::headers(message) {
                headers.insert(name, value);
            }
            let subject = format!("outbox.{}.{}", message.topic(), super::queue(message));
            let publish = PublishMessage::build()
                .payload(message.payload().clone())
                .headers(headers);
            acks.push(self.context.send_publish(subject, publish).await?);
        }
        try_join_all(acks.into_iter().map(IntoFuture::into_future)).await?;
        Ok(())
    }
}
