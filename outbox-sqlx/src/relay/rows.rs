//! The rows of a page, where a cell is what the driver decodes: on SQLite and MySQL. (Postgres's are read from the wire.)

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use sqlx::{ColumnIndex, Decode, Row};

use super::error::Trouble;
use super::page::PageBuilder;
use crate::cells::{bytes, integer, optional};
use crate::stored_row::StoredRow;

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

/// Takes the rows to the end even when the page is full: SQLite would go on producing them, and from MySQL what is left
/// unread would stand before the next answer.
pub(super) async fn take<R>(
    page: &mut PageBuilder<'_>,
    mut rows: BoxStream<'_, sqlx::Result<R>>,
) -> Result<(), Trouble>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> &'r [u8]: Decode<'r, R::Database>,
    for<'r> i64: Decode<'r, R::Database>,
{
    while let Some(row) = rows.try_next().await? {
        page.take(&stored(&row)?)?;
    }
    Ok(())
}

/// The row as the database keeps it. Texts are read as their bytes, because one that can't be read must not fail the page.
fn stored<R>(row: &R) -> Result<StoredRow<'_>, Trouble>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> &'r [u8]: Decode<'r, R::Database>,
    for<'r> i64: Decode<'r, R::Database>,
{
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
