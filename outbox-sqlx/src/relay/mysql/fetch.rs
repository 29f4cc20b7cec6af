use std::collections::HashSet;

use outbox_core::relay::{Fetch, Page};
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;

use crate::cells::{integer, optional};
use crate::mysql::numbered::query;
use crate::relay::error::Trouble;
use crate::relay::page::{PageBuilder, TypicalWeight, excluded_keys, excluded_topics, wants_everything};
use crate::relay::rows::take;
use crate::relay::{count, mask};
use transaction_scope::sql;

const FETCH: &str = sql!("mysql/relay_fetch.sql");
const FETCH_FRESH: &str = sql!("mysql/relay_fetch_fresh.sql");
const SNAPSHOT: &str = sql!("mysql/relay_snapshot.sql");
const FETCH_DUE: &str = sql!("mysql/relay_fetch_due.sql");
const FETCH_PART: &str = sql!("mysql/relay_fetch_part.sql");
const SCANNED: &str = sql!("mysql/relay_scanned.sql");
const FLUSH: &str = sql!("mysql/relay_flush.sql");
const HORIZON: &str = sql!("mysql/relay_horizon.sql");

pub(super) async fn fetch(
    connection: &mut MySqlConnection,
    fetch: &Fetch,
    typical: &mut TypicalWeight,
) -> Result<Page, Trouble> {
    let page = read(connection, fetch, typical).await?;
    // InnoDB shows a transaction to others before its log has reached the disk. What a relay has seen and published
    // could be gone after a crash of the server: a message of a transaction that never was.
    if !page.rows.is_empty() || !page.due.is_empty() {
        sqlx::query(FLUSH).execute(connection).await?;
    }
    Ok(page)
}

async fn read(
    connection: &mut MySqlConnection,
    fetch: &Fetch,
    typical: &mut TypicalWeight,
) -> Result<Page, Trouble> {
    let asked = typical.rows_to_ask(fetch).min(fetch.scan_rows);
    let up_to = fetch.up_to.unwrap_or(i64::MAX);
    let (due_after, id_after) = (
        fetch.due_after.map(|after| after.due_at),
        fetch.due_after.map(|after| after.id),
    );
    let mut page = PageBuilder::new(fetch, asked);
    if wants_everything(fetch) && fetch.due_rows == 0 {
        let query = query!(FETCH_FRESH, fetch.after, up_to, count(asked));
        take(&mut page, query.fetch(connection)).await?;
        return Ok(page.finish(typical));
    }
    if wants_everything(fetch) {
        let query = query!(
            FETCH,
            fetch.after,
            up_to,
            count(asked),
            due_after,
            id_after,
            count(fetch.due_rows)
        );
        take(&mut page, query.fetch(connection)).await?;
        return Ok(page.finish(typical));
    }
    let mut transaction = connection.begin_with(SNAPSHOT).await?;
    if fetch.due_rows > 0 {
        let query = query!(
            FETCH_DUE,
            due_after,
            id_after,
            count(fetch.due_rows),
            mask(fetch.due_shards),
            excluded_keys(fetch),
            excluded_topics(fetch)
        );
        take(&mut page, query.fetch(&mut *transaction)).await?;
    }
    if asked > 0 {
        let query = query!(
            FETCH_PART,
            fetch.after,
            up_to,
            count(asked),
            count(fetch.scan_rows),
            mask(fetch.shards),
            fetch.stray_shards,
            excluded_keys(fetch),
            excluded_topics(fetch)
        );
        take(&mut page, query.fetch(&mut *transaction)).await?;
        if !page.is_full() {
            let row = query!(SCANNED, fetch.after, up_to, count(fetch.scan_rows))
                .fetch_one(&mut *transaction)
                .await?;
            page.scanned(optional(&row, 0, "id")?, integer(&row, 1, "count")?);
        }
    }
    transaction.commit().await?;
    Ok(page.finish(typical))
}

pub(super) async fn horizon(connection: &mut MySqlConnection) -> Result<i64, Trouble> {
    Ok(sqlx::query_scalar(HORIZON).fetch_one(connection).await?)
}

/// Asked where the rule is another only.
pub(super) async fn writers(_: &mut MySqlConnection) -> Result<HashSet<String>, Trouble> {
    Ok(HashSet::new())
}
