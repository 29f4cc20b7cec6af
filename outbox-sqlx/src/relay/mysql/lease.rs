use std::sync::Arc;

use outbox_core::relay::{Holds, LeaseGrant, LeaseRequest, ShardSet};
use outbox_core::{SHARDS, Shard};
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;

use crate::cells::{bytes, integer, optional};
use crate::mysql::BEGIN_OWN;
use crate::mysql::numbered::query;
use crate::relay::error::Trouble;
use crate::relay::{count, mask, micros};
use transaction_scope::sql;

const MEMBER: &str = sql!("mysql/relay_lease_member.sql");
const STALE: &str = sql!("mysql/relay_lease_stale.sql");
const FORGET: &str = sql!("mysql/relay_lease_forget.sql");
const ALIVE: &str = sql!("mysql/relay_lease_alive.sql");
const RENEW: &str = sql!("mysql/relay_lease_renew.sql");
const FREE: &str = sql!("mysql/relay_lease_free.sql");
const CLAIM: &str = sql!("mysql/relay_lease_claim.sql");
const HELD: &str = sql!("mysql/relay_lease_held.sql");
const LEAVE: &str = sql!("mysql/relay_leave.sql");
const LEAVE_SHARDS: &str = sql!("mysql/relay_leave_shards.sql");
const HOLDS: &str = sql!("mysql/relay_holds.sql");
const CLEAR_REWIND: &str = sql!("mysql/relay_clear_rewind.sql");

pub(super) async fn lease(
    connection: &mut MySqlConnection,
    request: &LeaseRequest,
) -> Result<LeaseGrant, Trouble> {
    let ttl = micros(request.ttl);
    let release = mask(request.release);
    let mut transaction = connection.begin_with(BEGIN_OWN).await?;

    query!(MEMBER, &request.relay, ttl)
        .execute(&mut *transaction)
        .await?;
    for stale in query!(STALE, &request.relay).fetch_all(&mut *transaction).await? {
        query!(FORGET, bytes(&stale, 0, "relay")?)
            .execute(&mut *transaction)
            .await?;
    }
    let others = query!(ALIVE, &request.relay).fetch_one(&mut *transaction).await?;
    let alive = 1 + usize::try_from(integer(&others, 0, "count")?).unwrap_or(0);
    let fair_share = usize::from(SHARDS).div_ceil(alive);

    query!(RENEW, &request.relay, ttl, release)
        .execute(&mut *transaction)
        .await?;
    let mut shards = held(&mut transaction, &request.relay).await?;
    let wanted = fair_share.saturating_sub(shards.len());
    if request.claim && wanted > 0 {
        let free = query!(FREE, release, count(wanted))
            .fetch_all(&mut *transaction)
            .await?;
        for shard in &free {
            query!(CLAIM, &request.relay, ttl, integer(shard, 0, "shard")?)
                .execute(&mut *transaction)
                .await?;
        }
        if !free.is_empty() {
            shards = held(&mut transaction, &request.relay).await?;
        }
    }
    transaction.commit().await?;
    Ok(LeaseGrant { shards, fair_share })
}

async fn held(connection: &mut MySqlConnection, relay: &str) -> Result<Vec<(Shard, i64)>, Trouble> {
    let rows = query!(HELD, relay).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok((shard(integer(row, 0, "shard")?), integer(row, 1, "epoch")?)))
        .collect()
}

pub(super) fn shard(number: i64) -> Shard {
    Shard::from_stored(i16::try_from(number).unwrap_or(-1))
}

pub(super) async fn leave(connection: &mut MySqlConnection, relay: &str) -> Result<(), Trouble> {
    let mut transaction = connection.begin_with(BEGIN_OWN).await?;
    for statement in [LEAVE_SHARDS, LEAVE] {
        query!(statement, relay).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(super) async fn holds(
    connection: &mut MySqlConnection,
    relay: &str,
    shards: ShardSet,
    limit: usize,
) -> Result<Holds, Trouble> {
    let rows = query!(HOLDS, relay, mask(shards), count(limit))
        .fetch_all(connection)
        .await?;
    let mut holds = Holds::default();
    for row in &rows {
        let id = integer(row, 1, "id")?;
        let shard = shard(integer(row, 2, "shard")?);
        let text = |column| {
            let bytes: Option<&[u8]> = optional(row, column, "text")?;
            Ok::<_, Trouble>(Arc::<str>::from(&*String::from_utf8_lossy(
                bytes.unwrap_or_default(),
            )))
        };
        match integer(row, 0, "kind")? {
            0 => holds.held.push((id, shard, text(3)?, text(4)?)),
            1 => holds.parked.push((shard, text(3)?, text(4)?)),
            _ => holds.rewinds.push((shard, id)),
        }
    }
    Ok(holds)
}

pub(super) async fn clear_rewinds(
    connection: &mut MySqlConnection,
    relay: &str,
    rewinds: &[(Shard, i64)],
) -> Result<(), Trouble> {
    for (shard, id) in rewinds {
        query!(CLEAR_REWIND, relay, i64::from(shard.number()), *id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
