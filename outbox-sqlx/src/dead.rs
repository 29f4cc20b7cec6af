//! What operators do with messages that were not delivered: look, redrive, discard, unblock, unpark.
//!
//! Three kinds of them, by the topic's policy for a message whose attempts are spent:
//!
//! * *skip*: the message is among the dead letters, its key went on. [`redrive`] gives it back.
//! * *park*: the message and all later ones of its key are among the dead letters. [`redrive_key`] gives
//!   them back in order.
//! * *block*: the message is still in the outbox and its key waits. [`unblock`] lets it be tried again.
//!
//! [`discard`] gives a dead or blocked message up; a note with the reason stays. Whatever is done with a message is noted
//! in the table `outbox_audit`, in the same transaction, with who did it.
//!
//! These are the outbox's alone, message by message. The module `dead_letters` looks at them together with those of the
//! consumer groups, by error and age, and does the same to all that a filter finds.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use outbox_core::{MessageId, Shard};
use sqlx::Pool;

use crate::database::OutboxDatabase;
use crate::dead_database::{BlockedRow, Deed, LetterRow, ParkedRow};
use crate::error::OutboxError;
use crate::operator::{DISCARDED, NEVER, REDRIVEN, UNBLOCKED, check_by, check_reason};

/// Most entries of one page.
pub const PAGE_MAX: u32 = 1_000;

/// Which dead letters to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadFilter {
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only of this ordering key.
    pub key: Option<String>,
    /// Only after this [`DeadLetter::row`]: the last one of the page before.
    pub after: Option<i64>,
    /// At most so many; 0 and everything above [`PAGE_MAX`] count as [`PAGE_MAX`].
    pub limit: u32,
}

/// A message that is not delivered any more unless somebody redrives it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its id in the outbox, which is its place in its key's order, and the position for the next page.
    pub row: i64,
    /// The message's id. Nil where foreign code stored no valid one.
    pub id: MessageId,
    /// Its topic.
    pub topic: String,
    /// Its ordering key.
    pub key: Option<String>,
    /// Whether that key is parked: its messages come here until the key is redriven.
    pub is_parked: bool,
    /// Why it is here.
    pub reason: DeadReason,
    /// Failed attempts to deliver it.
    pub attempts: u32,
    /// What the last one ended with.
    pub last_error: Option<String>,
    /// When it was published.
    pub created_at: SystemTime,
    /// When it came here.
    pub died_at: SystemTime,
    /// Its payload's size.
    pub payload_bytes: u64,
}

/// Why a message is among the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadReason {
    /// Its attempts were spent, or the broker refused it for good.
    Skipped,
    /// That happened to it or to an earlier message of its key, and the key was parked.
    Parked,
    /// What is stored is no message: foreign code wrote it.
    Invalid,
    /// It was delivered as often as its sender allows, and not all who should have confirmed it did.
    Unconfirmed,
    /// A reason that a newer version of this library wrote.
    Other,
}

impl DeadReason {
    pub(crate) fn from_stored(text: &str) -> Self {
        match text {
            "skipped" => Self::Skipped,
            "parked" => Self::Parked,
            "invalid" => Self::Invalid,
            "unconfirmed" => Self::Unconfirmed,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skipped => "skipped",
            Self::Parked => "parked",
            Self::Invalid => "invalid",
            Self::Unconfirmed => "unconfirmed",
            Self::Other => "other",
        })
    }
}

/// A dead letter with its content, as it is stored: it may be invalid.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadContent {
    /// All but the content.
    pub letter: DeadLetter,
    /// The payload.
    pub payload: Bytes,
    /// The headers' JSON.
    pub headers: String,
}

/// The content may be secret and is not shown.
impl fmt::Debug for DeadContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadContent")
            .field("letter", &self.letter)
            .finish_non_exhaustive()
    }
}

/// A message that waits in the outbox for an operator, and its key with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockedMessage {
    /// Its id in the outbox, and the position for the next page.
    pub row: i64,
    /// The message's id. Nil where foreign code stored no valid one.
    pub id: MessageId,
    /// Its topic.
    pub topic: String,
    /// Its ordering key.
    pub key: Option<String>,
    /// Failed attempts to deliver it.
    pub attempts: u32,
    /// What the last one ended with.
    pub last_error: Option<String>,
    /// When it was published.
    pub created_at: SystemTime,
}

/// A key whose messages go to the dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedKey {
    /// Its topic.
    pub topic: String,
    /// The key.
    pub key: String,
    /// What it was parked for.
    pub error: Option<String>,
    /// Since when.
    pub parked_at: SystemTime,
}

/// Lists dead letters in the order they were published, without their content.
///
/// # Errors
/// The database can't be read.
pub async fn list<DB: OutboxDatabase>(
    pool: &Pool<DB>,
    filter: &DeadFilter,
) -> Result<Vec<DeadLetter>, OutboxError> {
    let rows = DB::dead_letters(pool, filter, page(filter.limit)).await?;
    Ok(rows.into_iter().map(letter).collect())
}

/// One dead letter with its content.
///
/// # Errors
/// [`OutboxError::NotDead`], or the database can't be read.
pub async fn show<DB: OutboxDatabase>(pool: &Pool<DB>, id: MessageId) -> Result<DeadContent, OutboxError> {
    let row = DB::dead_content(pool, id).await?;
    let (payload, headers, row) = row.ok_or(OutboxError::NotDead { id })?;
    Ok(DeadContent {
        letter: letter(row),
        payload: payload.into(),
        headers,
    })
}

/// Lists blocked messages, after the given row, at most `limit` (0 and everything above [`PAGE_MAX`] count as
/// [`PAGE_MAX`]).
///
/// # Errors
/// The database can't be read.
pub async fn blocked<DB: OutboxDatabase>(
    pool: &Pool<DB>,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<BlockedMessage>, OutboxError> {
    let rows = DB::blocked_messages(pool, after.unwrap_or(i64::MIN), page(limit)).await?;
    let message = |(row, id, topic, key, attempts, last_error, created_at): BlockedRow| BlockedMessage {
        row,
        id: MessageId(id),
        topic,
        key,
        attempts: attempts.try_into().unwrap_or(0),
        last_error,
        created_at: time(created_at),
    };
    Ok(rows.into_iter().map(message).collect())
}

/// Lists parked keys by topic and key, after the given one, at most `limit` (0 and everything above
/// [`PAGE_MAX`] count as [`PAGE_MAX`]).
///
/// # Errors
/// The database can't be read.
pub async fn parked<DB: OutboxDatabase>(
    pool: &Pool<DB>,
    after: Option<&ParkedKey>,
    limit: u32,
) -> Result<Vec<ParkedKey>, OutboxError> {
    let after = after.map_or(("", ""), |key| (&*key.topic, &*key.key));
    let rows = DB::parked_keys(pool, after, page(limit)).await?;
    let key = |(topic, key, error, parked_at): ParkedRow| ParkedKey {
        topic,
        key,
        error,
        parked_at: time(parked_at),
    };
    Ok(rows.into_iter().map(key).collect())
}

/// Gives one dead letter back to the relay, with the place it had in its key's order and with all its
/// attempts. Later messages of its key may have been delivered meanwhile.
///
/// The last dead letter of a parked key un-parks it. `by` is who did it, for the audit.
///
/// # Errors
/// [`OutboxError::ByEmpty`], [`OutboxError::ByTooLong`]; [`OutboxError::NotDead`]; [`OutboxError::KeyParked`] when its
/// key is parked with others, because one alone would break their order.
pub async fn redrive<DB: OutboxDatabase>(
    pool: &Pool<DB>,
    id: MessageId,
    by: &str,
) -> Result<(), OutboxError> {
    check_by(by)?;
    let mut tx = DB::begin_own(pool).await?;
    let found = DB::find_dead(&mut tx, id).await?;
    let (row, shard, topic, key) = found.ok_or(OutboxError::NotDead { id })?;
    DB::rewind(&mut tx, shard, row).await?;
    let deed = Deed {
        action: REDRIVEN,
        by,
        reason: None,
    };
    match redrive_one::<DB>(&mut tx, row, &topic, key.as_deref(), deed, NEVER).await? {
        Redriven::Back => Ok(DB::commit(tx).await?),
        Redriven::Gone => Err(OutboxError::NotDead { id }),
        Redriven::Parked { others } => Err(OutboxError::KeyParked { id, others }),
    }
}

/// What came of redriving one letter.
pub(crate) enum Redriven {
    /// It is back in the outbox.
    Back,
    /// It is not among the dead letters any more, or died too late.
    Gone,
    /// Its key is parked with others. Nothing was changed.
    Parked {
        /// How many others.
        others: i64,
    },
}

/// Gives one dead letter back, whose shard is locked and told to be read again.
pub(crate) async fn redrive_one<DB: OutboxDatabase>(
    connection: &mut DB::Connection,
    row: i64,
    topic: &str,
    key: Option<&str>,
    deed: Deed<'_>,
    until: i64,
) -> Result<Redriven, OutboxError> {
    let parked = match key {
        Some(key) => DB::parked_others(connection, topic, key, row).await?,
        None => None,
    };
    if let Some(others @ 1..) = parked {
        return Ok(Redriven::Parked { others });
    }
    if DB::audit_dead(connection, row, deed, until).await? == 0 {
        return Ok(Redriven::Gone);
    }
    if let (Some(key), Some(_)) = (key, parked) {
        DB::unpark(connection, topic, key).await?;
    }
    DB::redrive_row(connection, row).await?;
    Ok(Redriven::Back)
}

/// Gives all dead letters of a key back to the relay, in order and with all their attempts, and un-parks the
/// key. Returns how many there were. `by` is who did it, for the audit.
///
/// This is one transaction, whatever their number: in parts, the relay would park the first part again.
///
/// # Errors
/// [`OutboxError::ByEmpty`], [`OutboxError::ByTooLong`], or the database can't be written.
pub async fn redrive_key<DB: OutboxDatabase>(
    pool: &Pool<DB>,
    topic: &str,
    key: &str,
    by: &str,
) -> Result<u64, OutboxError> {
    check_by(by)?;
    // The id counts only where there is no key.
    let shard = Shard::of(topic, Some(key), MessageId(uuid::Uuid::nil()));
    let mut tx = DB::begin_own(pool).await?;
    DB::lock_key(&mut tx, topic, key, shard).await?;
    DB::audit_key(&mut tx, topic, key, by).await?;
    let count = DB::redrive_rows(&mut tx, topic, key).await?;
    DB::unpark(&mut tx, topic, key).await?;
    DB::commit(tx).await?;
    Ok(count)
}

/// Gives a dead or blocked message up for good. Its content is deleted; who, when and why is kept. A blocked
/// key goes on with its next message.
///
/// # Errors
/// [`OutboxError::ReasonEmpty`], [`OutboxError::ReasonTooLong`], [`OutboxError::ByEmpty`], [`OutboxError::ByTooLong`],
/// [`OutboxError::NotDead`].
pub async fn discard<DB: OutboxDatabase>(
    pool: &Pool<DB>,
    id: MessageId,
    reason: &str,
    by: &str,
) -> Result<(), OutboxError> {
    check_reason(reason)?;
    check_by(by)?;
    let deed = Deed {
        action: DISCARDED,
        by,
        reason: Some(reason),
    };
    let mut tx = DB::begin_own(pool).await?;
    let mut count = 0;
    if let Some((row, ..)) = DB::find_dead(&mut tx, id).await?
        && DB::audit_dead(&mut tx, row, deed, NEVER).await? > 0
    {
        count = DB::discard_dead(&mut tx, row, reason, by).await?;
    }
    if count == 0
        && let Some(row) = DB::find_blocked(&mut tx, id).await?
        && DB::audit_blocked(&mut tx, row, deed).await? > 0
    {
        count = DB::discard_blocked(&mut tx, row, reason, by).await?;
    }
    if count == 0 {
        return Err(OutboxError::NotDead { id });
    }
    Ok(DB::commit(tx).await?)
}

/// Lets a blocked message be tried again at once, with all its attempts. Its key goes on waiting for it. `by` is who did
/// it, for the audit.
///
/// # Errors
/// [`OutboxError::ByEmpty`], [`OutboxError::ByTooLong`], [`OutboxError::NotBlocked`].
pub async fn unblock<DB: OutboxDatabase>(
    pool: &Pool<DB>,
    id: MessageId,
    by: &str,
) -> Result<(), OutboxError> {
    check_by(by)?;
    let deed = Deed {
        action: UNBLOCKED,
        by,
        reason: None,
    };
    let mut tx = DB::begin_own(pool).await?;
    let row = DB::find_blocked(&mut tx, id).await?;
    let row = row.ok_or(OutboxError::NotBlocked { id })?;
    if DB::audit_blocked(&mut tx, row, deed).await? == 0 || DB::unblock_row(&mut tx, row).await? == 0 {
        return Err(OutboxError::NotBlocked { id });
    }
    Ok(DB::commit(tx).await?)
}

pub(crate) fn page(limit: u32) -> i64 {
    match limit {
        0 => PAGE_MAX.into(),
        _ => limit.min(PAGE_MAX).into(),
    }
}

fn letter(row: LetterRow) -> DeadLetter {
    DeadLetter {
        row: row.row,
        id: MessageId(row.id),
        topic: row.topic,
        key: row.key,
        is_parked: row.is_parked,
        reason: DeadReason::from_stored(&row.reason),
        attempts: row.attempts.try_into().unwrap_or(0),
        last_error: row.last_error,
        created_at: time(row.created_at),
        died_at: time(row.died_at),
        payload_bytes: row.payload_bytes.try_into().unwrap_or(0),
    }
}

/// Of microseconds since 1970.
pub(crate) fn time(micros: i64) -> SystemTime {
    let span = Duration::from_micros(micros.unsigned_abs());
    let time = match micros {
        0.. => SystemTime::UNIX_EPOCH.checked_add(span),
        _ => SystemTime::UNIX_EPOCH.checked_sub(span),
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
