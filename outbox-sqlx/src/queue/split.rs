//! Opens queues that were split off, when the group has come to the split.
//!
//! A new queue takes a part of another's keys over at an offset of that one. A group may read it once it has read the
//! other up to there: what is not finished below the split is then a retry, and those of the keys that have moved
//! move along. Their offsets are below all that the new queue has, so each key goes on in the order of its offsets.

use sqlx::Connection as _;

use outbox_core::group::placement::{key_hash, queue_of};

use super::database::QueueDatabase;
use super::groups;
use super::load::ByQueue;
use super::statement::{Statement, args, statement};

const WAITING: Statement = statement!("queue_split_waiting");
const LOCK: Statement = statement!("queue_settle_lock");
const KEYS: Statement = statement!("queue_split_keys");
const RETRIES: Statement = statement!("queue_split_retries");
const OPEN: Statement = statement!("queue_split_open");

/// A queue that the group waits to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) queue: i64,
    pub(super) number: u32,
    /// The offset from which on it has its keys.
    pub(super) split: i64,
    siblings: u32,
    initial: u32,
}

impl Waiting {
    /// Whether a key of the other queue has moved to this one, or to one that was split off this one later.
    pub(super) fn has(&self, key: &str) -> bool {
        // As the topic was when this queue was its last one.
        queue_of(key_hash(key), self.initial, (self.number + 1).min(self.siblings)) == self.number
    }
}

/// The queues that were split off these and wait for the group.
pub(super) async fn waiting<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    queues: &[i64],
) -> sqlx::Result<ByQueue<Waiting>> {
    let queues = serde_json::json!(queues).to_string();
    let number = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
    let mut waiting: ByQueue<Waiting> = ByQueue::default();
    for row in DB::rows(connection, WAITING, args![group, &queues]).await? {
        waiting.entry(row.int(0)?).or_default().push(Waiting {
            queue: row.int(1)?,
            number: number(row.int(2)?),
            split: row.int(3)?,
            siblings: number(row.int(4)?),
            initial: number(row.int(5)?),
        });
    }
    Ok(waiting)
}

/// Opens a queue, and moves the retries of its keys to it. Returns their offsets; `None` when the old one has another
/// owner by now.
pub(super) async fn open<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    (queue, epoch): (i64, i64),
    waiting: &Waiting,
) -> sqlx::Result<Option<Vec<i64>>> {
    let mut tx = connection.begin_with(DB::BEGIN_DURABLE).await?;
    // The group first, as everywhere: who shares out holds it while it takes queues.
    groups::lock::<DB>(&mut tx, group).await?;
    let mine = serde_json::json!([[queue, epoch]]).to_string();
    if DB::rows(&mut tx, LOCK, args![group, &mine]).await?.is_empty() {
        return Ok(None);
    }
    // Read here, and not known from memory: an operator may have redriven one a moment ago.
    let mut offsets = Vec::new();
    for row in DB::rows(&mut tx, KEYS, args![group, queue, waiting.split]).await? {
        if waiting.has(&row.text(1)?) {
            offsets.push(row.int(0)?);
        }
    }
    let list = serde_json::json!(offsets).to_string();
    DB::execute(&mut tx, RETRIES, args![group, queue, waiting.queue, &list]).await?;
    DB::execute(&mut tx, OPEN, args![group, waiting.queue]).await?;
    groups::tell::<DB>(&mut tx, group).await?;
    tx.commit().await?;
    Ok(Some(offsets))
}
