use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use outbox_core::{Acknowledge, Message, ReceiveError};
use tokio::sync::oneshot;

use super::connect::Settings;
use super::dead::{self, Again};
use super::desk::{Desk, Event, Settle, What};
use super::producer::Sender;

/// How long one waits whose copy was not taken.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What one delivery's outcome needs.
pub(super) struct Outcome {
    pub(super) settings: Arc<Settings>,
    pub(super) sender: Arc<Sender>,
    pub(super) desk: Arc<Desk>,
    pub(super) group: Arc<str>,
    /// Failed ones wait in a topic of their own, and not where they are.
    pub(super) aside: bool,
    pub(super) lane: u64,
    pub(super) offset: i64,
    pub(super) message: Message,
    pub(super) attempt: u32,
    pub(super) place: Arc<str>,
    /// After how long it comes again when it is dropped; `None`: there is an outcome.
    pub(super) dropped: Option<Duration>,
}

impl Outcome {
    /// Tells the thread, and waits until it has heard.
    async fn settle(&mut self, what: What) -> Result<(), ReceiveError> {
        let (reply, answer) = oneshot::channel();
        let event = Event::Settle(Settle {
            lane: self.lane,
            offset: self.offset,
            what,
            reply: Some(reply),
        });
        let ours = match self.desk.tell(event) {
            true => answer.await,
            false => return Err(ReceiveError::Closed),
        };
        match ours {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.dropped = None;
                Err(ReceiveError::Fenced)
            }
            Err(_) => Err(ReceiveError::Closed),
        }
    }

    /// It needs nothing more.
    async fn finish(&mut self) -> Result<(), ReceiveError> {
        self.dropped = None;
        self.settle(What::Finished).await
    }
}

#[async_trait]
impl Acknowledge for Outcome {
    async fn ack(mut self: Box<Self>) -> Result<(), ReceiveError> {
        self.finish().await
    }

    /// Kafka keeps no text; it is in the log.
    async fn retry(mut self: Box<Self>, after: Duration, error: &str) -> Result<(), ReceiveError> {
        tracing::debug!(group = &*self.group, id = %self.message.id(), error, "failed, comes again");
        if !self.aside || after.is_zero() {
            self.dropped = None;
            return self.settle(What::Again(after)).await;
        }
        self.settle(What::Nothing).await?;
        let again = Again {
            attempt: self.attempt.saturating_add(1),
            due: SystemTime::now() + after,
        };
        self.dropped = Some(AFTER_FAILURE);
        // First there, then gone here: a crash in between makes a second one of it, which consumers drop.
        dead::put_again(&self.settings, &self.sender, &self.group, &self.message, again)
            .await
            .map_err(|error| ReceiveError::Unavailable {
                message: format!(
                    "the topic of retries did not take it: {}",
                    self.settings.complaint.explain(&error)
                )
                .into(),
                source: Some(Arc::new(error)),
            })?;
        self.finish().await
    }

    async fn dead(mut self: Box<Self>, error: &str) -> Result<(), ReceiveError> {
        self.settle(What::Nothing).await?;
        self.dropped = Some(AFTER_FAILURE);
        // First there, then gone here: a crash in between buries it under the same reference again.
        dead::bury(
            &self.settings,
            &self.sender,
            &self.group,
            &self.message,
            self.attempt,
            &self.place,
            error,
        )
        .await?;
        self.finish().await
    }
}

/// One without an outcome comes again at once.
impl Drop for Outcome {
    fn drop(&mut self) {
        if let Some(after) = self.dropped {
            self.desk.tell(Event::Settle(Settle {
                lane: self.lane,
                offset: self.offset,
                what: What::Again(after),
                reply: None,
            }));
        }
    }
}
