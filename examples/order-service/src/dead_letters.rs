//! What could not be delivered or handled, and what is done about it.

use async_trait::async_trait;
use outbox_sqlx::dead_letters::{DeadLetter, DeadLetterFilter, DeadLetters, Position, RedriveOptions};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::database::{Pools, ServiceDatabase};
use crate::store_error::StoreError;

/// Most letters that are shown.
pub const SHOWN_MAX: u32 = 100;

/// A dead letter, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Letter {
    /// Which one it is.
    pub position: String,
    /// The message.
    pub message_id: Uuid,
    /// Whose: `outbox`, or a consumer group.
    pub source: String,
    /// Its topic.
    pub topic: String,
    /// Failed attempts.
    pub attempts: u32,
    /// What the last one ended with.
    pub error: Option<String>,
}

/// What can be done about the dead letters of a database. `by` is who does it, for the audit.
#[async_trait]
pub trait DeadLetterDesk: Send + Sync + 'static {
    /// At most [`SHOWN_MAX`] of them.
    async fn list(&self) -> Result<Vec<Letter>, StoreError>;

    /// Gives one back to whoever could not handle it.
    async fn redrive(&self, position: &Position, by: &str) -> Result<(), StoreError>;

    /// Gives all back, and returns how many these were.
    async fn redrive_all(&self, by: &str) -> Result<u64, StoreError>;

    /// Gives one up for good.
    async fn discard(&self, position: &Position, reason: &str, by: &str) -> Result<(), StoreError>;
}

#[async_trait]
impl<DB: ServiceDatabase> DeadLetterDesk for Pools<DB> {
    async fn list(&self) -> Result<Vec<Letter>, StoreError> {
        let letters = DeadLetters::new(self.read.clone());
        let page = letters.list(&DeadLetterFilter::new(), None, SHOWN_MAX).await?;
        Ok(page.letters.into_iter().map(letter).collect())
    }

    async fn redrive(&self, position: &Position, by: &str) -> Result<(), StoreError> {
        let letters = DeadLetters::new(self.write.clone());
        Ok(letters.redrive(position, by).await?)
    }

    async fn redrive_all(&self, by: &str) -> Result<u64, StoreError> {
        let letters = DeadLetters::new(self.write.clone());
        let (filter, options) = (DeadLetterFilter::new(), RedriveOptions::new());
        let progress = letters.redrive_all(&filter, by, &options, |_| {}).await?;
        Ok(progress.done)
    }

    async fn discard(&self, position: &Position, reason: &str, by: &str) -> Result<(), StoreError> {
        let letters = DeadLetters::new(self.write.clone());
        Ok(letters.discard(position, reason, by).await?)
    }
}

fn letter(letter: DeadLetter) -> Letter {
    Letter {
        source: letter.source().to_string(),
        position: letter.position.to_string(),
        message_id: letter.id.0,
        topic: letter.topic,
        attempts: letter.attempts,
        error: letter.last_error,
    }
}
