use std::sync::Arc;

use outbox_core::relay::{Holds, LeaseGrant, LeaseRequest, ShardSet};
use outbox_core::{SHARDS, Shard};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection as _, Row as _};

use super::session::BEGIN_DURABLE;
use crate::relay::error::Trouble;
use crate::relay::{count, mask, micros};

const MEMBER: &str = include_str!("../../../sql/postgres/relay_lease_member.sql");
const RENEW: &str = include_str!("../../../sql/postgres/relay_lease_renew.sql");
const CLAIM: &str = include_str!("../../../sql/postgres/relay_lease_claim.sql");
const LEAVE: &str = include_str!("../../../sql/postgres/relay_leave.sql");
const HOLDS: &str = include_str!("../../../sql/postgres/relay_holds.sql");
const CLEAR_REWINDS: &str = include_str!("../../../sql/postgres/relay_clear_rewinds.sql");

pub(super) async fn lease(
    connection: &mut PgConnection,
    request: &LeaseRequest,
) -> Result<LeaseGrant, Trouble> {
    let ttl = micros(request.ttl);
    let release = mask(request.release);
    let mut transaction = connection.begin_with(BEGIN_DURABLE).await?;

    let alive: i64 = sqlx::query_scalar(MEMBER)
        .bind(&request.relay)
        .bind(ttl)
        .fetch_one(&mut *transaction)
        .await?;
    let alive = usize::try_from(alive).unwrap_or(1).max(1);
    let fair_share = usize::from(SHARDS).div_ceil(alive);

    let renewed = sqlx::query(RENEW)
        .bind(&request.relay)
        .bind(ttl)
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
            .bind(ttl)
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

fn held(row: &PgRow) -> Result<(Shard, i64), Trouble> {
    Ok((Shard::from_stored(row.try_get(0)?), row.try_get(1)?))
}

pub(super) async fn leave(connection: &mut PgConnection, relay: &str) -> Result<(), Trouble> {
    let mut transaction = connection.begin_with(BEGIN_DURABLE).await?;
    sqlx::query(LEAVE).bind(relay).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn holds(
    connection: &mut PgConnection,
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
        let kind: i32 = row.try_get(0)?;
        let id: i64 = row.try_get(1)?;
        let shard: i32 = row.try_get(2)?;
        let shard = Shard::from_stored(i16::try_from(shard).unwrap_or(-1));
        let text = |column| row.try_get::<&str, _>(column).map(Arc::<str>::from);
        match kind {
            0 => holds.held.push((id, shard, text(3)?, text(4)?)),
            1 => holds.parked.push((shard, text(3)?, text(4)?)),
            _ => holds.rewinds.push((shard, id)),
        }
    }
    Ok(holds)
}

pub(super) async fn clear_rewinds(
    connection: &mut PgConnection,
    relay: &str,
    rewinds: &[(Shard, i64)],
) -> Result<(), Trouble> {
    if rewinds.is_empty() {
        return Ok(());
    }
    let (shards, ids): (Vec<i16>, Vec<i64>) = rewinds
        .iter()
        .map(|(shard, id)| (i16::from(shard.number()), *id))
        .unzip();
    sqlx::query(CLEAR_REWINDS)
        .bind(relay)
        .bind(shards)
        .bind(ids)
        .execute(connection)
        .await?;
    Ok(())
}
