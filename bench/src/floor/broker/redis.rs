use anyhow::Result;
use async_trait::async_trait;
use outbox_core::Message;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;

use super::Client;

/// A pipeline of XADD. It knows no message by its id: whoever sends again has it twice.
pub(crate) struct Redis {
    connection: MultiplexedConnection,
}

impl Redis {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let client = redis::Client::open(url)?;
        Ok(Self {
            connection: client
                .get_multiplexed_async_connection_with_config(&config)
                .await?,
        })
    }
}

#[async_trait]
impl Client for Redis {
    async fn publish(&self, messages: &[Message]) -> Result<()> {
        let mut pipeline = redis::pipe();
        for message in messages {
            let stream = format!("{{outbox:{}}}:{}", message.topic(), super::queue(message));
            let append = pipeline.cmd("XADD").arg(stream).arg("*");
            for (name, value) in super::headers(message) {
                append.arg(name).arg(value);
            }
            append.arg("payload").arg(&message.payload()[..]).ignore();
        }
        let () = pipeline.query_async(&mut self.connection.clone()).await?;
        Ok(())
    }
}
