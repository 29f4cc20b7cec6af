use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::{Acknowledge, ReceiveError};
use redis::ScriptInvocation;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::connect::Settings;
use super::fields::{ATTEMPTS, ERROR, WORDS_MAX, Words};
use super::keys::{self, Queue};
use super::link::Link;
use super::publisher::ms;
use super::scripts;
use crate::dead_letters::kept_text;

/// What the outcome of one delivery needs.
pub(super) struct Outcome {
    pub(super) link: Link,
    pub(super) settings: Arc<Settings>,
    pub(super) group: Arc<str>,
    pub(super) queue: Arc<Queue>,
    pub(super) id: String,
    pub(super) attempt: u32,
    /// The message as it is in the stream.
    pub(super) words: Words,
    pub(super) lease_end: Instant,
}

impl Outcome {
    /// Done with: it is for another group.
    pub(super) async fn skip(self) -> Result<(), ReceiveError> {
        self.tell(|call| {
            call.arg("ack");
        })
        .await
    }

    /// Comes again at once. Where that can't be told, its lease does it.
    pub(super) async fn back(self) {
        let _ = self
            .tell(|call| {
                call.arg("retry").arg(0);
            })
            .await;
    }

    /// Writes it down.
    async fn tell(&self, outcome: impl FnOnce(&mut ScriptInvocation<'_>)) -> Result<(), ReceiveError> {
        let queue = &self.queue;
        let counts = self
            .link
            .run::<bool>(&scripts::SETTLE, |call| {
                call.key(queue.stream())
                    .key(queue.due(&self.group))
                    .key(queue.dead(&self.group))
                    .arg(&*self.group)
                    .arg(&self.id)
                    .arg(self.attempt)
                    .arg(keys::channel(&self.settings.prefix, &queue.topic))
                    .arg(queue.number);
                outcome(call);
            })
            .await;
        match counts {
            Ok(true) => Ok(()),
            Ok(false) => Err(ReceiveError::Fenced),
            Err(error) => Err(ReceiveError::Unavailable {
                message: format!("the server did not take the outcome: {error}").into(),
                source: Some(Arc::new(error)),
            }),
        }
    }
}

/// A delivery that somebody has in hand. One without an outcome comes again at once, and not after its lease.
pub(super) struct Held {
    /// None once the server was told something, whether or not it has heard.
    outcome: Option<Outcome>,
    lease_end: Instant,
    unfinished: TaskTracker,
}

impl Held {
    pub(super) fn new(outcome: Outcome, unfinished: &TaskTracker) -> Self {
        Self {
            lease_end: outcome.lease_end,
            outcome: Some(outcome),
            unfinished: unfinished.clone(),
        }
    }

    fn take(&mut self) -> Result<Outcome, ReceiveError> {
        self.outcome.take().ok_or(ReceiveError::Fenced)
    }
}

#[async_trait]
impl Acknowledge for Held {
    async fn ack(mut self: Box<Self>) -> Result<(), ReceiveError> {
        self.take()?
            .tell(|call| {
                call.arg("ack");
            })
            .await
    }

    /// The server keeps no text; it is in the log.
    async fn retry(mut self: Box<Self>, after: Duration, error: &str) -> Result<(), ReceiveError> {
        let outcome = self.take()?;
        tracing::debug!(
            group = &*outcome.group,
            id = outcome.id,
            error,
            "failed, comes again"
        );
        outcome
            .tell(|call| {
                call.arg("retry").arg(ms(after));
            })
            .await
    }

    async fn dead(mut self: Box<Self>, error: &str) -> Result<(), ReceiveError> {
        let outcome = self.take()?;
        let (attempts, error) = (outcome.attempt.to_string(), kept_text(error));
        // What makes a message a dead letter comes first; a redrive drops it.
        let dead = [ATTEMPTS, &attempts, ERROR, &error].map(str::as_bytes);
        outcome
            .tell(|call| {
                call.arg("dead");
                for word in dead
                    .into_iter()
                    .chain(outcome.words.iter().take(WORDS_MAX).map(Vec::as_slice))
                {
                    call.arg(word);
                }
            })
            .await
    }

    fn lease_left(&self) -> Option<Duration> {
        Some(self.lease_end.saturating_duration_since(Instant::now()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(outcome) = self.outcome.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && outcome.lease_end > Instant::now()
        {
            self.unfinished.spawn_on(outcome.back(), &runtime);
        }
    }
}
