use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::{Acknowledge, Message, ReceiveError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::cluster::{Cluster, said_text};
use super::code::{ask, said};
use super::compression::Unread;
use super::connect::Settings;
use super::dead;
use super::frame::Command;
use super::receipt::Receipt;

/// What the outcome of one delivery needs.
pub(super) struct Outcome {
    pub(super) cluster: Arc<Cluster>,
    pub(super) settings: Arc<Settings>,
    pub(super) group: Arc<str>,
    pub(super) group_name: Arc<str>,
    pub(super) broker: Arc<str>,
    pub(super) message: Message,
    pub(super) for_group: Option<String>,
    /// Why its content can't be read.
    pub(super) unread: Option<Unread>,
    pub(super) receipt: Receipt,
    pub(super) attempt: u32,
    pub(super) lease_end: Instant,
}

impl Outcome {
    pub(super) async fn ack(&self) -> Result<(), ReceiveError> {
        self.tell(self.about(ask::ACK)).await
    }

    /// Comes again after that time.
    async fn again(&self, after: Duration) -> Result<(), ReceiveError> {
        let command = self.about(ask::CHANGE_INVISIBLE);
        self.tell(command.with("invisibleTime", after.as_millis())).await
    }

    /// First there, then gone here.
    pub(super) async fn dead(&self, error: &str) -> Result<(), ReceiveError> {
        self.still_ours()?;
        let receipt = &self.receipt;
        let place = format!(
            "{}/{}/{}/{}",
            receipt.topic, self.broker, receipt.queue, receipt.offset
        );
        dead::bury(
            &self.cluster,
            &self.settings,
            &self.group,
            &self.message,
            self.attempt,
            &place,
            error,
        )
        .await?;
        self.ack().await
    }

    /// Comes again at once. Where that can't be told, its lease does it.
    pub(super) async fn back(&self) {
        let _ = self.again(Duration::ZERO).await;
    }

    fn about(&self, code: i32) -> Command {
        let receipt = &self.receipt;
        Command::new(code)
            .with("consumerGroup", &self.group_name)
            .with("topic", &receipt.topic)
            .with("queueId", receipt.queue)
            .with("extraInfo", &receipt.text)
            .with("offset", receipt.offset)
    }

    /// The server takes what comes too late without a word.
    fn still_ours(&self) -> Result<(), ReceiveError> {
        match self.lease_end > Instant::now() {
            true => Ok(()),
            false => Err(ReceiveError::Fenced),
        }
    }

    async fn tell(&self, command: Command) -> Result<(), ReceiveError> {
        self.still_ours()?;
        let asked = self.cluster.ask(&self.broker, command).await;
        let answer = asked.map_err(|error| ReceiveError::Unavailable {
            message: format!("the broker did not take the outcome: {error}").into(),
            source: Some(Arc::new(error)),
        })?;
        match answer.code {
            said::OK => Ok(()),
            _ => Err(ReceiveError::Unavailable {
                message: format!("the broker did not take the outcome: {}", said_text(&answer)).into(),
                source: None,
            }),
        }
    }
}

/// A delivery that somebody has in hand. One without an outcome comes again at once, and not after its lease.
pub(super) struct Held {
    /// None once the server was told something, whether or not it has heard.
    outcome: Option<Outcome>,
    lease_end: Instant,
    /// The next one comes after its outcome.
    permit: Option<OwnedSemaphorePermit>,
    unfinished: TaskTracker,
}

impl Held {
    pub(super) fn new(outcome: Outcome, permit: OwnedSemaphorePermit, unfinished: &TaskTracker) -> Self {
        Self {
            lease_end: outcome.lease_end,
            outcome: Some(outcome),
            permit: Some(permit),
            unfinished: unfinished.clone(),
        }
    }

    /// None when it was told already.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    fn take(&mut self) -> Result<Outcome, ReceiveError> {
        self.outcome.take().ok_or(ReceiveError::Fenced)
    }
}

#[async_trait]
impl Acknowledge for Held {
    async fn ack(mut self: Box<Self>) -> Result<(), ReceiveError> {
        self.take()?.ack().await
    }

    /// The server keeps no text; it is in the log.
    async fn retry(mut self: Box<Self>, after: Duration, error: &str) -> Result<(), ReceiveError> {
        let outcome = self.take()?;
        tracing::debug!(group = &*outcome.group, id = %outcome.message.id(), error, "failed, comes again");
        outcome.again(after).await
    }

    async fn dead(mut self: Box<Self>, error: &str) -> Result<(), ReceiveError> {
        self.take()?.dead(error).await
    }

    fn lease_left(&self) -> Option<Duration> {
        Some(self.lease_end.saturating_duration_since(Instant::now()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (Some(outcome), permit) = (self.outcome.take(), self.permit.take()) else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && outcome.lease_end > Instant::now()
        {
            let back = async move {
                outcome.back().await;
                drop(permit);
            };
            self.unfinished.spawn_on(back, &runtime);
        }
    }
}
