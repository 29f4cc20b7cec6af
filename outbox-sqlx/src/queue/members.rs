//! What a member of a group does with the database about leases and shares. One lease per member: its queues are its
//! own as long as that one runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use outbox_core::group::{QueueName, assign};
use sqlx::Connection as _;

use super::database::QueueDatabase;
use super::groups;
use super::owned::{CAREFUL_ROWS, WINDOW_ROWS};
use super::statement::{Statement, args, statement};
use crate::relay::micros;

const JOIN: Statement = statement!("queue_member_join");
const RENEW: Statement = statement!("queue_member_renew");
const LEAVE: Statement = statement!("queue_member_leave");
const EXPIRE: Statement = statement!("queue_member_expire");
const MEMBERS: Statement = statement!("queue_members");
const SEEN: Statement = statement!("queue_seen");
const LOOK: Statement = statement!("queue_group_look");
const ORPHANS: Statement = statement!("queue_orphans");
const FREE: Statement = statement!("queue_free");
const SHARES: Statement = statement!("queue_shares");
const CLAIM: Statement = statement!("queue_claim");
const RELEASE: Statement = statement!("queue_release");

/// Who a member is.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) group: i64,
    pub(super) group_name: Arc<str>,
    /// Never used twice.
    pub(super) member: String,
    /// The ids of its topics.
    pub(super) topics: Vec<i64>,
    pub(super) lease: Duration,
}

/// What a renewal tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renewed {
    /// The lease runs on.
    Member {
        /// The group's counter of changes.
        changes: i64,
        paused: bool,
        /// Others whose lease has run out.
        overdue: bool,
    },
    /// The lease had run out, and somebody noticed; or it never joined.
    Expired,
    /// The group was removed.
    GroupRemoved,
}

/// A queue that was taken.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub(super) queue: i64,
    pub(super) topic: Arc<str>,
    pub(super) number: u32,
    pub(super) epoch: i64,
    pub(super) place: i64,
    pub(super) deaths: u32,
    pub(super) suspect_to: i64,
}

/// How the group's queues are shared out.
#[derive(Debug, Default)]
pub(super) struct Shares {
    pub(super) changes: i64,
    /// Queues that this member has, and their epochs.
    pub(super) mine: Vec<(i64, i64)>,
    /// Those of them that another one should have.
    pub(super) to_hand_over: Vec<i64>,
    pub(super) claimed: Vec<Claimed>,
}

/// Renews the lease and looks what is new.
pub(super) async fn renew<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    identity: &Identity,
) -> sqlx::Result<Renewed> {
    let arguments = args![identity.group, &identity.member, micros(identity.lease)];
    let alive = DB::execute(connection, RENEW, arguments).await? > 0;
    let rows = DB::rows(connection, LOOK, args![identity.group]).await?;
    let Some(row) = rows.first() else {
        return Ok(Renewed::GroupRemoved);
    };
    if !alive {
        return Ok(Renewed::Expired);
    }
    Ok(Renewed::Member {
        changes: row.int(0)?,
        paused: row.flag(1)?,
        overdue: row.int(2)? > 0,
    })
}

/// Joins, and makes the others look.
pub(super) async fn join<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    identity: &Identity,
) -> sqlx::Result<Renewed> {
    let mut tx = connection.begin_with(DB::BEGIN_DURABLE).await?;
    if groups::lock::<DB>(&mut tx, identity.group).await?.is_none() {
        return Ok(Renewed::GroupRemoved);
    }
    let topics = serde_json::json!(identity.topics).to_string();
    let arguments = args![identity.group, &identity.member, &topics, micros(identity.lease)];
    DB::execute(&mut tx, JOIN, arguments).await?;
    DB::execute(&mut tx, SEEN, args![identity.group]).await?;
    groups::tell::<DB>(&mut tx, identity.group).await?;
    tx.commit().await?;
    renew::<DB>(connection, identity).await
}

/// Notes that the group has members.
pub(super) async fn seen<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    identity: &Identity,
) -> sqlx::Result<()> {
    DB::execute(connection, SEEN, args![identity.group])
        .await
        .map(drop)
}

/// Removes members that are overdue, and takes this member's share of what is free. All members compute the same shares
/// from the same rows; the group's lock lets one do it at a time. `None`: the group was removed.
pub(super) async fn share_out<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    identity: &Identity,
) -> sqlx::Result<Option<Shares>> {
    let group = identity.group;
    let mut tx = connection.begin_with(DB::BEGIN_DURABLE).await?;
    let Some(changes) = groups::lock::<DB>(&mut tx, group).await? else {
        return Ok(None);
    };
    let mut shares = Shares {
        changes,
        ..Shares::default()
    };
    let expired = DB::execute(&mut tx, EXPIRE, args![group]).await?;
    let orphans = free_orphans::<DB>(&mut tx, group).await?;
    if expired > 0 || orphans > 0 {
        groups::tell::<DB>(&mut tx, group).await?;
    }
    let members = members::<DB>(&mut tx, group).await?;
    if members.contains_key(&*identity.member) {
        let rows = DB::rows(&mut tx, SHARES, args![group]).await?;
        let mut queues = Vec::with_capacity(rows.len());
        for row in &rows {
            if !row.flag(6)? {
                queues.push(Share {
                    queue: row.int(0)?,
                    topic_key: topic_key(row.int(1)?),
                    topic: row.text(2)?.into(),
                    number: u32::try_from(row.int(3)?).unwrap_or(0),
                    owner: row.maybe_text(4)?,
                    epoch: row.int(5)?,
                });
            }
        }
        let mut free = Vec::new();
        for (share, wanted) in queues.iter().zip(decide(&members, &queues, &identity.member)) {
            match wanted {
                Wanted::Keep => shares.mine.push((share.queue, share.epoch)),
                Wanted::HandOver => {
                    shares.mine.push((share.queue, share.epoch));
                    shares.to_hand_over.push(share.queue);
                }
                Wanted::Claim => free.push(share),
                Wanted::Leave => {}
            }
        }
        claim::<DB>(&mut tx, identity, &free, &mut shares).await?;
    }
    tx.commit().await?;
    Ok(Some(shares))
}

/// Frees the queues of members that are gone. Returns how many.
async fn free_orphans<DB: QueueDatabase>(connection: &mut DB::Connection, group: i64) -> sqlx::Result<usize> {
    // Looked for before anything is changed: an UPDATE that looks for them waits for owners that are well.
    let mut orphans: Vec<(i64, i64)> = Vec::new();
    for row in DB::rows(connection, ORPHANS, args![group]).await? {
        orphans.push((row.int(0)?, row.int(1)?));
    }
    if !orphans.is_empty() {
        let list = serde_json::json!(orphans).to_string();
        DB::execute(connection, FREE, args![group, WINDOW_ROWS, CAREFUL_ROWS, &list]).await?;
    }
    Ok(orphans.len())
}

/// Takes free queues.
async fn claim<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    identity: &Identity,
    free: &[&Share],
    shares: &mut Shares,
) -> sqlx::Result<()> {
    if free.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = free.iter().map(|share| share.queue).collect();
    let ids = serde_json::json!(ids).to_string();
    let rows = DB::rows(connection, CLAIM, args![identity.group, &ids, &identity.member]).await?;
    for row in &rows {
        let (queue, epoch) = (row.int(0)?, row.int(1)?);
        shares.mine.push((queue, epoch));
        if let Some(share) = free.iter().find(|share| share.queue == queue) {
            shares.claimed.push(Claimed {
                queue,
                topic: Arc::clone(&share.topic),
                number: share.number,
                epoch,
                place: row.int(2)?,
                deaths: u32::try_from(row.int(3)?).unwrap_or(0),
                suspect_to: row.int(4)?,
            });
        }
    }
    Ok(())
}

/// Gives queues back in good order, so that others may take them.
pub(super) async fn release<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    queues: &[(i64, i64)],
) -> sqlx::Result<()> {
    let pairs = serde_json::json!(queues).to_string();
    let mut tx = connection.begin_with(DB::BEGIN_DURABLE).await?;
    groups::lock::<DB>(&mut tx, group).await?;
    DB::execute(&mut tx, RELEASE, args![group, &pairs]).await?;
    groups::tell::<DB>(&mut tx, group).await?;
    tx.commit().await
}

/// Gives everything back and leaves the group.
pub(super) async fn leave<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    identity: &Identity,
    queues: &[(i64, i64)],
) -> sqlx::Result<()> {
    let pairs = serde_json::json!(queues).to_string();
    let mut tx = connection.begin_with(DB::BEGIN_DURABLE).await?;
    groups::lock::<DB>(&mut tx, identity.group).await?;
    DB::execute(&mut tx, RELEASE, args![identity.group, &pairs]).await?;
    DB::execute(&mut tx, LEAVE, args![identity.group, &identity.member]).await?;
    groups::tell::<DB>(&mut tx, identity.group).await?;
    tx.commit().await
}

async fn members<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
) -> sqlx::Result<BTreeMap<String, Vec<Arc<str>>>> {
    let rows = DB::rows(connection, MEMBERS, args![group]).await?;
    let mut members = BTreeMap::new();
    for row in &rows {
        let topics: Vec<i64> = serde_json::from_str(&row.text(1)?).unwrap_or_default();
        members.insert(row.text(0)?, topics.into_iter().map(topic_key).collect());
    }
    Ok(members)
}

/// Topics by their ids, as [`assign`] takes them.
fn topic_key(id: i64) -> Arc<str> {
    id.to_string().into()
}

/// A queue and who has it.
struct Share {
    queue: i64,
    topic_key: Arc<str>,
    topic: Arc<str>,
    number: u32,
    owner: Option<String>,
    epoch: i64,
}

/// What a member is to do about a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Keep,
    HandOver,
    Claim,
    Leave,
}

/// What `me` is to do about each queue, in their order. Pure.
fn decide(members: &BTreeMap<String, Vec<Arc<str>>>, queues: &[Share], me: &str) -> Vec<Wanted> {
    let subscribed: BTreeMap<&str, Vec<Arc<str>>> = members
        .iter()
        .map(|(member, topics)| (member.as_str(), topics.clone()))
        .collect();
    let name = |share: &Share| -> QueueName { (Arc::clone(&share.topic_key), share.number) };
    let mut owned: BTreeMap<QueueName, Option<&str>> = queues
        .iter()
        .map(|share| (name(share), share.owner.as_deref()))
        .collect();
    assign(&subscribed, &mut owned);
    let decide = |share: &Share| {
        let goal = owned.get(&name(share)).copied().flatten();
        match (share.owner.as_deref(), goal) {
            (Some(owner), Some(goal)) if owner == me && goal == me => Wanted::Keep,
            (Some(owner), _) if owner == me => Wanted::HandOver,
            (None, Some(goal)) if goal == me => Wanted::Claim,
            _ => Wanted::Leave,
        }
    };
    queues.iter().map(decide).collect()
}
