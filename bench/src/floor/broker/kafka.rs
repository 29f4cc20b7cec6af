use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use futures_util::future::try_join_all;
use outbox_core::Message;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::Client;

/// Kafka's own client in C: an idempotent producer that every replica has to answer.
pub(crate) struct Kafka {
    producer: FutureProducer,
}

impl Kafka {
    pub(crate) fn connect(servers: &str) -> Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            .create()
            .context("making a producer")?;
        Ok(Self { producer })
    }
}

#[async_trait]
impl Client for Kafka {
    async fn publish(&self, messages: &[Message]) -> Result<()> {
        let mut reports = Vec::with_capacity(messages.len());
        for message in messages {
            let mut headers = OwnedHeaders::new_with_capacity(3);
            for (key, value) in super::headers(message) {
                let value = Some(value.as_bytes());
                headers = headers.insert(Header { key, value });
            }
            let record = FutureRecord::to(message.topic())
                .key(message.key().unwrap_or_default())
                .payload(&message.payload()[..])
                .headers(headers);
            let report = self.producer.send_result(record).map_err(|(error, _)| error)?;
            reports.push(async {
                let report = report.await.context("the producer is gone")?;
                report.map_err(|(error, _)| anyhow!(error))
            });
        }
        try_join_all(reports).await?;
        Ok(())
    }
}
