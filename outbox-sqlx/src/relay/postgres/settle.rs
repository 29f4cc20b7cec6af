use std::collections::{HashMap, HashSet};

use outbox_core::relay::{Awaiting, Failure, ParkedRow};
use outbox_core::{Confirm, Shard};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Postgres, Row as _};

use super::session::BEGIN_DURABLE;
use crate::confirmations::settled;
use crate::relay::error::Trouble;
use crate::relay::settlement::{Settlement, json_groups};
use crate::relay::{count, micros};

const DELIVERED: &str = include_str!("../../../sql/postgres/relay_delivered.sql");
const DELIVERED_RANGE: &str = include_str!("../../../sql/postgres/relay_delivered_range.sql");
const ARCHIVE: &str = include_str!("../../../sql/postgres/relay_archive.sql");
const AWAIT: &str = include_str!("../../../sql/postgres/relay_await.sql");
const LOCK_SHARDS: &str = include_str!("../../../sql/postgres/relay_lock_shards.sql");
const HOLD: &str = include_str!("../../../sql/postgres/relay_hold.sql");
const BURY: &str = include_str!("../../../sql/postgres/relay_bury.sql");
const MOVE_PARKED: &str = include_str!("../../../sql/postgres/relay_move_parked.sql");

pub(super) async fn delivered(
    connection: &mut PgConnection,
    ids: &[i64],
    archive: bool,
) -> Result<(), Trouble> {
    let Some(range) = (!ids.is_empty()).then(|| dense_range(ids)) else {
        return Ok(());
    };
    let query = match range {
        _ if archive => sqlx::query(ARCHIVE).bind(ids),
        Some((first, last)) => sqlx::query(DELIVERED_RANGE).bind(ids).bind(first).bind(last),
        None => sqlx::query(DELIVERED).bind(ids),
    };
    query.execute(connection).await?;
    Ok(())
}

/// Moves rows that wait for confirmations. Not durable in itself, as deletes of delivered rows are: if a crash of the server
/// undoes it, the row is in the outbox and is delivered again.
pub(super) async fn awaiting(
    connection: &mut PgConnection,
    rows: &[Awaiting],
    archive: bool,
) -> Result<(), Trouble> {
    if rows.is_empty() {
        return Ok(());
    }
    let small = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let confirms = || rows.iter().map(|row| &row.confirm);
    sqlx::query(AWAIT)
        .bind(&ids)
        .bind(confirms().map(json_groups).collect::<Vec<_>>())
        .bind(
            confirms()
                .map(|confirm| i32::try_from(confirm.needed()).unwrap_or(i32::MAX))
                .collect::<Vec<_>>(),
        )
        .bind(
            confirms()
                .map(|confirm| micros(confirm.within()))
                .collect::<Vec<_>>(),
        )
        .bind(
            confirms()
                .map(|confirm| small(confirm.max_resends()))
                .collect::<Vec<_>>(),
        )
        .bind(
            confirms()
                .map(|confirm| small(confirm.resent()))
                .collect::<Vec<_>>(),
        )
        .bind(confirms().map(Confirm::since).collect::<Vec<_>>())
        .bind(archive)
        .execute(&mut *connection)
        .await?;
    Ok(settled::<Postgres>(connection, &ids).await?)
}

pub(super) async fn failed(
    connection: &mut PgConnection,
    relay: &str,
    failures: &[Failure],
) -> Result<HashSet<i64>, Trouble> {
    if failures.is_empty() {
        return Ok(HashSet::new());
    }
    let mut transaction = connection.begin_with(BEGIN_DURABLE).await?;
    let shards = shard_numbers(failures.iter().map(|failure| failure.shard));
    let owned = lock_shards(&mut transaction, relay, shards).await?;
    let Settlement { holds, burials } = Settlement::of(failures, &owned);
    let mut settled = HashSet::new();
    if !holds.ids.is_empty() {
        let ids: Vec<i64> = sqlx::query_scalar(HOLD)
            .bind(holds.ids)
            .bind(holds.holds)
            .bind(holds.delays)
            .bind(holds.attempts)
            .bind(holds.errors)
            .fetch_all(&mut *transaction)
            .await?;
        settled.extend(ids);
    }
    if !burials.ids.is_empty() {
        let ids: Vec<i64> = sqlx::query_scalar(BURY)
            .bind(burials.ids)
            .bind(burials.reasons)
            .bind(burials.attempts)
            .bind(burials.errors)
            .fetch_all(&mut *transaction)
            .await?;
        settled.extend(ids);
    }
    transaction.commit().await?;
    Ok(settled)
}

pub(super) async fn move_parked(
    connection: &mut PgConnection,
    relay: &str,
    rows: &[ParkedRow],
) -> Result<HashSet<i64>, Trouble> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let mut transaction = connection.begin_with(BEGIN_DURABLE).await?;
    let shards = shard_numbers(rows.iter().map(|row| row.shard));
    let owned = lock_shards(&mut transaction, relay, shards).await?;
    let ids: Vec<i64> = rows
        .iter()
        .filter(|row| owned.get(&row.shard) == Some(&row.epoch))
        .map(|row| row.id)
        .collect();
    let moved: Vec<i64> = sqlx::query_scalar(MOVE_PARKED)
        .bind(ids)
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(moved.into_iter().collect())
}

/// Locks these shards against a takeover, and returns which of them the relay owns, under which epoch.
async fn lock_shards(
    connection: &mut PgConnection,
    relay: &str,
    shards: Vec<i16>,
) -> Result<HashMap<Shard, i64>, Trouble> {
    let rows = sqlx::query(LOCK_SHARDS)
        .bind(relay)
        .bind(shards)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((Shard::from_stored(row.try_get(0)?), row.try_get(1)?)))
        .collect()
}

/// The numbers of these shards, each once and in order, which is the order they are locked in.
fn shard_numbers(shards: impl IntoIterator<Item = Shard>) -> Vec<i16> {
    let mut numbers: Vec<i16> = shards
        .into_iter()
        .collect::<HashSet<_>>()
        .into_iter()
        .map(|shard| shard.number().into())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The least and the greatest id, where the ids lie so close together that one walk from the first to the
/// last is cheaper than looking each of them up.
fn dense_range(ids: &[i64]) -> Option<(i64, i64)> {
    /// Half of the walk may be in vain: a walked row costs less than half of a lookup.
    const WALKED_PER_ID: i64 = 2;
    let (first, last) = (*ids.iter().min()?, *ids.iter().max()?);
    let walked = last.saturating_sub(first);
    (walked < count(ids.len()).saturating_mul(WALKED_PER_ID)).then_some((first, last))
}
