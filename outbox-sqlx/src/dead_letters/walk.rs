//! The way through all dead letters that a filter may find, in pages, from source to source.

use sqlx::Pool;

use super::filter::{DeadLetterFilter, Died};
use super::letter::{DeadLetter, letter};
use super::position::Position;
use super::source::Source;
use crate::dead::DeadReason;
use crate::error::OutboxError;
use crate::queue::statement::{Statement, args, statement};
use crate::queue::{QueueDatabase, groups};

const OUTBOX: Statement = statement!("letters_outbox");
const GROUP: Statement = statement!("letters_group");
const NEXT_GROUP: Statement = statement!("letters_next_group");
const NOW: Statement = statement!("letters_now");

/// Most letters of one statement.
const STEP_ROWS: u32 = 1_000;
/// At least so many where only some of them may be meant.
const STEP_ROWS_MIN: u32 = 100;

/// The clock that says when a letter dies, in microseconds since 1970.
pub(super) async fn now<DB: QueueDatabase>(pool: &Pool<DB>) -> Result<i64, OutboxError> {
    let failed = || OutboxError::database("asking for the time");
    let mut connection = pool.acquire().await.map_err(failed())?;
    let rows = DB::rows(&mut connection, NOW, &[]).await.map_err(failed())?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound);
    row.and_then(|row| row.int(0)).map_err(failed())
}

/// Where it is, and what it looks for.
pub(super) struct Walk<'a, DB: QueueDatabase> {
    pool: &'a Pool<DB>,
    filter: &'a DeadLetterFilter,
    died: Died,
    /// Those asked for, in order; none: all.
    sources: Vec<Source>,
    /// What comes next is after this.
    at: Option<Position>,
}

/// Some of what a walk has found.
pub(super) struct Found {
    pub(super) letters: Vec<DeadLetter>,
    /// How many letters were looked at.
    pub(super) looked_at: u64,
    /// Where to go on; `None` at the end.
    pub(super) next: Option<Position>,
}

impl<'a, DB: QueueDatabase> Walk<'a, DB> {
    /// From `after` on, or from the beginning. `now` is what ages are counted from.
    pub(super) async fn new(
        pool: &'a Pool<DB>,
        filter: &'a DeadLetterFilter,
        after: Option<&Position>,
        now: i64,
    ) -> Result<Self, OutboxError> {
        let mut sources = filter.sources.clone();
        sources.sort_unstable();
        sources.dedup();
        let mut walk = Self {
            pool,
            filter,
            died: filter.died(now),
            sources,
            at: None,
        };
        walk.at = match after {
            Some(after) if walk.sources.is_empty() || walk.sources.contains(after.source()) => {
                Some(after.clone())
            }
            Some(after) => walk
                .source_after(Some(after.source()))
                .await?
                .map(Position::start),
            None => walk.source_after(None).await?.map(Position::start),
        };
        Ok(walk)
    }

    /// The next that the filter finds: at most `limit`, and after a look at no more than about `looks` letters.
    pub(super) async fn next(&mut self, limit: u32, looks: u64) -> Result<Found, OutboxError> {
        let mut found = Found {
            letters: Vec::new(),
            looked_at: 0,
            next: None,
        };
        while let Some(at) = self.at.clone() {
            let wanted = limit.saturating_sub(found.letters.len().try_into().unwrap_or(u32::MAX));
            if wanted == 0 || found.looked_at >= looks {
                break;
            }
            // All that the statement finds is found, unless the fingerprint says more.
            let rows = match self.filter.fingerprint {
                None => wanted.min(STEP_ROWS),
                Some(_) => wanted.saturating_mul(10).clamp(STEP_ROWS_MIN, STEP_ROWS),
            };
            let letters = self.step(&at, rows).await?;
            let is_last = letters.len() < rows as usize;
            let mut is_enough = false;
            for letter in letters {
                self.at = Some(letter.position.clone());
                found.looked_at += 1;
                if self
                    .filter
                    .fingerprint
                    .is_none_or(|wanted| wanted == letter.fingerprint)
                {
                    found.letters.push(letter);
                    is_enough = found.letters.len() >= limit as usize;
                }
                if is_enough {
                    break;
                }
            }
            if is_last && !is_enough {
                self.at = self.source_after(Some(at.source())).await?.map(Position::start);
            }
        }
        found.next.clone_from(&self.at);
        Ok(found)
    }

    /// Letters of one source, after one.
    async fn step(&self, after: &Position, rows: u32) -> Result<Vec<DeadLetter>, OutboxError> {
        let failed = || OutboxError::database("listing dead letters");
        let mut connection = self.pool.acquire().await.map_err(failed())?;
        match page::<DB>(&mut connection, self.filter, self.died, after, rows).await? {
            Some(letters) => Ok(letters),
            // It was removed while its letters were walked through, or it was asked for and never was.
            None if self.sources.is_empty() => Ok(Vec::new()),
            None => Err(unknown(after.source())),
        }
    }

    /// The source that comes after this one.
    async fn source_after(&self, source: Option<&Source>) -> Result<Option<Source>, OutboxError> {
        if !self.sources.is_empty() {
            let mut sources = self.sources.iter();
            return Ok(sources
                .find(|&next| source.is_none_or(|source| next > source))
                .cloned());
        }
        let name = match source {
            None => return Ok(Some(Source::Outbox)),
            Some(Source::Outbox) => "",
            Some(Source::Group(name)) => name,
        };
        let failed = || OutboxError::database("listing consumer groups");
        let mut connection = self.pool.acquire().await.map_err(failed())?;
        let rows = DB::rows(&mut connection, NEXT_GROUP, args![name])
            .await
            .map_err(failed())?;
        let name = rows
            .first()
            .map(|row| row.text(0))
            .transpose()
            .map_err(failed())?;
        Ok(name.map(Source::Group))
    }
}

/// That a group is not there, by its name.
pub(super) fn unknown(source: &Source) -> OutboxError {
    OutboxError::UnknownGroup {
        group: match source {
            Source::Outbox => String::new(),
            Source::Group(name) => name.clone(),
        },
    }
}

/// Letters of one source, after one; `None` where there is no such group.
pub(super) async fn page<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    filter: &DeadLetterFilter,
    died: Died,
    after: &Position,
    rows: u32,
) -> Result<Option<Vec<DeadLetter>>, OutboxError> {
    let failed = || OutboxError::database("listing dead letters");
    let (topic, key) = (filter.topic.as_deref(), filter.key.as_deref());
    let message = filter.message.map(|id| id.0);
    let reason = filter.reason.map(|reason| reason.to_string());
    let (first, second) = after.numbers();
    let found = match after.source() {
        Source::Outbox => {
            let reason = reason.as_deref();
            let arguments = args![
                topic,
                key,
                message,
                reason,
                died.since,
                died.before,
                first,
                i64::from(rows)
            ];
            DB::rows(connection, OUTBOX, arguments).await
        }
        Source::Group(name) => {
            let Some(group) = groups::find::<DB>(connection, name).await.map_err(failed())? else {
                return Ok(None);
            };
            if filter.reason.is_some_and(|reason| reason != DeadReason::Skipped) {
                return Ok(Some(Vec::new()));
            }
            let arguments = args![
                group,
                // Its type on Postgres; there are no lower ones.
                first.max(-1),
                second.max(-1),
                topic,
                key,
                message,
                died.since,
                died.before,
                i64::from(rows)
            ];
            DB::rows(connection, GROUP, arguments).await
        }
    };
    let letters = found.and_then(|rows| rows.iter().map(|row| letter::<DB>(after.source(), row)).collect());
    letters.map(Some).map_err(failed())
}
