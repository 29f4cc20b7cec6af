//! Consumer groups as a whole: made, found, listed, paused, removed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::Pool;

use super::database::QueueDatabase;
use super::error::QueueError;
use super::statement::{Statement, args, statement};

const CREATE: Statement = statement!("queue_group_create");
const FIND: Statement = statement!("queue_group_find");
const LOCK: Statement = statement!("queue_group_lock");
const TELL: Statement = statement!("queue_group_tell");
const OF_TOPIC: Statement = statement!("queue_topic_groups");
const PAUSE: Statement = statement!("queue_group_pause");
const LIST: Statement = statement!("queue_group_list");
// The places before what owners write down under their locks: who settles is waited for, and finds nothing after.
const REMOVE: [Statement; 5] = [
    statement!("queue_group_remove_queue"),
    statement!("queue_group_remove_retry"),
    statement!("queue_group_remove_dead"),
    statement!("queue_group_remove_member"),
    statement!("queue_group_remove"),
];

const FORGET_PLACES: Statement = statement!("queue_group_forget_queue");
const FORGET: [Statement; 2] = [
    statement!("queue_group_forget_retry"),
    statement!("queue_group_forget_dead"),
];

/// Longer names would not be stored as they are by every database.
const NAME_MAX_BYTES: usize = 255;
/// Retries and dead letters are counted up to here: a count of a large table is a walk over it.
const COUNTED_MAX: i64 = 100_000;

/// A consumer group, and what it has still to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// Its name.
    pub name: String,
    /// Nothing is handed out.
    pub paused: bool,
    /// How many members have a valid lease.
    pub members: u64,
    /// When it last had a member, within a minute. A group that will never have one again keeps the retention from removing what it
    /// has not read: remove it.
    pub seen_at: SystemTime,
    /// Messages that it has neither finished nor put to its retries.
    pub unread: u64,
    /// Messages that failed and are tried again, and those behind them of their keys; counted up to 100,000.
    pub retrying: u64,
    /// Messages of its topics that are not due yet; counted up to 100,000.
    pub delayed: u64,
    /// Dead letters; counted up to 100,000. They are finished, until somebody redrives them.
    pub dead: u64,
}

impl GroupInfo {
    /// All that is not finished: dead letters do not count.
    pub fn backlog(&self) -> u64 {
        self.unread + self.retrying + self.delayed
    }
}

pub(super) fn check_name(group: &str) -> Result<(), QueueError> {
    if group.is_empty() {
        return Err(QueueError::GroupUnnamed);
    }
    if group.len() > NAME_MAX_BYTES {
        return Err(QueueError::GroupTooLong {
            bytes: group.len(),
            max: NAME_MAX_BYTES,
        });
    }
    Ok(())
}

/// The group's id, made where it is new.
pub(super) async fn ensure<DB: QueueDatabase>(pool: &Pool<DB>, name: &str) -> Result<i64, QueueError> {
    let failed = || QueueError::database("making a group");
    let mut tx = DB::begin_own(pool).await?;
    if let Some(id) = find::<DB>(&mut tx, name).await.map_err(failed())? {
        return Ok(id);
    }
    DB::execute(&mut tx, CREATE, args![name])
        .await
        .map_err(failed())?;
    let id = find::<DB>(&mut tx, name).await.map_err(failed())?;
    DB::commit(tx).await?;
    id.ok_or_else(|| QueueError::UnknownGroup {
        group: name.to_owned(),
    })
}

pub(crate) async fn find<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    name: &str,
) -> sqlx::Result<Option<i64>> {
    let rows = DB::rows(connection, FIND, args![name]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

/// Locks the group to the end of the transaction. `None`: there is no such group any more.
pub(crate) async fn lock<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
) -> sqlx::Result<Option<i64>> {
    let rows = DB::rows(connection, LOCK, args![group]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}

/// Makes the group's members look.
pub(crate) async fn tell<DB: QueueDatabase>(connection: &mut DB::Connection, group: i64) -> sqlx::Result<()> {
    DB::execute(connection, TELL, args![group]).await.map(drop)
}

/// The groups of a topic.
pub(super) async fn of_topic<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    topic: i64,
) -> sqlx::Result<Vec<i64>> {
    let rows = DB::rows(connection, OF_TOPIC, args![topic]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Makes the members of these groups look, and locks the groups to the end of the transaction.
pub(super) async fn tell_all<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    groups: &[i64],
) -> sqlx::Result<()> {
    // One by one and not by a statement that looks for them: that would wait for other topics' groups on its way.
    for &group in groups {
        tell::<DB>(connection, group).await?;
    }
    Ok(())
}

pub(super) async fn pause<DB: QueueDatabase>(
    pool: &Pool<DB>,
    name: &str,
    paused: bool,
) -> Result<(), QueueError> {
    let write = async {
        let mut connection = pool.acquire().await?;
        DB::execute(&mut connection, PAUSE, args![name, paused]).await
    };
    match write.await.map_err(QueueError::database("pausing a group"))? {
        0 => Err(QueueError::UnknownGroup {
            group: name.to_owned(),
        }),
        _ => Ok(()),
    }
}

pub(super) async fn list<DB: QueueDatabase>(
    pool: &Pool<DB>,
    name: Option<&str>,
) -> Result<Vec<GroupInfo>, QueueError> {
    let read = async {
        let mut connection = pool.acquire().await?;
        let rows = DB::rows(&mut connection, LIST, args![COUNTED_MAX, name]).await?;
        rows.iter()
            .map(|row| {
                Ok(GroupInfo {
                    name: row.text(0)?,
                    paused: row.flag(1)?,
                    members: row.int(2)?.unsigned_abs(),
                    seen_at: time(row.int(3)?),
                    unread: row.int(4)?.unsigned_abs(),
                    retrying: row.int(5)?.unsigned_abs(),
                    dead: row.int(6)?.unsigned_abs(),
                    delayed: row.int(7)?.unsigned_abs(),
                })
            })
            .collect::<sqlx::Result<_>>()
    };
    read.await.map_err(QueueError::database("listing groups"))
}

/// Removes a group with its retries and dead letters. Whether there was one.
pub(super) async fn remove<DB: QueueDatabase>(pool: &Pool<DB>, name: &str) -> Result<bool, QueueError> {
    let failed = || QueueError::database("removing a group");
    let mut tx = DB::begin_own(pool).await?;
    let Some(id) = find::<DB>(&mut tx, name).await.map_err(failed())? else {
        return Ok(false);
    };
    if lock::<DB>(&mut tx, id).await.map_err(failed())?.is_none() {
        return Ok(false);
    }
    for statement in REMOVE {
        DB::execute(&mut tx, statement, args![id])
            .await
            .map_err(failed())?;
    }
    DB::commit(tx).await?;
    Ok(true)
}

/// Removes a group's places in a topic, with its retries and dead letters there. Whether it had any.
pub(super) async fn forget_topic<DB: QueueDatabase>(
    pool: &Pool<DB>,
    name: &str,
    topic: i64,
) -> Result<bool, QueueError> {
    let failed = || QueueError::database("unsubscribing a group");
    let mut tx = DB::begin_own(pool).await?;
    let Some(id) = find::<DB>(&mut tx, name).await.map_err(failed())? else {
        return Err(QueueError::UnknownGroup {
            group: name.to_owned(),
        });
    };
    lock::<DB>(&mut tx, id).await.map_err(failed())?;
    let places = DB::execute(&mut tx, FORGET_PLACES, args![id, topic])
        .await
        .map_err(failed())?;
    for statement in FORGET {
        DB::execute(&mut tx, statement, args![id, topic])
            .await
            .map_err(failed())?;
    }
    tell::<DB>(&mut tx, id).await.map_err(failed())?;
    DB::commit(tx).await?;
    Ok(places > 0)
}

/// Microseconds since 1970 as a time.
pub(crate) fn time(micros: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros.max(0).unsigned_abs())
}
