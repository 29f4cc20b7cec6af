//! A group's dead letters: listed, shown, redriven, discarded.

use std::sync::Arc;
use std::time::SystemTime;

use outbox_core::group::placement::{key_hash, queue_of};
use outbox_core::{Message, MessageId};
use sqlx::Pool;

use super::database::QueueDatabase;
use super::error::QueueError;
use super::groups;
use super::read::{PageBuilder, StoredMessage};
use super::statement::{Cells, Statement, args, statement};
use crate::dead_database::Deed;
use crate::operator::{DISCARDED, NEVER, REDRIVEN, check_by, check_reason};

const LIST: Statement = statement!("queue_dead_list");
const CONTENT: Statement = statement!("queue_dead_content");
const FIND: Statement = statement!("queue_dead_find");
const AUDIT: Statement = statement!("audit_group_dead");
const REDRIVE: Statement = statement!("queue_dead_redrive");
const REMOVE: Statement = statement!("queue_dead_remove");
const NOW: Statement = statement!("queue_now");
const LINEAGE: Statement = statement!("queue_lineage");

/// Dead letters are redriven in transactions of so many.
const BATCH: i64 = 500;

/// Which dead letters of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupDeadFilter {
    /// Only of this topic.
    pub topic: Option<String>,
    /// Only of this key.
    pub key: Option<String>,
    /// Only after this one, of the page before.
    pub after: Option<Place>,
}

impl GroupDeadFilter {
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only of this topic.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only of this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only after this one.
    #[must_use]
    pub fn after(mut self, place: Place) -> Self {
        self.after = Some(place);
        self
    }
}

/// Where in the database's queues a message is. Places grow in the order of each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub(crate) queue: i64,
    pub(crate) offset: i64,
}

/// A message that a group gave up on, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupDeadLetter {
    /// Where it is.
    pub place: Place,
    /// The message's id.
    pub id: MessageId,
    /// Its topic.
    pub topic: String,
    /// The number of the queue it was in.
    pub queue: u32,
    /// Its offset there, which it keeps when it is redriven.
    pub offset: u64,
    /// Its key.
    pub key: Option<String>,
    /// How many attempts were made, the last one included.
    pub attempts: u32,
    /// What was wrong at the last one.
    pub error: Option<String>,
    /// When it was created, by its sender's clock.
    pub created_at: SystemTime,
    /// When it died, by the database's clock.
    pub died_at: SystemTime,
    /// How long its payload is.
    pub payload_bytes: u64,
}

pub(super) async fn list<DB: QueueDatabase>(
    pool: &Pool<DB>,
    group: &str,
    filter: &GroupDeadFilter,
    limit: u32,
) -> Result<Vec<GroupDeadLetter>, QueueError> {
    let mut connection = pool.acquire().await.map_err(QueueError::database("connecting"))?;
    let id = known::<DB>(&mut connection, group).await?;
    page::<DB>(&mut connection, id, filter, i64::from(limit)).await
}

async fn known<DB: QueueDatabase>(connection: &mut DB::Connection, group: &str) -> Result<i64, QueueError> {
    let found = groups::find::<DB>(connection, group)
        .await
        .map_err(QueueError::database("looking for a group"))?;
    found.ok_or_else(|| QueueError::UnknownGroup {
        group: group.to_owned(),
    })
}

async fn page<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    filter: &GroupDeadFilter,
    limit: i64,
) -> Result<Vec<GroupDeadLetter>, QueueError> {
    let after = filter.after.unwrap_or(Place {
        queue: -1,
        offset: -1,
    });
    let arguments = args![
        group,
        after.queue,
        after.offset,
        filter.topic.as_deref(),
        filter.key.as_deref(),
        limit
    ];
    let rows = DB::rows(connection, LIST, arguments).await;
    rows.and_then(|rows| rows.iter().map(letter).collect())
        .map_err(QueueError::database("listing dead letters"))
}

fn letter<DB: QueueDatabase>(row: &Cells<DB>) -> sqlx::Result<GroupDeadLetter> {
    let number = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
    Ok(GroupDeadLetter {
        place: Place {
            queue: row.int(2)?,
            offset: row.int(3)?,
        },
        id: MessageId(row.id(4)?),
        topic: row.text(0)?,
        queue: number(row.int(1)?),
        offset: row.int(3)?.unsigned_abs(),
        key: row.maybe_text(5)?,
        attempts: number(row.int(6)?),
        error: row.maybe_text(7)?,
        created_at: groups::time(row.int(8)?),
        died_at: groups::time(row.int(9)?),
        payload_bytes: row.int(10)?.unsigned_abs(),
    })
}

/// The message of a dead letter, with its content.
pub(super) async fn message<DB: QueueDatabase>(
    pool: &Pool<DB>,
    group: &str,
    letter: &GroupDeadLetter,
) -> Result<Option<Message>, QueueError> {
    let failed = || QueueError::database("reading a dead letter");
    let mut connection = pool.acquire().await.map_err(failed())?;
    let id = known::<DB>(&mut connection, group).await?;
    let rows = DB::rows(
        &mut connection,
        CONTENT,
        args![id, letter.place.queue, letter.place.offset],
    )
    .await
    .map_err(failed())?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let (payload, headers) = (row.bytes(0).map_err(failed())?, row.text(1).map_err(failed())?);
    let mut page = PageBuilder::new([(letter.place.queue, Arc::from(letter.topic.as_str()))]);
    let since = letter
        .created_at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    page.take(StoredMessage {
        queue: letter.place.queue,
        offset: letter.place.offset,
        message_id: letter.id.0.as_bytes(),
        key: letter.key.as_deref().map(str::as_bytes),
        payload: &payload,
        headers: headers.as_bytes(),
        created_at: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
    });
    Ok(page.rows.pop().map(|row| row.message))
}

/// Gives the dead letters of one message back. Returns how many there were: more than one if it was published twice.
pub(super) async fn redrive_one<DB: QueueDatabase>(
    pool: &Pool<DB>,
    group: &str,
    message: MessageId,
    by: &str,
) -> Result<u64, QueueError> {
    check_by(by)?;
    let deed = Deed {
        action: REDRIVEN,
        by,
        reason: None,
    };
    each(pool, group, message, deed).await
}

/// Throws the dead letters of one message away. Returns how many there were.
pub(super) async fn discard_one<DB: QueueDatabase>(
    pool: &Pool<DB>,
    group: &str,
    message: MessageId,
    reason: &str,
    by: &str,
) -> Result<u64, QueueError> {
    check_reason(reason)?;
    check_by(by)?;
    let deed = Deed {
        action: DISCARDED,
        by,
        reason: Some(reason),
    };
    each(pool, group, message, deed).await
}

async fn each<DB: QueueDatabase>(
    pool: &Pool<DB>,
    group: &str,
    message: MessageId,
    deed: Deed<'_>,
) -> Result<u64, QueueError> {
    let failed = || QueueError::database("moving a dead letter");
    let mut tx = DB::begin_own(pool).await?;
    let id = known::<DB>(&mut tx, group).await?;
    groups::lock::<DB>(&mut tx, id).await.map_err(failed())?;
    let rows = DB::rows(&mut tx, FIND, args![id, message.0])
        .await
        .map_err(failed())?;
    let mut count = 0;
    for row in &rows {
        let letter = Letter {
            group: id,
            group_name: group,
            place: Place {
                queue: row.int(0).map_err(failed())?,
                offset: row.int(1).map_err(failed())?,
            },
            topic: &row.text(3).map_err(failed())?,
            key: row.maybe_text(2).map_err(failed())?,
        };
        count += act::<DB>(&mut tx, &letter, deed, NEVER).await.map_err(failed())?;
    }
    groups::tell::<DB>(&mut tx, id).await.map_err(failed())?;
    DB::commit(tx).await?;
    Ok(count)
}

/// One dead letter of a group, as what is done with it needs it.
pub(crate) struct Letter<'a> {
    pub(crate) group: i64,
    pub(crate) group_name: &'a str,
    pub(crate) place: Place,
    pub(crate) topic: &'a str,
    pub(crate) key: Option<String>,
}

/// Does it with a dead letter that had died before `until` (microseconds since 1970), and notes it. Returns 0 where there is
/// none. The group is locked.
pub(crate) async fn act<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    letter: &Letter<'_>,
    deed: Deed<'_>,
    until: i64,
) -> sqlx::Result<u64> {
    let source = format!("group:{}", letter.group_name);
    let arguments = args![
        letter.group,
        letter.place.queue,
        letter.place.offset,
        &source,
        letter.topic,
        deed.action,
        deed.by,
        deed.reason,
        until
    ];
    if DB::execute(connection, AUDIT, arguments).await? == 0 {
        return Ok(0);
    }
    match deed.action {
        DISCARDED => remove::<DB>(connection, letter.group, letter.place).await,
        _ => give_back::<DB>(connection, letter.group, letter.place, letter.key.as_deref()).await,
    }
}

/// Gives all that the filter finds back, those of a key in their order, some hundreds in a transaction. Tells `progress`
/// how many after each.
pub(super) async fn redrive_all<DB: QueueDatabase>(
    pool: &Pool<DB>,
    group: &str,
    filter: &GroupDeadFilter,
    by: &str,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<u64, QueueError> {
    let failed = || QueueError::database("redriving dead letters");
    check_by(by)?;
    let deed = Deed {
        action: REDRIVEN,
        by,
        reason: None,
    };
    let mut total = 0;
    let mut filter = filter.clone();
    // What dies again meanwhile is not redriven again; by the clock that says when it died.
    let until = {
        let mut connection = pool.acquire().await.map_err(failed())?;
        let rows = DB::rows(&mut connection, NOW, &[]).await.map_err(failed())?;
        let now = rows.first().map(|row| row.int(0)).transpose().map_err(failed())?;
        groups::time(now.unwrap_or(i64::MAX))
    };
    loop {
        let mut tx = DB::begin_own(pool).await?;
        let id = known::<DB>(&mut tx, group).await?;
        groups::lock::<DB>(&mut tx, id).await.map_err(failed())?;
        let page = page::<DB>(&mut tx, id, &filter, BATCH).await?;
        let Some(last) = page.last() else {
            return Ok(total);
        };
        filter.after = Some(last.place);
        for letter in page.iter().filter(|letter| letter.died_at <= until) {
            let letter = Letter {
                group: id,
                group_name: group,
                place: letter.place,
                topic: &letter.topic,
                key: letter.key.clone(),
            };
            total += act::<DB>(&mut tx, &letter, deed, NEVER).await.map_err(failed())?;
        }
        groups::tell::<DB>(&mut tx, id).await.map_err(failed())?;
        DB::commit(tx).await?;
        progress(total);
    }
}

/// Puts a dead letter to the retries, in the queue where the group has its key now.
async fn give_back<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    place: Place,
    key: Option<&str>,
) -> sqlx::Result<u64> {
    let mut target = place.queue;
    if let Some(key) = key {
        let rows = DB::rows(connection, LINEAGE, args![group, place.queue]).await?;
        let mut open = Vec::with_capacity(rows.len());
        for row in &rows {
            let number = |column| Ok::<_, sqlx::Error>(u32::try_from(row.int(column)?).unwrap_or(1));
            open.push((row.int(0)?, number(1)?, number(2)?, number(3)?, !row.flag(4)?));
        }
        // As the topic was with fewer and fewer queues: the first that the group has opened is the one.
        for (_, _, siblings, initial, _) in open.iter().take(1) {
            for queues in (*initial..=*siblings).rev() {
                let number = queue_of(key_hash(key), *initial, queues);
                if let Some(&(queue, .., true)) = open.iter().find(|(_, other, ..)| *other == number) {
                    target = queue;
                    break;
                }
            }
        }
    }
    DB::execute(
        connection,
        REDRIVE,
        args![group, place.queue, place.offset, target],
    )
    .await?;
    remove::<DB>(connection, group, place).await
}

async fn remove<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    place: Place,
) -> sqlx::Result<u64> {
    DB::execute(connection, REMOVE, args![group, place.queue, place.offset]).await
}
