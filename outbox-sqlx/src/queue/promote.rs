//! Brings delayed messages into their queues when they are due.

use std::sync::Arc;

use sqlx::Connection as _;

use super::append::Router;
use super::database::QueueDatabase;
use super::read::{PageBuilder, StoredMessage};
use super::statement::{Statement, args, statement};
use super::topics::{self, Topic};

const LOCK: Statement = statement!("queue_promote_lock");
const DUE: Statement = statement!("queue_promote_due");
const DONE: Statement = statement!("queue_promote_done");

/// Most messages that become due in one transaction.
const BATCH: i64 = 1_000;

/// Appends a topic's due messages in the order in which they became due. Returns how many; 0 also when somebody else is
/// at it.
pub(super) async fn promote<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    name: &Arc<str>,
) -> sqlx::Result<usize> {
    // Durable: a message that is due must not be lost between its table and its queue. (It would be in both or
    // in one, but who was told that it is in the queue must be right.)
    let mut tx = connection.begin_with(DB::BEGIN_DURABLE).await?;
    let Some(topic) = topics::find::<DB>(&mut tx, name).await? else {
        return Ok(0);
    };
    let promoted = promote_in::<DB>(&mut tx, &topic).await?;
    if promoted > 0 {
        tx.commit().await?;
    }
    Ok(promoted)
}

async fn promote_in<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    topic: &Topic,
) -> sqlx::Result<usize> {
    let locked = DB::rows(connection, LOCK, args![topic.id]).await?;
    if locked.first().map(|row| row.int(0)).transpose()?.unwrap_or(0) == 0 {
        return Ok(0);
    }
    let rows = DB::rows(connection, DUE, args![topic.id, BATCH]).await?;
    let mut page = PageBuilder::new([(topic.id, Arc::clone(&topic.name))]);
    for row in &rows {
        let (key, payload, headers) = (row.maybe_text(2)?, row.bytes(3)?, row.text(4)?);
        page.take(StoredMessage {
            queue: topic.id,
            offset: row.int(0)?,
            message_id: row.id(1)?.as_bytes(),
            key: key.as_deref().map(str::as_bytes),
            payload: &payload,
            headers: headers.as_bytes(),
            created_at: row.int(5)?,
        });
    }
    if page.rows.is_empty() {
        return Ok(0);
    }
    let mut router = Router::default();
    let appended: Vec<_> = page
        .rows
        .iter()
        .filter_map(|row| router.route(topic, &row.message))
        .collect();
    if !DB::append(connection, &appended).await? {
        // The topic is growing at this moment: next time.
        return Ok(0);
    }
    let ids: Vec<i64> = page.rows.iter().map(|row| row.offset).collect();
    DB::execute(
        connection,
        DONE,
        args![topic.id, &serde_json::json!(ids).to_string()],
    )
    .await?;
    Ok(ids.len())
}
