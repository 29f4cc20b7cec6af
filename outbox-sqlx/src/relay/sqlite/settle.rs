use std::collections::{HashMap, HashSet};

use outbox_core::Shard;
use outbox_core::relay::{Awaiting, Failure, ParkedRow};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _, Sqlite};

use super::{BEGIN, now};
use crate::confirmations::settled;
use crate::relay::error::Trouble;
use crate::relay::settlement::{Settlement, json, json_awaiting, json_burials, json_holds};

const DELIVERED: &str = include_str!("../../../sql/sqlite/relay_delivered.sql");
const ARCHIVE: &str = include_str!("../../../sql/sqlite/relay_archive.sql");
const AWAIT: &str = include_str!("../../../sql/sqlite/relay_await.sql");
const OWNED_SHARDS: &str = include_str!("../../../sql/sqlite/relay_owned_shards.sql");
const HOLD: &str = include_str!("../../../sql/sqlite/relay_hold.sql");
const BURY: &str = include_str!("../../../sql/sqlite/relay_bury.sql");
const BURY_PARK: &str = include_str!("../../../sql/sqlite/relay_bury_park.sql");
const PARKED_IDS: &str = include_str!("../../../sql/sqlite/relay_parked_ids.sql");
const MOVE_PARKED: &str = include_str!("../../../sql/sqlite/relay_move_parked.sql");
const REMOVE: &str = include_str!("../../../sql/sqlite/relay_remove.sql");

pub(super) async fn delivered(
    connection: &mut SqliteConnection,
    ids: &[i64],
    archive: bool,
) -> Result<(), Trouble> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids = json(ids);
    if !archive {
        // One statement takes the write lock at once by itself.
        sqlx::query(DELIVERED).bind(ids).execute(connection).await?;
        return Ok(());
    }
    let mut transaction = connection.begin_with(BEGIN).await?;
    sqlx::query(ARCHIVE)
        .bind(&ids)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
    sqlx::query(DELIVERED)
        .bind(ids)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn awaiting(
    connection: &mut SqliteConnection,
    rows: &[Awaiting],
    archive: bool,
) -> Result<(), Trouble> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let list = json(&ids);
    let mut transaction = connection.begin_with(BEGIN).await?;
    if archive {
        sqlx::query(ARCHIVE)
            .bind(&list)
            .bind(now())
            .execute(&mut *transaction)
            .await?;
    }
    sqlx::query(AWAIT)
        .bind(json_awaiting(rows))
        .bind(now())
        .execute(&mut *transaction)
        .await?;
    sqlx::query(DELIVERED)
        .bind(&list)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(settled::<Sqlite>(connection, &ids).await?)
}

pub(super) async fn failed(
    connection: &mut SqliteConnection,
    relay: &str,
    failures: &[Failure],
) -> Result<HashSet<i64>, Trouble> {
    if failures.is_empty() {
        return Ok(HashSet::new());
    }
    let mut transaction = connection.begin_with(BEGIN).await?;
    let owned = owned_shards(&mut transaction, relay).await?;
    let Settlement { holds, burials } = Settlement::of(failures, &owned);
    let mut settled = HashSet::new();
    if !holds.ids.is_empty() {
        let ids: Vec<i64> = sqlx::query_scalar(HOLD)
            .bind(json_holds(&holds, now()))
            .fetch_all(&mut *transaction)
            .await?;
        settled.extend(ids);
    }
    if !burials.ids.is_empty() {
        let rows = json_burials(&burials);
        for copy in [BURY_PARK, BURY] {
            sqlx::query(copy)
                .bind(&rows)
                .bind(now())
                .execute(&mut *transaction)
                .await?;
        }
        settled.extend(remove(&mut transaction, &burials.ids).await?);
    }
    transaction.commit().await?;
    Ok(settled)
}

pub(super) async fn move_parked(
    connection: &mut SqliteConnection,
    relay: &str,
    rows: &[ParkedRow],
) -> Result<HashSet<i64>, Trouble> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let mut transaction = connection.begin_with(BEGIN).await?;
    let owned = owned_shards(&mut transaction, relay).await?;
    let ids: Vec<i64> = rows
        .iter()
        .filter(|row| owned.get(&row.shard) == Some(&row.epoch))
        .map(|row| row.id)
        .collect();
    let parked: Vec<i64> = sqlx::query_scalar(PARKED_IDS)
        .bind(json(&ids))
        .fetch_all(&mut *transaction)
        .await?;
    sqlx::query(MOVE_PARKED)
        .bind(json(&parked))
        .bind(now())
        .execute(&mut *transaction)
        .await?;
    let moved = remove(&mut transaction, &parked).await?;
    transaction.commit().await?;
    Ok(moved.into_iter().collect())
}

async fn remove(connection: &mut SqliteConnection, ids: &[i64]) -> Result<Vec<i64>, Trouble> {
    Ok(sqlx::query_scalar(REMOVE)
        .bind(json(ids))
        .fetch_all(connection)
        .await?)
}

/// Which shards the relay owns, under which epoch. Inside of a writing transaction nobody takes one over.
async fn owned_shards(
    connection: &mut SqliteConnection,
    relay: &str,
) -> Result<HashMap<Shard, i64>, Trouble> {
    let rows = sqlx::query(OWNED_SHARDS)
        .bind(relay)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((Shard::from_stored(row.try_get(0)?), row.try_get(1)?)))
        .collect()
}
