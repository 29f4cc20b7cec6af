use std::collections::{BTreeSet, HashMap, HashSet};

use outbox_core::Shard;
use outbox_core::relay::{Awaiting, Failure, ParkedRow};
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection as _, MySql};

use super::lease::shard;
use crate::cells::integer;
use crate::confirmations::settled;
use crate::mysql::BEGIN_OWN;
use crate::mysql::numbered::query;
use crate::relay::error::Trouble;
use crate::relay::settlement::{Settlement, json, json_awaiting, json_burials, json_holds};
use transaction_scope::sql;

const DELIVERED: &str = sql!("mysql/relay_delivered.sql");
const ARCHIVE: &str = sql!("mysql/relay_archive.sql");
const AWAIT: &str = sql!("mysql/relay_await.sql");
const LOCK_SHARDS: &str = sql!("mysql/relay_lock_shards.sql");
const LOCK_ROWS: &str = sql!("mysql/relay_lock_rows.sql");
const HOLD: &str = sql!("mysql/relay_hold.sql");
const BURY_PARK: &str = sql!("mysql/relay_bury_park.sql");
const BURY: &str = sql!("mysql/relay_bury.sql");
const PARKED_IDS: &str = sql!("mysql/relay_parked_ids.sql");
const MOVE_PARKED: &str = sql!("mysql/relay_move_parked.sql");

pub(super) async fn delivered(
    connection: &mut MySqlConnection,
    ids: &[i64],
    archive: bool,
) -> Result<(), Trouble> {
    if ids.is_empty() {
        return Ok(());
    }
    if !archive {
        return remove(connection, ids).await;
    }
    let mut transaction = connection.begin_with(BEGIN_OWN).await?;
    query!(ARCHIVE, json(ids)).execute(&mut *transaction).await?;
    remove(&mut transaction, ids).await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn awaiting(
    connection: &mut MySqlConnection,
    rows: &[Awaiting],
    archive: bool,
) -> Result<(), Trouble> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let mut transaction = connection.begin_with(BEGIN_OWN).await?;
    // Of two settlers one waits here, and then finds nothing to copy.
    ids_of(&mut transaction, LOCK_ROWS, &ids).await?;
    if archive {
        query!(ARCHIVE, json(&ids)).execute(&mut *transaction).await?;
    }
    query!(AWAIT, json_awaiting(rows))
        .execute(&mut *transaction)
        .await?;
    remove(&mut transaction, &ids).await?;
    transaction.commit().await?;
    Ok(settled::<MySql>(connection, &ids).await?)
}

async fn remove(connection: &mut MySqlConnection, ids: &[i64]) -> Result<(), Trouble> {
    query!(DELIVERED, json(ids)).execute(connection).await?;
    Ok(())
}

pub(super) async fn failed(
    connection: &mut MySqlConnection,
    relay: &str,
    failures: &[Failure],
) -> Result<HashSet<i64>, Trouble> {
    if failures.is_empty() {
        return Ok(HashSet::new());
    }
    let mut transaction = connection.begin_with(BEGIN_OWN).await?;
    let owned = lock_shards(&mut transaction, relay, failures.iter().map(|f| f.shard)).await?;
    let Settlement { holds, burials } = Settlement::of(failures, &owned);
    let ids: Vec<i64> = holds.ids.iter().chain(&burials.ids).copied().collect();
    let there = ids_of(&mut transaction, LOCK_ROWS, &ids).await?;
    if !holds.ids.is_empty() {
        query!(HOLD, json_holds(&holds, 0))
            .execute(&mut *transaction)
            .await?;
    }
    if !burials.ids.is_empty() {
        let rows = json_burials(&burials);
        for copy in [BURY_PARK, BURY] {
            query!(copy, &rows).execute(&mut *transaction).await?;
        }
        remove(&mut transaction, &burials.ids).await?;
    }
    transaction.commit().await?;
    Ok(there)
}

pub(super) async fn move_parked(
    connection: &mut MySqlConnection,
    relay: &str,
    rows: &[ParkedRow],
) -> Result<HashSet<i64>, Trouble> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let mut transaction = connection.begin_with(BEGIN_OWN).await?;
    let owned = lock_shards(&mut transaction, relay, rows.iter().map(|row| row.shard)).await?;
    let ids: Vec<i64> = rows
        .iter()
        .filter(|row| owned.get(&row.shard) == Some(&row.epoch))
        .map(|row| row.id)
        .collect();
    let parked = ids_of(&mut transaction, PARKED_IDS, &ids).await?;
    if !parked.is_empty() {
        let moved: Vec<i64> = parked.iter().copied().collect();
        query!(MOVE_PARKED, json(&moved))
            .execute(&mut *transaction)
            .await?;
        remove(&mut transaction, &moved).await?;
    }
    transaction.commit().await?;
    Ok(parked)
}

async fn ids_of(
    connection: &mut MySqlConnection,
    statement: &'static str,
    ids: &[i64],
) -> Result<HashSet<i64>, Trouble> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = query!(statement, json(ids)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(integer(row, 0, "id")?)).collect()
}

/// Locks these shards against a takeover, and returns which of them the relay owns, under which epoch.
async fn lock_shards(
    connection: &mut MySqlConnection,
    relay: &str,
    shards: impl Iterator<Item = Shard>,
) -> Result<HashMap<Shard, i64>, Trouble> {
    // Each once and in order, which is the order they are locked in.
    let numbers: BTreeSet<i64> = shards.map(|shard| shard.number().into()).collect();
    let numbers: Vec<i64> = numbers.into_iter().collect();
    let rows = query!(LOCK_SHARDS, relay, json(&numbers))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| Ok((shard(integer(row, 0, "shard")?), integer(row, 1, "epoch")?)))
        .collect()
}
