//! Topics and their queues: declared, found, and grown.

use std::sync::Arc;

use outbox_core::group::placement::{key_hash, parent_of, queue_of};
use outbox_core::{Message, MessageId};
use sqlx::Pool;

use super::database::QueueDatabase;
use super::error::QueueError;
use super::groups;
use super::statement::{Statement, args, statement};

const FIND: Statement = statement!("queue_topic_find");
const CREATE: Statement = statement!("queue_topic_create");
const CREATE_QUEUES: Statement = statement!("queue_create");
const LIST: Statement = statement!("queue_topics");
const RETENTION: Statement = statement!("queue_topic_retention");
const GROW_LOCK: Statement = statement!("queue_grow_lock");
const GROW_ADD: Statement = statement!("queue_grow_add");
const GROW_SIBLINGS: Statement = statement!("queue_grow_siblings");
const GROW_GROUPS: Statement = statement!("queue_grow_groups");

/// How many queues a topic has that was not declared.
pub(super) const DEFAULT_QUEUES: u32 = 8;
/// Most queues of one topic.
pub(super) const MAX_QUEUES: u32 = 1_024;

/// A topic as appending sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) id: i64,
    pub(super) name: Arc<str>,
    /// How many queues it was created with.
    pub(super) initial: u32,
    /// Its queues, by number.
    pub(super) queues: Vec<i64>,
}

impl Topic {
    /// The number of the queue a message belongs to: its key's, or any where it has no key.
    pub(super) fn number_of(&self, message: &Message) -> usize {
        let hash = match message.key() {
            Some(key) => key_hash(key),
            None => spread(message.id()),
        };
        queue_of(hash, self.initial, self.len()) as usize
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.queues.len()).unwrap_or(u32::MAX)
    }
}

/// The last bytes of an id are random, also of one that begins with the time.
fn spread(id: MessageId) -> u32 {
    let bytes = id.0.as_bytes();
    u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
}

/// A topic and what it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// How many queues it has.
    pub queues: u32,
    /// How many messages are kept, read or not.
    pub messages: u64,
    /// How long messages are kept at least; `None`: as the retention says that is run.
    pub retention: Option<std::time::Duration>,
}

pub(super) async fn find<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    name: &Arc<str>,
) -> sqlx::Result<Option<Topic>> {
    let rows = DB::rows(connection, FIND, args![&**name]).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Topic {
        id: first.int(0)?,
        name: Arc::clone(name),
        initial: u32::try_from(first.int(1)?).unwrap_or(1),
        queues: rows.iter().map(|row| row.int(2)).collect::<Result<_, _>>()?,
    }))
}

/// The topic, made with so many queues where it is new.
pub(super) async fn ensure<DB: QueueDatabase>(
    pool: &Pool<DB>,
    name: &Arc<str>,
    queues: u32,
) -> Result<Topic, QueueError> {
    let doing = "declaring a topic";
    let mut tx = DB::begin_own(pool).await?;
    DB::execute(&mut tx, CREATE, args![&**name, i64::from(queues)])
        .await
        .map_err(QueueError::database(doing))?;
    DB::execute(&mut tx, CREATE_QUEUES, args![&**name])
        .await
        .map_err(QueueError::database(doing))?;
    let found = find::<DB>(&mut tx, name)
        .await
        .map_err(QueueError::database(doing))?;
    DB::commit(tx).await?;
    found.ok_or_else(|| QueueError::UnknownTopic {
        topic: name.to_string(),
    })
}

pub(super) async fn list<DB: QueueDatabase>(pool: &Pool<DB>) -> Result<Vec<TopicInfo>, QueueError> {
    let read = async {
        let mut connection = pool.acquire().await?;
        let rows = DB::rows(&mut connection, LIST, &[]).await?;
        rows.iter()
            .map(|row| {
                Ok(TopicInfo {
                    name: row.text(0)?,
                    queues: u32::try_from(row.int(1)?).unwrap_or(u32::MAX),
                    messages: row.int(2)?.unsigned_abs(),
                    retention: row
                        .maybe_int(3)?
                        .map(|micros| std::time::Duration::from_micros(micros.unsigned_abs())),
                })
            })
            .collect::<sqlx::Result<_>>()
    };
    read.await.map_err(QueueError::database("listing topics"))
}

/// How long a topic's messages are kept. Whether there is such a topic.
pub(super) async fn set_retention<DB: QueueDatabase>(
    pool: &Pool<DB>,
    name: &str,
    micros: Option<i64>,
) -> Result<bool, QueueError> {
    let write = async {
        let mut connection = pool.acquire().await?;
        DB::execute(&mut connection, RETENTION, args![name, micros]).await
    };
    Ok(write
        .await
        .map_err(QueueError::database("setting a topic's retention"))?
        > 0)
}

/// Gives a topic more queues. Each new one takes a part of one older queue's keys over, from the offset at which that
/// one is now; its own offsets begin there, so that a key's messages keep growing offsets.
pub(super) async fn grow<DB: QueueDatabase>(
    pool: &Pool<DB>,
    name: &Arc<str>,
    queues: u32,
) -> Result<(), QueueError> {
    for tries in 1.. {
        let mut tx = DB::begin_own(pool).await?;
        match grow_in::<DB>(&mut tx, name, queues, tries == GROW_TRIES).await? {
            Grown::Yes => return DB::commit(tx).await.map_err(QueueError::from),
            Grown::AsItWas => break,
            Grown::Again => {
                let undone = tx.rollback().await;
                undone.map_err(QueueError::database("growing a topic"))?;
            }
        }
    }
    Ok(())
}

/// What came of a try.
enum Grown {
    Yes,
    AsItWas,
    /// A group registered before the queues were locked: it would be locked after them, while whoever works on it wants
    /// them the other way round.
    Again,
}

/// How often growing begins again for groups that register meanwhile. The last time they are taken as they come, at the
/// risk of a deadlock.
const GROW_TRIES: u32 = 10;

async fn grow_in<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    name: &Arc<str>,
    queues: u32,
    last: bool,
) -> Result<Grown, QueueError> {
    let failed = || QueueError::database("growing a topic");
    let Some(topic) = find::<DB>(connection, name).await.map_err(failed())? else {
        return Err(QueueError::UnknownTopic {
            topic: name.to_string(),
        });
    };
    // The groups first, as everywhere.
    let told = groups::of_topic::<DB>(connection, topic.id)
        .await
        .map_err(failed())?;
    groups::tell_all::<DB>(connection, &told)
        .await
        .map_err(failed())?;
    let rows = DB::rows(connection, GROW_LOCK, args![topic.id])
        .await
        .map_err(failed())?;
    // By number: a queue's id grows with it.
    let mut ends: Vec<(i64, i64)> = Vec::with_capacity(queues as usize);
    for row in &rows {
        ends.push((row.int(0).map_err(failed())?, row.int(1).map_err(failed())?));
    }
    let has = u32::try_from(ends.len()).unwrap_or(u32::MAX);
    if queues < has {
        return Err(QueueError::TopicShrinks {
            topic: name.to_string(),
            queues: has,
            asked: queues,
        });
    }
    if queues == has {
        return Ok(Grown::AsItWas);
    }
    // Who registers has the queues locked in share mode until it is done, so by now all are seen.
    let mut late = groups::of_topic::<DB>(connection, topic.id)
        .await
        .map_err(failed())?;
    late.retain(|group| !told.contains(group));
    if !late.is_empty() && !last {
        return Ok(Grown::Again);
    }
    for number in has..queues {
        let parent = parent_of(number, topic.initial).and_then(|parent| ends.get(parent as usize).copied());
        let Some((parent, split)) = parent else {
            return Err(QueueError::UnknownTopic {
                topic: name.to_string(),
            });
        };
        let arguments = args![topic.id, i64::from(number), i64::from(queues), parent, split];
        let added = DB::rows(connection, GROW_ADD, arguments)
            .await
            .map_err(failed())?;
        let id = added
            .first()
            .map(|row| row.int(0))
            .transpose()
            .map_err(failed())?;
        ends.push((id.unwrap_or_default(), split));
    }
    for (statement, arguments) in [
        (GROW_SIBLINGS, args![topic.id, i64::from(queues)] as &[_]),
        (GROW_GROUPS, args![topic.id]),
    ] {
        DB::execute(connection, statement, arguments)
            .await
            .map_err(failed())?;
    }
    groups::tell_all::<DB>(connection, &late)
        .await
        .map_err(failed())?;
    Ok(Grown::Yes)
}

/// Checks a number of queues.
pub(super) fn check_queues(topic: &str, queues: u32) -> Result<(), QueueError> {
    if queues == 0 || queues > MAX_QUEUES {
        return Err(QueueError::QueuesOutOfRange {
            topic: topic.to_owned(),
            queues,
        });
    }
    Ok(())
}
