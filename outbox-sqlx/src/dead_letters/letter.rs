use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use outbox_core::MessageId;

use super::fingerprint::Fingerprint;
use super::position::Position;
use super::source::Source;
use crate::dead::{DeadReason, time};
use crate::queue::QueueDatabase;
use crate::queue::statement::Cells;

/// A message that is not delivered any more unless somebody redrives it, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Which one it is: what to show, redrive or discard it by.
    pub position: Position,
    /// The message's id. Nil where foreign code stored no valid one.
    pub id: MessageId,
    /// Its topic.
    pub topic: String,
    /// Its ordering key.
    pub key: Option<String>,
    /// Whether that key is parked, in the outbox: its messages die until the key is redriven, as a whole.
    pub is_parked: bool,
    /// Why it is here. Of a group always [`DeadReason::Skipped`].
    pub reason: DeadReason,
    /// Failed attempts to deliver or to handle it.
    pub attempts: u32,
    /// What the last one ended with.
    pub last_error: Option<String>,
    /// Of that error.
    pub fingerprint: Fingerprint,
    /// When it was published.
    pub created_at: SystemTime,
    /// When it died, by the database's clock.
    pub died_at: SystemTime,
    /// Its payload's size.
    pub payload_bytes: u64,
    /// Its shard in the outbox.
    pub(super) shard: i64,
}

impl DeadLetter {
    /// Whose dead letter it is.
    pub fn source(&self) -> &Source {
        self.position.source()
    }
}

/// A row of `letters_outbox.sql` or `letters_group.sql`.
pub(super) fn letter<DB: QueueDatabase>(source: &Source, row: &Cells<DB>) -> sqlx::Result<DeadLetter> {
    let last_error = row.maybe_text(6)?;
    Ok(DeadLetter {
        position: Position::new(source.clone(), row.int(0)?, row.int(1)?),
        id: MessageId(row.id(2)?),
        topic: row.text(3)?,
        key: row.maybe_text(4)?,
        is_parked: row.flag(11)?,
        reason: DeadReason::from_stored(&row.text(7)?),
        attempts: row.int(5)?.try_into().unwrap_or(0),
        fingerprint: Fingerprint::of(last_error.as_deref()),
        last_error,
        created_at: time(row.int(8)?),
        died_at: time(row.int(9)?),
        payload_bytes: row.int(10)?.unsigned_abs(),
        shard: row.int(12)?,
    })
}

/// A dead letter with its content, as it is stored: it may be invalid.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetterContent {
    /// All but the content.
    pub letter: DeadLetter,
    /// The payload.
    pub payload: Bytes,
    /// The headers' JSON.
    pub headers: String,
}

/// The content may be secret and is not shown.
impl fmt::Debug for DeadLetterContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetterContent")
            .field("letter", &self.letter)
            .finish_non_exhaustive()
    }
}
