use futures_util::TryStreamExt as _;
use outbox_core::relay::{Fetch, Page};
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{Decode, Row as _, ValueRef as _};

use super::now;
use crate::relay::error::Trouble;
use crate::relay::page::{FIRST_DUE, PageBuilder, TypicalWeight, wants_everything};
use crate::relay::row::StoredRow;
use crate::relay::{count, mask};

const FETCH: &str = include_str!("../../../sql/sqlite/relay_fetch.sql");
const FETCH_PART: &str = include_str!("../../../sql/sqlite/relay_fetch_part.sql");

pub(super) async fn fetch(
    connection: &mut SqliteConnection,
    fetch: &Fetch,
    typical: &mut TypicalWeight,
) -> Result<Page, Trouble> {
    let asked = typical.rows_to_ask(fetch).min(fetch.scan_rows);
    let up_to = fetch.up_to.unwrap_or(i64::MAX);
    let due_after = fetch.due_after.unwrap_or(FIRST_DUE);
    let query = if wants_everything(fetch) {
        sqlx::query(FETCH)
            .bind(fetch.after)
            .bind(up_to)
            .bind(count(asked))
            .bind(due_after.due_at)
            .bind(due_after.id)
            .bind(count(fetch.due_rows))
            .bind(now())
    } else {
        sqlx::query(FETCH_PART)
            .bind(fetch.after)
            .bind(up_to)
            .bind(count(asked))
            .bind(count(fetch.scan_rows))
            .bind(mask(fetch.shards))
            .bind(fetch.stray_shards)
            .bind(json_pairs(fetch))
            .bind(json_topics(fetch))
            .bind(now())
            .bind(due_after.due_at)
            .bind(due_after.id)
            .bind(count(fetch.due_rows))
            .bind(mask(fetch.due_shards))
    };
    let mut page = PageBuilder::new(fetch, asked);
    let mut rows = query.fetch(connection);
    while let Some(row) = rows.try_next().await? {
        if row.try_get_raw(TOPIC)?.is_null() {
            page.scanned(optional(&row, ID, "id")?, integer(&row, ATTEMPTS, "count")?);
        } else {
            page.take(&stored(&row)?)?;
        }
    }
    drop(rows);
    Ok(page.finish(typical))
}

/// The excluded keys as `[[topic, key], …]`.
fn json_pairs(fetch: &Fetch) -> String {
    let pairs: Vec<(&str, &str)> = fetch
        .exclude_keys
        .iter()
        .map(|(topic, key)| (&**topic, &**key))
        .collect();
    serde_json::json!(pairs).to_string()
}

fn json_topics(fetch: &Fetch) -> String {
    let topics: Vec<&str> = fetch.exclude_topics.iter().map(|topic| &**topic).collect();
    serde_json::json!(topics).to_string()
}

// The columns of both statements, in their order.
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

fn optional<'r, T>(row: &'r SqliteRow, column: usize, name: &'static str) -> Result<Option<T>, Trouble>
where
    T: Decode<'r, Sqlite>,
{
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        return Ok(None);
    }
    T::decode(value).map(Some).map_err(|_| Trouble::Unreadable(name))
}

fn bytes<'r>(row: &'r SqliteRow, column: usize, name: &'static str) -> Result<&'r [u8], Trouble> {
    optional(row, column, name)?.ok_or(Trouble::Unreadable(name))
}

fn integer(row: &SqliteRow, column: usize, name: &'static str) -> Result<i64, Trouble> {
    optional(row, column, name)?.ok_or(Trouble::Unreadable(name))
}
