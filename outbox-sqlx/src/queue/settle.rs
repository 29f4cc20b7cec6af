//! Writes down what owners have to say, all of it in one transaction.

use foldhash::HashSet;
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::database::QueueDatabase;
use super::owned::{Change, Changes};
use super::statement::{Statement, args, statement};
use crate::relay::micros;

const LOCK: Statement = statement!("queue_settle_lock");
const RETRY_LOG: Statement = statement!("queue_settle_retry_log");
const RETRY: Statement = statement!("queue_settle_retry");
const DEAD_LOG: Statement = statement!("queue_settle_dead_log");
const DEAD_RETRY: Statement = statement!("queue_settle_dead_retry");
const FINISHED: Statement = statement!("queue_settle_finished");
const PLACES: Statement = statement!("queue_settle_places");

/// Longer error texts are cut before they are kept.
const MAX_ERROR_BYTES: usize = 2_048;

/// The changes of one queue, under the epoch of its owner.
#[derive(Debug, Clone)]
pub(super) struct QueueChanges {
    pub(super) queue: i64,
    pub(super) epoch: i64,
    pub(super) changes: Changes,
}

/// Writes changes down. Returns the queues that are still their owner's; nothing of the others was written.
///
/// It may be repeated when its outcome is not known.
pub(super) async fn write<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    batch: &[QueueChanges],
) -> sqlx::Result<HashSet<i64>> {
    let must_last = batch.iter().any(|queue| queue.changes.must_last());
    if !must_last && batch.iter().all(|queue| queue.changes.rows.is_empty()) {
        if places::<DB>(connection, group, batch.iter()).await? == batch.len() as u64 {
            return Ok(batch.iter().map(|queue| queue.queue).collect());
        }
        // Some were taken over. Which ones is asked afterwards: one more may be by then, and it is lost as well.
        return owned::<DB>(connection, group, batch).await;
    }
    let begin = match must_last {
        true => DB::BEGIN_DURABLE,
        false => DB::BEGIN,
    };
    let mut tx = connection.begin_with(begin).await?;
    let owned = owned::<DB>(&mut tx, group, batch).await?;
    let lists = Lists::of(batch.iter().filter(|queue| owned.contains(&queue.queue)));
    // Copies before removals: a dead letter is copied from the retry it leaves.
    for (statement, list) in [
        (RETRY_LOG, lists.retry_log),
        (RETRY, lists.retry),
        (DEAD_LOG, lists.dead_log),
        (DEAD_RETRY, lists.dead_retry),
        (FINISHED, lists.finished),
    ] {
        if !list.is_empty() {
            DB::execute(&mut tx, statement, args![group, &Value::Array(list).to_string()]).await?;
        }
    }
    let still = batch.iter().filter(|queue| owned.contains(&queue.queue));
    places::<DB>(&mut tx, group, still).await?;
    tx.commit().await?;
    Ok(owned)
}

/// Which of the queues are still their owner's; to the end of the transaction, where there is one.
async fn owned<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    batch: &[QueueChanges],
) -> sqlx::Result<HashSet<i64>> {
    let epochs: Vec<(i64, i64)> = batch.iter().map(|queue| (queue.queue, queue.epoch)).collect();
    let rows = DB::rows(connection, LOCK, args![group, &json!(epochs).to_string()]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Moves the places of those that are still their owner's. Returns how many are.
async fn places<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    batch: impl Iterator<Item = &QueueChanges>,
) -> sqlx::Result<u64> {
    let rows: Vec<(i64, i64, i64, bool)> = batch
        .map(|queue| {
            (
                queue.queue,
                queue.epoch,
                queue.changes.cursor,
                queue.changes.recovered,
            )
        })
        .collect();
    if rows.is_empty() {
        return Ok(0);
    }
    DB::execute(connection, PLACES, args![group, &json!(rows).to_string()]).await
}

/// The rows of each statement.
#[derive(Default)]
struct Lists {
    retry_log: Vec<Value>,
    retry: Vec<Value>,
    dead_log: Vec<Value>,
    dead_retry: Vec<Value>,
    finished: Vec<Value>,
}

impl Lists {
    fn of<'a>(batch: impl Iterator<Item = &'a QueueChanges>) -> Self {
        let mut lists = Self::default();
        for queue in batch {
            for (&offset, change) in &queue.changes.rows {
                lists.add(queue.queue, offset, change);
            }
        }
        lists
    }

    fn add(&mut self, queue: i64, offset: i64, change: &Change) {
        match change {
            Change::Retry(row) => {
                let list = if row.from_log {
                    &mut self.retry_log
                } else {
                    &mut self.retry
                };
                list.push(json!([
                    queue,
                    offset,
                    row.attempts,
                    row.wait.map(micros),
                    row.in_trial,
                    row.error.as_deref().map(kept_text),
                ]));
            }
            Change::Finished => self.finished.push(json!([queue, offset])),
            Change::Dead {
                attempts,
                error,
                from_log,
            } => {
                let row = json!([queue, offset, attempts, kept_text(error)]);
                if *from_log {
                    self.dead_log.push(row);
                } else {
                    self.dead_retry.push(row);
                    self.finished.push(json!([queue, offset]));
                }
            }
        }
    }
}

/// The text, or as much of it as is kept; without zero bytes, which Postgres can't store.
fn kept_text(error: &str) -> String {
    let mut end = error.len().min(MAX_ERROR_BYTES);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    error[..end].replace('\0', "\u{fffd}")
}
