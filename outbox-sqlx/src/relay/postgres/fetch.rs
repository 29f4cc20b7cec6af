use std::collections::HashSet;

use futures_util::TryStreamExt as _;
use outbox_core::relay::{Fetch, Page};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row as _, ValueRef as _};

use crate::postgres::wire::{Timestamp, bytes, i64_of, integer, optional, unix};
use crate::relay::error::Trouble;
use crate::relay::page::{FIRST_DUE, PageBuilder, TypicalWeight, wants_everything};
use crate::relay::{count, mask};
use crate::stored_row::StoredRow;

const FETCH: &str = include_str!("../../../sql/postgres/relay_fetch.sql");
const FETCH_PART: &str = include_str!("../../../sql/postgres/relay_fetch_part.sql");
const HORIZON: &str = include_str!("../../../sql/postgres/relay_horizon.sql");
const WRITERS: &str = include_str!("../../../sql/postgres/relay_writers.sql");

pub(super) async fn fetch(
    connection: &mut PgConnection,
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
            .bind(Timestamp(due_after.due_at))
            .bind(due_after.id)
            .bind(count(fetch.due_rows))
    } else {
        let (topics, keys): (Vec<&str>, Vec<&str>) =
            fetch.exclude_keys.iter().map(|(t, k)| (&**t, &**k)).unzip();
        let excluded: Vec<&str> = fetch.exclude_topics.iter().map(|topic| &**topic).collect();
        sqlx::query(FETCH_PART)
            .bind(fetch.after)
            .bind(up_to)
            .bind(count(asked))
            .bind(count(fetch.scan_rows))
            .bind(mask(fetch.shards))
            .bind(fetch.stray_shards)
            .bind(topics)
            .bind(keys)
            .bind(excluded)
            .bind(Timestamp(due_after.due_at))
            .bind(due_after.id)
            .bind(count(fetch.due_rows))
            .bind(mask(fetch.due_shards))
    };
    let mut page = PageBuilder::new(fetch, asked);
    let mut rows = query.fetch(connection);
    // To the end even when the page is full: what is left unread would stand before the next answer.
    while let Some(row) = rows.try_next().await? {
        if row.try_get_raw(TOPIC)?.is_null() {
            let looked_at = integer::<4>(&row, ATTEMPTS, "count")?;
            page.scanned(optional(&row, ID)?.map(i64_of).transpose()?, looked_at);
        } else {
            page.take(&stored(&row)?)?;
        }
    }
    drop(rows);
    Ok(page.finish(typical))
}

pub(super) async fn horizon(connection: &mut PgConnection) -> Result<i64, Trouble> {
    Ok(sqlx::query_scalar(HORIZON).fetch_one(connection).await?)
}

pub(super) async fn writers(connection: &mut PgConnection) -> Result<HashSet<String>, Trouble> {
    let names: Vec<String> = sqlx::query_scalar(WRITERS).fetch_all(connection).await?;
    Ok(names.into_iter().collect())
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

/// The row in its wire form: integers in network order, texts and json as their bytes. Read by hand because this
/// is the innermost loop, and because a text that can't be read must not fail the page.
fn stored(row: &PgRow) -> Result<StoredRow<'_>, Trouble> {
    Ok(StoredRow {
        id: integer::<8>(row, ID, "id")?,
        message_id: bytes(row, MESSAGE_ID, "message_id")?,
        shard: integer::<2>(row, SHARD, "shard")?,
        topic: bytes(row, TOPIC, "topic")?,
        key: optional(row, KEY)?,
        payload: bytes(row, PAYLOAD, "payload")?,
        headers: bytes(row, HEADERS, "headers")?,
        created_at: unix(integer::<8>(row, CREATED_AT, "created_at")?),
        due_at: optional(row, DUE_AT)?.map(i64_of).transpose()?.map(unix),
        hold: integer::<2>(row, HOLD, "hold")?,
        attempts: integer::<4>(row, ATTEMPTS, "attempts")?,
    })
}
