//! Where a group is in each queue: registered, found by time, moved.

use std::time::{SystemTime, UNIX_EPOCH};

use foldhash::HashMap;
use outbox_core::group::Start;
use sqlx::Pool;

use super::database::QueueDatabase;
use super::error::QueueError;
use super::groups;
use super::statement::{Statement, args, statement};
use super::topics::Topic;

const PLACES: Statement = statement!("queue_places");
const PLACE: Statement = statement!("queue_place");
const SEEK: Statement = statement!("queue_seek");
const SEEK_RETRIES: Statement = statement!("queue_seek_retries");
const APPENDED_AT: Statement = statement!("queue_appended_at");

/// A queue's ends, and where the group is in it.
struct Ends {
    queue: i64,
    /// The queue it was split off, and the offset from which on it has that one's keys.
    split: Option<(i64, i64)>,
    first: i64,
    next: i64,
    place: Option<i64>,
}

/// A place to go to.
struct Goal {
    queue: i64,
    offset: i64,
    /// The group comes to it only by way of the queue it was split off.
    waits: bool,
}

/// Registers the group for a topic; where it is registered already its places stay.
pub(super) async fn register<DB: QueueDatabase>(
    pool: &Pool<DB>,
    group: i64,
    topic: &Topic,
    start: Start,
) -> Result<(), QueueError> {
    let mut tx = DB::begin_own(pool).await?;
    let registered = register_in::<DB>(&mut tx, group, topic, start)
        .await
        .map_err(QueueError::database("registering a group"))?;
    if registered {
        DB::commit(tx).await?;
    }
    Ok(())
}

async fn register_in<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    topic: &Topic,
    start: Start,
) -> sqlx::Result<bool> {
    groups::lock::<DB>(connection, group).await?;
    let ends = ends::<DB>(connection, group, topic.id).await?;
    if ends.iter().any(|ends| ends.place.is_some()) {
        // A queue that was added meanwhile has been registered by whoever added it.
        return Ok(false);
    }
    for goal in goals::<DB>(connection, &ends, start).await? {
        DB::execute(
            connection,
            PLACE,
            args![group, goal.queue, goal.offset, goal.waits],
        )
        .await?;
    }
    groups::tell::<DB>(connection, group).await?;
    Ok(true)
}

/// Moves the group's places in a topic. Whoever has its queues is fenced, and its retries there are forgotten: what is
/// below the new places is finished, all from there on comes again.
pub(super) async fn seek<DB: QueueDatabase>(
    pool: &Pool<DB>,
    group: &str,
    topic: &Topic,
    start: Start,
) -> Result<(), QueueError> {
    let failed = || QueueError::database("moving a group");
    let mut tx = DB::begin_own(pool).await?;
    let Some(id) = groups::find::<DB>(&mut tx, group).await.map_err(failed())? else {
        return Err(QueueError::UnknownGroup {
            group: group.to_owned(),
        });
    };
    groups::lock::<DB>(&mut tx, id).await.map_err(failed())?;
    let ends = ends::<DB>(&mut tx, id, topic.id).await.map_err(failed())?;
    if ends.iter().all(|ends| ends.place.is_none()) {
        return Err(QueueError::NotSubscribed {
            group: group.to_owned(),
            topic: topic.name.to_string(),
        });
    }
    for goal in goals::<DB>(&mut tx, &ends, start).await.map_err(failed())? {
        DB::execute(&mut tx, SEEK, args![id, goal.queue, goal.offset, goal.waits])
            .await
            .map_err(failed())?;
        DB::execute(&mut tx, SEEK_RETRIES, args![id, goal.queue])
            .await
            .map_err(failed())?;
    }
    groups::tell::<DB>(&mut tx, id).await.map_err(failed())?;
    DB::commit(tx).await?;
    Ok(())
}

async fn ends<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    group: i64,
    topic: i64,
) -> sqlx::Result<Vec<Ends>> {
    let rows = DB::rows(connection, PLACES, args![group, topic]).await?;
    rows.iter()
        .map(|row| {
            Ok(Ends {
                queue: row.int(0)?,
                split: row.maybe_int(1)?.zip(row.maybe_int(2)?),
                first: row.int(3)?,
                next: row.int(4)?,
                place: row.maybe_int(5)?,
            })
        })
        .collect()
}

/// Where the group goes in each queue, those that were split off after those they were split from.
async fn goals<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    ends: &[Ends],
    start: Start,
) -> sqlx::Result<Vec<Goal>> {
    let mut goals = Vec::with_capacity(ends.len());
    let mut reached: HashMap<i64, (i64, bool)> = HashMap::default();
    for ends in ends {
        let offset = match start {
            Start::Beginning => ends.first,
            Start::At(time) => offset_at::<DB>(connection, ends, time).await?,
            // `Now`, and what is not known yet, which can't be reached without a newer core.
            _ => ends.next,
        };
        let waits = ends.split.is_some_and(|(parent, split)| {
            reached
                .get(&parent)
                .is_some_and(|&(place, parent_waits)| parent_waits || place < split)
        });
        reached.insert(ends.queue, (offset, waits));
        goals.push(Goal {
            queue: ends.queue,
            offset,
            waits,
        });
    }
    Ok(goals)
}

/// The first message that was appended at `time` or later, found by halving.
async fn offset_at<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    ends: &Ends,
    time: SystemTime,
) -> sqlx::Result<i64> {
    let time = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    let (mut low, mut high) = (ends.first, ends.next);
    while low < high {
        let middle = low + (high - low) / 2;
        let rows = DB::rows(connection, APPENDED_AT, args![ends.queue, middle]).await?;
        let found = rows
            .first()
            .map(|row| Ok::<_, sqlx::Error>((row.int(0)?, row.int(1)?)));
        match found.transpose()? {
            Some((offset, appended_at)) if appended_at < time => low = offset + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
