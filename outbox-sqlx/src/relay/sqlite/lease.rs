use std::sync::Arc;

use outbox_core::relay::{Holds, LeaseGrant, LeaseRequest, ShardSet};
use outbox_core::{SHARDS, Shard};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, Row as _};

use super::{BEGIN, now};
use crate::relay::error::Trouble;
use crate::relay::{count, mask, micros};

const MEMBER: &str = include_str!("../../../sql/sqlite/relay_lease_member.sql");
const FORGET: &str = include_str!("../../../sql/sqlite/relay_lease_forget.sql");
const ALIVE: &str = include_str!("../../../sql/sqlite/relay_lease_alive.sql");
const RENEW: &str = include_str!("../../../sql/sqlite/relay_lease_renew.sql");
const CLAIM: &str = include_str!("../../../sql/sqlite/relay_lease_claim.sql");
const LEAVE: &str = include_str!("../../../sql/sqlite/relay_leave.sql");
const LEAVE_SHARDS: &str = include_str!("../../../sql/sqlite/relay_leave_shards.sql");
const HOLDS: &str = include_str!("../../../sql/sqlite/relay_holds.sql");
const CLEAR_REWIND: &str = include_str!("../../../sql/sqlite/relay_clear_rewind.sql");

/// A relay that was not seen for an hour is forgotten. Microseconds.
const FORGOTTEN_AFTER: i64 = 3_600_000_000;

pub(super) async fn lease(
    connection: &mut SqliteConnection,
    request: &LeaseRequest,
) -> Result<LeaseGrant, Trouble> {
    let release = mask(request.release);
    let mut transaction = connection.begin_with(BEGIN).await?;
    // After the write lock was granted: who waited for it long must not take what somebody else renewed.
    let now = now();
    let until = now.saturating_add(micros(request.ttl));

    sqlx::query(MEMBER)
        .bind(&request.relay)
        .bind(until)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(FORGET)
        .bind(now.saturating_sub(FORGOTTEN_AFTER))
        .execute(&mut *transaction)
        .await?;
    let alive: i64 = sqlx::query_scalar(ALIVE)
        .bind(now)
        .fetch_one(&mut *transaction)
        .await?;
    let alive = usize::try_from(alive).unwrap_or(1).max(1);
    let fair_share = usize::from(SHARDS).div_ceil(alive);

    let renewed = sqlx::query(RENEW)
        .bind(&request.relay)
        .bind(now)
        .bind(until)
        .bind(release)
        .fetch_all(&mut *transaction)
        .await?;
    let mut shards = Vec::with_capacity(fair_share);
    for row in &renewed {
        if row.try_get(2)? {
            shards.push(held(row)?);
        }
    }

    let wanted = fair_share.saturating_sub(shards.len());
    if request.claim && wanted > 0 {
        let claimed = sqlx::query(CLAIM)
            .bind(&request.relay)
            .bind(now)
            .bind(until)
            .bind(release)
            .bind(count(wanted))
            .fetch_all(&mut *transaction)
            .await?;
        for row in &claimed {
            shards.push(held(row)?);
        }
    }
    transaction.commit().await?;
    shards.sort_unstable();
    Ok(LeaseGrant { shards, fair_share })
}

fn held(row: &SqliteRow) -> Result<(Shard, i64), Trouble> {
    Ok((Shard::from_stored(row.try_get(0)?), row.try_get(1)?))
}

pub(super) async fn leave(connection: &mut SqliteConnection, relay: &str) -> Result<(), Trouble> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    for statement in [LEAVE_SHARDS, LEAVE] {
        sqlx::query(statement)
            .bind(relay)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn holds(
    connection: &mut SqliteConnection,
    relay: &str,
    shards: ShardSet,
    limit: usize,
) -> Result<Holds, Trouble> {
    let rows = sqlx::query(HOLDS)
        .bind(relay)
        .bind(mask(shards))
        .bind(count(limit))
        .fetch_all(connection)
        .await?;
    let mut holds = Holds::default();
    for row in &rows {
        let kind: i64 = row.try_get_unchecked(0)?;
        let id: i64 = row.try_get_unchecked(1)?;
        let shard = Shard::from_stored(row.try_get_unchecked(2)?);
        let text = |column| {
            row.try_get_unchecked::<&[u8], _>(column)
                .map(|bytes| Arc::<str>::from(&*String::from_utf8_lossy(bytes)))
        };
        match kind {
            0 => holds.held.push((id, shard, text(3)?, text(4)?)),
            1 => holds.parked.push((shard, text(3)?, text(4)?)),
            _ => holds.rewinds.push((shard, id)),
        }
    }
    Ok(holds)
}

pub(super) async fn clear_rewinds(
    connection: &mut SqliteConnection,
    relay: &str,
    rewinds: &[(Shard, i64)],
) -> Result<(), Trouble> {
    if rewinds.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_with(BEGIN).await?;
    for (shard, id) in rewinds {
        sqlx::query(CLEAR_REWIND)
            .bind(relay)
            .bind(i64::from(shard.number()))
            .bind(id)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(())
}
