use outbox_core::relay::{Fetch, Page};
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::now;
use crate::relay::error::Trouble;
use crate::relay::page::{
    FIRST_DUE, PageBuilder, TypicalWeight, excluded_keys, excluded_topics, wants_everything,
};
use crate::relay::rows::take;
use crate::relay::{count, mask};

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
