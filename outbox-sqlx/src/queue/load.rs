//! Reads what an owner needs of its retries: which there are, and their content when their turn comes.

use std::time::Duration;

use foldhash::HashMap;
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

const A_YEAR: Duration = Duration::from_secs(365 * 86_400);

/// What was found of each queue.
pub(super) type ByQueue<T> = HashMap<i64, Vec<T>>;

/// What the former owners of queues left: their retries, and the dead letters above the group's places.
pub(super) async fn left_behind<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    claimed: &[Claimed],
) -> sqlx::Result<(ByQueue<StoredItem>, ByQueue<i64>)> {
    // Under the new epochs nobody else writes here but operators, and those tell.
    let queues: Vec<i64> = claimed.iter().map(|claimed| claimed.queue).collect();
    let retries = retries::<DB>(connection, group, &queues).await?;
    let places: Vec<(i64, i64)> = claimed
        .iter()
        .map(|claimed| (claimed.queue, claimed.place))
        .collect();
    let places = serde_json::json!(places).to_string();
    let mut dead = ByQueue::default();
    for row in DB::rows(connection, DEAD_ABOVE, args![group, &places]).await? {
        dead.entry(row.int(0)?).or_insert_with(Vec::new).push(row.int(1)?);
    }
    Ok((retries, dead))
}

/// The retries of queues.
pub(super) async fn retries<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    queues: &[i64],
) -> sqlx::Result<ByQueue<StoredItem>> {
    let mut items: ByQueue<StoredItem> = ByQueue::default();
    let list = serde_json::json!(queues).to_string();
    let mut after = (-1, -1);
    loop {
        let arguments = args![group, &list, after.0, after.1, PAGE_ROWS];
        let rows = DB::rows(connection, RETRIES, arguments).await?;
        let now = Instant::now();
        for row in &rows {
            let wait = row
                .maybe_int(4)?
                .map(|micros| Duration::from_micros(micros.unsigned_abs()));
            after = (row.int(0)?, row.int(1)?);
            items.entry(after.0).or_default().push(StoredItem {
                offset: after.1,
                key: row.maybe_text(2)?.map(Into::into),
                attempts: u32::try_from(row.int(3)?).unwrap_or(u32::MAX),
                // Longer than any clock counts is a year, after which it is looked at again.
                not_before: wait.map(|wait| now.checked_add(wait).unwrap_or(now + A_YEAR)),
                in_trial: row.flag(5)?,
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
