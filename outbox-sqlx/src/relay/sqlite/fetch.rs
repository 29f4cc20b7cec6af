use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use outbox_core::relay::{Fetch, Page};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::now;
use crate::cells::{bytes, integer, optional};
use crate::relay::error::Trouble;
use crate::relay::page::{
    FIRST_DUE, PageBuilder, TypicalWeight, excluded_keys, excluded_topics, wants_everything,
};
use crate::relay::{count, mask};
use crate::stored_row::StoredRow;

const FETCH: &str = include_str!("../../../sql/sqlite/relay_fetch.sql");
const FETCH_PART: &str = include_str!("../../../sql/sqlite/relay_fetch_part.sql");
const SCANNED: &str = include_str!("../../../sql/sqlite/relay_scanned.sql");
const FETCH_DUE: &str = include_str!("../../../sql/sqlite/relay_fetch_due.sql");

/// Two or three small statements in one reading transaction, and so of one snapshot: put together into one,
/// each row would be copied once more inside of SQLite, which costs half as much again as reading it.
pub(super) async fn fetch(
    connection: &mut SqliteConnection,
    fetch: &Fetch,
    typical: &mut TypicalWeight,
) -> Result<Page, Trouble> {
    let asked = typical.rows_to_ask(fetch).min(fetch.scan_rows);
    let up_to = fetch.up_to.unwrap_or(i64::MAX);
    let mut page = PageBuilder::new(fetch, asked);
    let mut transaction = connection.begin().await?;
    if fetch.due_rows > 0 {
        let after = fetch.due_after.unwrap_or(FIRST_DUE);
        let query = sqlx::query(FETCH_DUE)
            .bind(now())
            .bind(after.due_at)
            .bind(after.id)
            .bind(count(fetch.due_rows))
            .bind(mask(fetch.due_shards))
            .bind(excluded_keys(fetch))
            .bind(excluded_topics(fetch));
        take(&mut page, query.fetch(&mut *transaction)).await?;
    }
    if asked > 0 && wants_everything(fetch) {
        let query = sqlx::query(FETCH)
            .bind(fetch.after)
            .bind(up_to)
            .bind(count(asked));
        take(&mut page, query.fetch(&mut *transaction)).await?;
    } else if asked > 0 {
        let query = sqlx::query(FETCH_PART)
            .bind(fetch.after)
            .bind(up_to)
            .bind(count(asked))
            .bind(count(fetch.scan_rows))
            .bind(mask(fetch.shards))
            .bind(fetch.stray_shards)
            .bind(excluded_keys(fetch))
            .bind(excluded_topics(fetch));
        take(&mut page, query.fetch(&mut *transaction)).await?;
        if !page.is_full() {
            let (last, looked_at) = sqlx::query_as(SCANNED)
                .bind(fetch.after)
                .bind(up_to)
                .bind(count(fetch.scan_rows))
                .fetch_one(&mut *transaction)
                .await?;
            page.scanned(last, looked_at);
        }
    }
    transaction.commit().await?;
    Ok(page.finish(typical))
}

/// Takes the rows to the end even when the page is full: SQLite would go on producing them.
async fn take(
    page: &mut PageBuilder<'_>,
    mut rows: BoxStream<'_, Result<SqliteRow, sqlx::Error>>,
) -> Result<(), Trouble> {
    while let Some(row) = rows.try_next().await? {
        page.take(&stored(&row)?)?;
    }
    Ok(())
}

// The columns of all statements, in their order.
const ID: usize = 0;
const MESSAGE_ID: usize = 1;
const SHARD: usize = 2;
const TOPIC: usize = 3;
const KEY: usize = 4;
const PAYLOAD: usize = 5;
const HEADERS: usize = 6;
const CREATED_AT: usize = 7;
const DUE_AT: usize = 8;
const HOLD: usize = 9;
const ATTEMPTS: usize = 10;

/// The row as SQLite keeps it. Texts are read as their bytes: SQLite takes any, and one that can't be read must
/// not fail the page.
fn stored(row: &SqliteRow) -> Result<StoredRow<'_>, Trouble> {
    Ok(StoredRow {
        id: integer(row, ID, "id")?,
        message_id: bytes(row, MESSAGE_ID, "message_id")?,
        shard: integer(row, SHARD, "shard")?,
        topic: bytes(row, TOPIC, "topic")?,
        key: optional(row, KEY, "message_key")?,
        payload: bytes(row, PAYLOAD, "payload")?,
        headers: bytes(row, HEADERS, "headers")?,
        created_at: integer(row, CREATED_AT, "created_at")?,
        due_at: optional(row, DUE_AT, "due_at")?,
        hold: integer(row, HOLD, "hold")?,
        attempts: integer(row, ATTEMPTS, "attempts")?,
    })
}
