//! Reads what an owner needs of its retries: which there are, and their content when their turn comes.

use std::time::Duration;

use sqlx::Connection as _;
use tokio::time::Instant;

use super::database::QueueDatabase;
use super::members::Claimed;
use super::owned::StoredItem;
use super::read::{PageBuilder, StoredMessage};
use super::statement::{Statement, args, statement};

const RETRIES: Statement = statement!("queue_retries");
const DEAD_ABOVE: Statement = statement!("queue_dead_above");
const LOAD: Statement = statement!("queue_retry_load");

/// Retries are listed in pages of so many rows.
const PAGE_ROWS: i64 = 5_000;

/// What a queue's former owners left: its retries, and the dead letters above the group's place.
pub(super) async fn left_behind<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    claimed: &Claimed,
) -> sqlx::Result<(Vec<StoredItem>, Vec<i64>)> {
    // One snapshot is enough: under the new epoch nobody else writes here but operators, and those tell.
    let mut tx = connection.begin_with("BEGIN").await?;
    let retries = retries::<DB>(&mut tx, group, claimed.queue).await?;
    let rows = DB::rows(&mut tx, DEAD_ABOVE, args![group, claimed.queue, claimed.place]).await?;
    let dead = rows.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
    tx.commit().await?;
    Ok((retries, dead))
}

/// A queue's retries.
pub(super) async fn retries<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    queue: i64,
) -> sqlx::Result<Vec<StoredItem>> {
    let mut items: Vec<StoredItem> = Vec::new();
    loop {
        let from = items.last().map_or(0, |item| item.offset + 1);
        let rows = DB::rows(connection, RETRIES, args![group, queue, from, PAGE_ROWS]).await?;
        let now = Instant::now();
        for row in &rows {
            let wait = row
                .maybe_int(3)?
                .map(|micros| Duration::from_micros(micros.unsigned_abs()));
            items.push(StoredItem {
                offset: row.int(0)?,
                key: row.maybe_text(1)?.map(Into::into),
                attempts: u32::try_from(row.int(2)?).unwrap_or(u32::MAX),
                // Longer than any clock counts is never.
                not_before: wait.map(|wait| {
                    now.checked_add(wait)
                        .unwrap_or(now + Duration::from_secs(86_400 * 365))
                }),
                in_trial: row.flag(4)?,
            });
        }
        if (rows.len() as i64) < PAGE_ROWS {
            return Ok(items);
        }
    }
}

/// The content of retries, as (queue, offset).
pub(super) async fn contents<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    wanted: &[(i64, i64)],
    page: &mut PageBuilder,
) -> sqlx::Result<()> {
    let pairs = serde_json::json!(wanted).to_string();
    for row in DB::rows(connection, LOAD, args![group, &pairs]).await? {
        let (key, payload, headers) = (row.maybe_text(3)?, row.bytes(4)?, row.text(5)?);
        page.take(StoredMessage {
            queue: row.int(0)?,
            offset: row.int(1)?,
            message_id: row.id(2)?.as_bytes(),
            key: key.as_deref().map(str::as_bytes),
            payload: &payload,
            headers: headers.as_bytes(),
            created_at: row.int(6)?,
        });
    }
    Ok(())
}
