//! Gives dead letters back: one, or all that a filter finds.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Pool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::filter::DeadLetterFilter;
use super::letter::DeadLetter;
use super::position::Position;
use super::rate::{Pace, Rate};
use super::source::Source;
use super::walk::{Walk, now, unknown};
use super::{find, no_letter};
use crate::dead::{self, Redriven};
use crate::dead_database::Deed;
use crate::error::OutboxError;
use crate::operator::{NEVER, REDRIVEN, check_by};
use crate::queue::dead::{Letter, Place, act};
use crate::queue::{QueueDatabase, groups};

/// Most messages of one transaction.
pub(super) const BATCH: u32 = 100;
/// Letters that are looked at between two batches: with a fingerprint, few of them may be meant.
pub(super) const LOOKS: u64 = 10_000;

/// How a redrive of many goes on.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RedriveOptions {
    /// How fast. Default: as fast as the database can.
    pub rate: Option<Rate>,
    /// Ends it between two batches when it is cancelled. Default: nothing does.
    pub stop: CancellationToken,
}

impl RedriveOptions {
    /// As fast as the database can, to the end.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most so fast.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Ends between two batches when this is cancelled.
    #[must_use]
    pub fn stop(mut self, stop: CancellationToken) -> Self {
        self.stop = stop;
        self
    }
}

/// How far a redrive or a discard of many is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Messages that were given back, or discarded.
    pub done: u64,
    /// Dead letters that were looked at.
    pub looked_at: u64,
    /// It was stopped before its end.
    pub stopped: bool,
}

pub(super) async fn one<DB: QueueDatabase>(
    pool: &Pool<DB>,
    position: &Position,
    by: &str,
) -> Result<(), OutboxError> {
    check_by(by)?;
    let letter = find(pool, position).await?;
    let batch = give_back(pool, std::slice::from_ref(&letter), by, NEVER).await?;
    match batch.parked_others {
        Some(others) => Err(OutboxError::KeyParked {
            id: letter.id,
            others,
        }),
        None if batch.done == 0 => Err(no_letter(position)),
        None => Ok(()),
    }
}

pub(super) async fn all<DB: QueueDatabase>(
    pool: &Pool<DB>,
    filter: &DeadLetterFilter,
    by: &str,
    options: &RedriveOptions,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Progress, OutboxError> {
    check_by(by)?;
    let now = now(pool).await?;
    // What dies again meanwhile is not redriven again.
    let until = now + 1;
    let mut walk = Walk::new(pool, filter, None, now).await?;
    let mut pace = Pace::new(options.rate, Instant::now());
    let most = options.rate.map_or(BATCH, |rate| rate.together(BATCH));
    let mut so_far = Progress::default();
    loop {
        let wait = tokio::time::sleep_until(pace.next_at());
        if options.stop.is_cancelled() || options.stop.run_until_cancelled(wait).await.is_none() {
            so_far.stopped = true;
            return Ok(so_far);
        }
        let found = walk.next(most, LOOKS).await?;
        so_far.looked_at += found.looked_at;
        let mut done = 0;
        for letters in found.letters.chunk_by(|a, b| a.source() == b.source()) {
            let batch = give_back(pool, letters, by, until).await?;
            done += batch.done;
            for (topic, key) in &batch.parked {
                done += dead::redrive_key(pool, topic, key, by).await?;
            }
        }
        so_far.done += done;
        pace.gone(done, Instant::now());
        if found.looked_at > 0 {
            progress(&so_far);
        }
        if found.next.is_none() {
            return Ok(so_far);
        }
    }
}

/// What came of giving some letters back.
#[derive(Default)]
struct Batch {
    done: u64,
    /// Keys that have to be redriven as a whole; nothing was done with their letters.
    parked: BTreeSet<(String, String)>,
    /// How many others the last one of these keys has.
    parked_others: Option<i64>,
}

/// Gives letters of one source back in one transaction, those that are still there and died before `until`.
async fn give_back<DB: QueueDatabase>(
    pool: &Pool<DB>,
    letters: &[DeadLetter],
    by: &str,
    until: i64,
) -> Result<Batch, OutboxError> {
    let Some(first) = letters.first() else {
        return Ok(Batch::default());
    };
    let deed = Deed {
        action: REDRIVEN,
        by,
        reason: None,
    };
    let mut tx = DB::begin_own(pool).await?;
    let batch = match first.source() {
        Source::Outbox => from_outbox::<DB>(&mut tx, letters, deed, until).await?,
        Source::Group(_) => Batch {
            done: in_group::<DB>(&mut tx, letters, deed, until).await?,
            ..Batch::default()
        },
    };
    DB::commit(tx).await?;
    Ok(batch)
}

async fn from_outbox<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    letters: &[DeadLetter],
    deed: Deed<'_>,
    until: i64,
) -> Result<Batch, OutboxError> {
    // The shards in their order, as whoever locks several does.
    let mut lowest = BTreeMap::new();
    for letter in letters {
        let (row, _) = letter.position.numbers();
        let low = lowest.entry(letter.shard).or_insert(row);
        *low = row.min(*low);
    }
    for (&shard, &row) in &lowest {
        DB::rewind(connection, shard, row).await?;
    }
    let mut batch = Batch::default();
    for letter in letters {
        let (row, _) = letter.position.numbers();
        let key = letter.key.as_deref();
        if let Some(key) = key
            && batch.parked.contains(&(letter.topic.clone(), key.to_owned()))
        {
            continue;
        }
        match dead::redrive_one::<DB>(connection, row, &letter.topic, key, deed, until).await? {
            Redriven::Back => batch.done += 1,
            Redriven::Gone => {}
            Redriven::Parked { others } => {
                batch.parked_others = Some(others);
                batch
                    .parked
                    .insert((letter.topic.clone(), key.unwrap_or_default().to_owned()));
            }
        }
    }
    Ok(batch)
}

/// Does it with letters of one group, under its lock, and makes its members look.
pub(super) async fn in_group<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    letters: &[DeadLetter],
    deed: Deed<'_>,
    until: i64,
) -> Result<u64, OutboxError> {
    let failed = || OutboxError::database("moving dead letters");
    let Some(first) = letters.first() else {
        return Ok(0);
    };
    let Source::Group(name) = first.source() else {
        return Ok(0);
    };
    let group = groups::find::<DB>(connection, name).await.map_err(failed())?;
    let group = group.ok_or_else(|| unknown(first.source()))?;
    groups::lock::<DB>(connection, group).await.map_err(failed())?;
    let mut done = 0;
    for letter in letters {
        let (queue, offset) = letter.position.numbers();
        let letter = Letter {
            group,
            group_name: name,
            place: Place { queue, offset },
            topic: &letter.topic,
            key: letter.key.clone(),
        };
        done += act::<DB>(connection, &letter, deed, until)
            .await
            .map_err(failed())?;
    }
    groups::tell::<DB>(connection, group).await.map_err(failed())?;
    Ok(done)
}
