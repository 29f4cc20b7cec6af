//! Gives dead letters up: one, or all that a filter finds.

use sqlx::Pool;

use super::filter::DeadLetterFilter;
use super::letter::DeadLetter;
use super::position::Position;
use super::redrive::{BATCH, LOOKS, Progress, in_group};
use super::source::Source;
use super::walk::{Walk, now};
use super::{find, no_letter};
use crate::dead_database::Deed;
use crate::error::OutboxError;
use crate::operator::{DISCARDED, NEVER, check_by, check_reason};
use crate::queue::QueueDatabase;

pub(super) async fn one<DB: QueueDatabase>(
    pool: &Pool<DB>,
    position: &Position,
    reason: &str,
    by: &str,
) -> Result<(), OutboxError> {
    check_reason(reason)?;
    check_by(by)?;
    let letter = find(pool, position).await?;
    match give_up(pool, std::slice::from_ref(&letter), reason, by, NEVER).await? {
        0 => Err(no_letter(position)),
        _ => Ok(()),
    }
}

pub(super) async fn all<DB: QueueDatabase>(
    pool: &Pool<DB>,
    filter: &DeadLetterFilter,
    reason: &str,
    by: &str,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Progress, OutboxError> {
    check_reason(reason)?;
    check_by(by)?;
    let now = now(pool).await?;
    let mut walk = Walk::new(pool, filter, None, now).await?;
    let mut so_far = Progress::default();
    loop {
        let found = walk.next(BATCH, LOOKS).await?;
        so_far.looked_at += found.looked_at;
        for letters in found.letters.chunk_by(|a, b| a.source() == b.source()) {
            // What dies meanwhile was not what the operator had seen.
            so_far.done += give_up(pool, letters, reason, by, now + 1).await?;
        }
        if found.looked_at > 0 {
            progress(&so_far);
        }
        if found.next.is_none() {
            return Ok(so_far);
        }
    }
}

/// Gives letters of one source up in one transaction, those that are still there and died before `until`.
async fn give_up<DB: QueueDatabase>(
    pool: &Pool<DB>,
    letters: &[DeadLetter],
    reason: &str,
    by: &str,
    until: i64,
) -> Result<u64, OutboxError> {
    let Some(first) = letters.first() else {
        return Ok(0);
    };
    let deed = Deed {
        action: DISCARDED,
        by,
        reason: Some(reason),
    };
    let mut tx = DB::begin_own(pool).await?;
    let mut done = 0;
    match first.source() {
        Source::Group(_) => done = in_group::<DB>(&mut tx, letters, deed, until).await?,
        Source::Outbox => {
            for letter in letters {
                let (row, _) = letter.position.numbers();
                if DB::audit_dead(&mut tx, row, deed, until).await? > 0 {
                    done += DB::discard_dead(&mut tx, row, reason, by).await?;
                }
            }
        }
    }
    DB::commit(tx).await?;
    Ok(done)
}
