//! Retention: removes what is finished and old, in small steps.

use std::time::Duration;

use sqlx::Pool;

use crate::database::OutboxDatabase;
use crate::error::OutboxError;
use crate::purge_database::Purge;

#[cfg(feature = "maintenance")]
mod job;
#[cfg(feature = "maintenance")]
pub use job::Maintenance;

/// How long finished things are kept, by the database's clock. On by default: a table without bounds is what
/// grows unnoticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    archive: Duration,
    dead: Duration,
    discarded: Duration,
    queue: Duration,
    confirmations: Duration,
    batch: u32,
}

impl Retention {
    /// Delivered messages 7 days (where the relay archives them at all), dead letters 30 days, notes of
    /// discarded messages 90 days, messages of the durable queue that every group has gone past 7 days (from when they were
    /// appended; a topic may have a retention of its own), confirmations 30 days; 1,000 rows at a time.
    pub const DEFAULT: Self = Self {
        archive: Duration::from_secs(7 * 86_400),
        dead: Duration::from_secs(30 * 86_400),
        discarded: Duration::from_secs(90 * 86_400),
        queue: Duration::from_secs(7 * 86_400),
        confirmations: Duration::from_secs(30 * 86_400),
        batch: 1_000,
    };

    /// How long delivered messages stay in the archive. Default: 7 days.
    #[must_use]
    pub const fn archive(mut self, keep: Duration) -> Self {
        self.archive = keep;
        self
    }

    /// How long dead letters wait for a decision; then they are discarded, which leaves a note. Default: 30 days.
    #[must_use]
    pub const fn dead(mut self, keep: Duration) -> Self {
        self.dead = keep;
        self
    }

    /// How long the notes of discarded messages stay. Default: 90 days.
    #[must_use]
    pub const fn discarded(mut self, keep: Duration) -> Self {
        self.discarded = keep;
        self
    }

    /// How long messages of the durable queue are kept for groups that are still to come, where [`Maintenance`] was given
    /// one; `SqlQueue::purge` says what else keeps them. Default: 7 days.
    #[must_use]
    pub const fn queue(mut self, keep: Duration) -> Self {
        self.queue = keep;
        self
    }

    /// How long confirmations are kept; those of a message that still waits or is dead stay until it is settled. Default:
    /// 30 days.
    #[must_use]
    pub const fn confirmations(mut self, keep: Duration) -> Self {
        self.confirmations = keep;
        self
    }

    /// Most rows of one transaction. Default: 1,000; 0 counts as 1.
    #[must_use]
    pub const fn batch(mut self, rows: u32) -> Self {
        self.batch = if rows == 0 { 1 } else { rows };
        self
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What was removed so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// Delivered messages.
    pub archive: u64,
    /// Dead letters, which were discarded.
    pub dead: u64,
    /// Notes of discarded messages.
    pub discarded: u64,
    /// Messages of the durable queue, where [`Maintenance`] was given one.
    pub queue: u64,
    /// Confirmations.
    pub confirmations: u64,
    /// Nothing was done, because another process was at it.
    pub elsewhere: bool,
}

impl Purged {
    /// All together.
    pub fn total(&self) -> u64 {
        self.archive + self.dead + self.discarded + self.queue + self.confirmations
    }
}

/// Removes what is older than `retention` says, one small transaction after the other, and tells `progress`
/// after each. Postgres: one process at a time, another one returns at once with [`Purged::elsewhere`].
///
/// Dropping it is safe at any time: what was removed so far stays removed.
///
/// # Errors
/// The database can't be written.
pub async fn purge<DB: OutboxDatabase>(
    pool: &Pool<DB>,
    retention: &Retention,
    mut progress: impl FnMut(&Purged) + Send,
) -> Result<Purged, OutboxError> {
    let mut purged = Purged::default();
    let Some(mut connection) = DB::purge_alone(pool).await? else {
        purged.elsewhere = true;
        return Ok(purged);
    };
    for table in [
        Purge::Archive,
        Purge::Dead,
        Purge::Discarded,
        Purge::Confirmations,
    ] {
        let keep = match table {
            Purge::Archive => retention.archive,
            Purge::Dead => retention.dead,
            Purge::Discarded => retention.discarded,
            Purge::Confirmations => retention.confirmations,
        };
        let keep = i64::try_from(keep.as_micros()).map_or(LONGEST, |keep| keep.min(LONGEST));
        loop {
            let rows = DB::purge_batch(&mut connection, table, keep, retention.batch).await?;
            *count_of(&mut purged, table) += rows;
            if rows > 0 {
                progress(&purged);
            }
            if rows < u64::from(retention.batch) {
                break;
            }
        }
    }
    Ok(purged)
}

/// About 300 years in microseconds: more than that, and the databases' times overflow.
const LONGEST: i64 = 300 * 365 * 86_400 * 1_000_000;

fn count_of(purged: &mut Purged, table: Purge) -> &mut u64 {
    match table {
        Purge::Archive => &mut purged.archive,
        Purge::Dead => &mut purged.dead,
        Purge::Discarded => &mut purged.discarded,
        Purge::Confirmations => &mut purged.confirmations,
    }
}
