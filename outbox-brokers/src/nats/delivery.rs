use std::sync::Arc;
use std::time::Duration;

use async_nats::Subject;
use async_nats::jetstream::AckKind;
use async_nats::jetstream::Context;
use async_trait::async_trait;
use outbox_core::{Acknowledge, Message, ReceiveError};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::connect::Settings;
use super::dead;

/// What one delivery's outcome needs.
pub(super) struct Outcome {
    pub(super) context: Context,
    pub(super) settings: Arc<Settings>,
    pub(super) group: Arc<str>,
    pub(super) message: Message,
    pub(super) attempt: u32,
    /// Where it came from, and its place there.
    pub(super) subject: Subject,
    pub(super) offset: u64,
    /// Where the server wants to be told.
    pub(super) reply: Subject,
    /// When the server gives it to somebody else.
    pub(super) lease_end: Instant,
    /// The server was told something, whether or not it has heard.
    pub(super) told: bool,
    /// Where it is told that it goes back.
    pub(super) unfinished: TaskTracker,
}

impl Outcome {
    /// Tells the server, and waits until it has heard.
    async fn tell(&mut self, kind: AckKind) -> Result<(), ReceiveError> {
        // By then it may be another member's, whose outcome counts; the server would take ours as well.
        if self.lease_left() == Some(Duration::ZERO) {
            return Err(ReceiveError::Fenced);
        }
        self.told = true;
        let client = self.context.client();
        let request = async_nats::Request::new()
            .payload(kind.into())
            .timeout(Some(self.settings.timeout));
        match client.send_request(self.reply.clone(), request).await {
            Ok(_) => Ok(()),
            Err(error) => Err(ReceiveError::Unavailable {
                message: format!("the server did not take the outcome: {error}").into(),
                source: Some(Arc::new(error)),
            }),
        }
    }
}

#[async_trait]
impl Acknowledge for Outcome {
    async fn ack(mut self: Box<Self>) -> Result<(), ReceiveError> {
        self.tell(AckKind::Ack).await
    }

    /// The server keeps no text; it is in the log.
    async fn retry(mut self: Box<Self>, after: Duration, error: &str) -> Result<(), ReceiveError> {
        tracing::debug!(group = &*self.group, id = %self.message.id(), error, "failed, comes again");
        self.tell(AckKind::Nak(Some(after))).await
    }

    async fn dead(mut self: Box<Self>, error: &str) -> Result<(), ReceiveError> {
        if self.lease_left() == Some(Duration::ZERO) {
            return Err(ReceiveError::Fenced);
        }
        // First there, then gone here: a crash in between makes two attempts to bury it, which the stream of the dead knows.
        dead::bury(&self, error).await?;
        self.tell(AckKind::Term).await
    }

    fn lease_left(&self) -> Option<Duration> {
        Some(self.lease_end.saturating_duration_since(Instant::now()))
    }
}

/// One without an outcome comes again at once, and not after its lease. Where that can't be told, its lease does it.
impl Drop for Outcome {
    fn drop(&mut self) {
        if self.told || self.lease_left() == Some(Duration::ZERO) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (client, reply) = (self.context.client(), self.reply.clone());
            let tell = async move {
                if client.publish(reply, AckKind::Nak(None).into()).await.is_ok() {
                    let _ = client.flush().await;
                }
            };
            self.unfinished.spawn_on(tell, &runtime);
        }
    }
}
