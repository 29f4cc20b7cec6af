//! Removes messages that are old and that every group has gone past.

use std::time::Duration;

use sqlx::Pool;

use super::database::QueueDatabase;
use super::error::QueueError;
use super::statement::{Statement, args, statement};
use crate::relay::micros;

const QUEUES: Statement = statement!("queue_retention");
const LOCK: Statement = statement!("queue_purge_lock");
const PURGE: Statement = statement!("queue_purge");
const PURGED: Statement = statement!("queue_purged");

/// Most messages that one transaction removes: appending to the queue waits for it.
const BATCH: i64 = 1_000;

/// What the retention of a queue has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuePurged {
    /// Messages that were removed.
    pub messages: u64,
    /// Groups that keep old messages from being removed, because they have not read them, and how many messages each has
    /// not read in those queues, young ones included.
    pub held_by: Vec<(String, u64)>,
}

/// Removes what is older than its topic's retention, or `keep` where that has none.
pub(super) async fn purge<DB: QueueDatabase>(
    pool: &Pool<DB>,
    keep: Duration,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<QueuePurged, QueueError> {
    let failed = || QueueError::database("removing old messages");
    let mut purged = QueuePurged::default();
    let mut connection = pool.acquire().await.map_err(failed())?;
    let rows = DB::rows(&mut connection, QUEUES, args![micros(keep)])
        .await
        .map_err(failed())?;
    drop(connection);
    for row in &rows {
        let read = || -> sqlx::Result<_> {
            Ok((
                row.int(0)?,
                row.text(1)?,
                row.maybe_int(2)?,
                row.int(4)?,
                row.maybe_int(5)?,
                row.maybe_text(6)?,
                row.flag(7)?,
            ))
        };
        let (queue, topic, retention, end, lowest, group, is_old) = read().map_err(failed())?;
        let keep = retention.unwrap_or_else(|| micros(keep));
        loop {
            let removed = batch::<DB>(pool, queue, keep).await?;
            purged.messages += removed;
            if removed > 0 {
                progress(purged.messages);
            }
            if removed < BATCH.unsigned_abs() {
                break;
            }
        }
        if let (Some(lowest), Some(group)) = (lowest, group)
            && is_old
        {
            note_held(&mut purged, &topic, group, end - lowest);
        }
    }
    Ok(purged)
}

fn note_held(purged: &mut QueuePurged, topic: &str, group: String, unread: i64) {
    tracing::debug!(group, topic, unread, "a group's unread messages are kept");
    match purged.held_by.iter_mut().find(|(name, _)| *name == group) {
        Some((_, count)) => *count += unread.unsigned_abs(),
        None => purged.held_by.push((group, unread.unsigned_abs())),
    }
}

/// Removes the next messages of a queue that may go.
async fn batch<DB: QueueDatabase>(pool: &Pool<DB>, queue: i64, keep: i64) -> Result<u64, QueueError> {
    let failed = || QueueError::database("removing old messages");
    let mut tx = DB::begin_own(pool).await?;
    let rows = DB::rows(&mut tx, LOCK, args![queue]).await.map_err(failed())?;
    let Some(row) = rows.first() else {
        return Ok(0);
    };
    let first = row.int(0).map_err(failed())?;
    let next = row.int(1).map_err(failed())?;
    let lowest = row.maybe_int(2).map_err(failed())?;
    let below = (first + BATCH).min(next).min(lowest.unwrap_or(next));
    if below <= first {
        return Ok(0);
    }
    let removed = DB::execute(&mut tx, PURGE, args![queue, first, below, keep])
        .await
        .map_err(failed())?;
    if removed == 0 {
        return Ok(0);
    }
    DB::execute(&mut tx, PURGED, args![queue, first])
        .await
        .map_err(failed())?;
    DB::commit(tx).await?;
    Ok(removed)
}
