use anyhow::{Result, ensure};
use async_trait::async_trait;
use futures_util::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use outbox_core::Message;

use super::Client;

/// RabbitMQ's own client: confirms, and `mandatory`, on a channel for each batch under way, as ours has it.
pub(crate) struct RabbitMq {
    connection: Connection,
}

impl RabbitMq {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        Ok(Self {
            connection: Connection::connect(url, ConnectionProperties::default()).await?,
        })
    }

    async fn channel(&self) -> Result<Channel> {
        let channel = self.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }
}

#[async_trait]
impl Client for RabbitMq {
    async fn publish(&self, messages: &[Message]) -> Result<()> {
        let channel = self.channel().await?;
        let mut confirms = Vec::with_capacity(messages.len());
        for message in messages {
            let mut headers = FieldTable::default();
            for (name, value) in super::headers(message) {
                headers.insert(name.into(), AMQPValue::LongString(value.into()));
            }
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(message.id().to_string().into())
                .with_headers(headers);
            let confirm = channel
                .basic_publish(
                    format!("outbox.{}", message.topic()).into(),
                    super::queue(message).to_string().into(),
                    BasicPublishOptions {
                        mandatory: true,
                        ..BasicPublishOptions::default()
                    },
                    message.payload(),
                    properties,
                )
                .await?;
            confirms.push(confirm);
        }
        let confirmed = try_join_all(confirms).await?;
        let taken = confirmed
            .iter()
            .filter(|confirmed| matches!(confirmed, Confirmation::Ack(None)))
            .count();
        ensure!(
            taken == messages.len(),
            "{taken} of {} were taken",
            messages.len()
        );
        channel.close(200, "done".into()).await?;
        Ok(())
    }
}
