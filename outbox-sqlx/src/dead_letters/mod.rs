//! Dead letters as an operator sees them, those of the outbox and those of all consumer groups alike: look, decide, redrive
//! or discard, and see later who did what.
//!
//! * [`summary`](DeadLetters::summary): how many died of what. Errors that differ only in numbers, ids, quoted texts and
//!   durations have the same [`Fingerprint`].
//! * [`list`](DeadLetters::list) and [`show`](DeadLetters::show): pages of what a [`DeadLetterFilter`] finds, by source, topic,
//!   key, message, fingerprint, reason, time and age; and one with its content.
//! * [`redrive`](DeadLetters::redrive) and [`redrive_all`](DeadLetters::redrive_all): back to where they were in their key's
//!   order, all that a filter finds too, at a [`Rate`].
//! * [`discard`](DeadLetters::discard) and [`discard_all`](DeadLetters::discard_all): given up, with a reason.
//! * [`audit`](DeadLetters::audit): each of these is noted for each message, in the transaction that does it.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use std::num::NonZeroU32;
//! use std::time::Duration;
//!
//! use outbox_sqlx::dead_letters::{AuditFilter, DeadLetterFilter, DeadLetters, Rate, RedriveOptions};
//! # use outbox_core::{Message, Publisher, Subscriber};
//!
//! let pool = outbox_sqlx::sqlite::open("sqlite::memory:").await?;
//! outbox_sqlx::migrate(&pool).await?;
//! # let queue = outbox_sqlx::queue::SqlQueue::new(pool.clone());
//! # let mut shipping = queue.subscribe("shipping", ["orders.placed"]).await?;
//! # let order = |n: u32| Message::builder("orders.placed").key(format!("order-{n}")).build();
//! # queue.publisher().publish(&[order(1)?, order(2)?, order(3)?]).await;
//! # let mut dead = 0;
//! # while dead < 3 {
//! #     for delivery in shipping.receive(3).await? {
//! #         dead += 1;
//! #         let error = if dead == 3 { "no address".into() } else { format!("no stock for order {dead}") };
//! #         delivery.dead(&error).await?;
//! #     }
//! # }
//! # shipping.close().await?;
//! let letters = DeadLetters::new(pool);
//!
//! // Look: what has died of what?
//! let all = DeadLetterFilter::new();
//! let summary = letters.summary(&all, None).await?;
//! let worst = &summary.causes[0];
//! assert_eq!((worst.source.to_string().as_str(), worst.count), ("group:shipping", 2));
//!
//! // Decide: there is stock again, so try those again, ten a second.
//! let no_stock = DeadLetterFilter::new().fingerprint(worst.fingerprint);
//! let slowly = RedriveOptions::new().rate(Rate::per_second(NonZeroU32::new(10).ok_or("none")?));
//! let redriven = letters.redrive_all(&no_stock, "ada", &slowly, |so_far| println!("{so_far:?}")).await?;
//! assert_eq!(redriven.done, 2);
//!
//! // Give the other one up.
//! let page = letters.list(&all, None, 10).await?;
//! letters.discard(&page.letters[0].position, "the customer withdrew the order", "ada").await?;
//!
//! // Who did what?
//! let audit = letters.audit(&AuditFilter::new().by("ada"), None, 10).await?;
//! assert_eq!(audit.len(), 3);
//! assert_eq!(audit[0].reason.as_deref(), Some("the customer withdrew the order"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// In reading order: whose and which (`source`, `position`, `letter`), what is asked for (`filter`, `fingerprint`), the way
// through them (`walk`), what is done (`summary`, `redrive` with its `rate`, `discard`), and what is kept of it (`audit`).
mod audit;
mod discard;
mod filter;
mod fingerprint;
mod letter;
mod position;
mod rate;
mod redrive;
mod source;
mod summary;
mod walk;

use std::fmt;

use sqlx::Pool;

pub use crate::dead::{DeadReason, PAGE_MAX};
pub use audit::{Action, AuditEntry, AuditFilter, AuditId};
pub use filter::DeadLetterFilter;
pub use fingerprint::Fingerprint;
pub use letter::{DeadLetter, DeadLetterContent};
pub use position::Position;
pub use rate::Rate;
pub use redrive::{Progress, RedriveOptions};
pub use source::Source;
pub use summary::{Cause, SUMMARY_CAUSES_MAX, SUMMARY_LETTERS_MAX, Summary};

use crate::error::OutboxError;
use crate::queue::QueueDatabase;
use crate::queue::statement::{Statement, args, statement};
use walk::Walk;

const OUTBOX_CONTENT: Statement = statement!("letters_content");
const GROUP_CONTENT: Statement = statement!("queue_dead_content");

/// Most letters that one page looks at. With a fingerprint few of them may be meant, and then the page is short.
const PAGE_LOOKS: u64 = 10_000;

/// All dead letters of a database; see the [module](self). Clones are handles of the same.
///
/// What is redriven to a consumer group is seen by its members within a second.
pub struct DeadLetters<DB: QueueDatabase> {
    pool: Pool<DB>,
}

/// Some dead letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetterPage {
    /// In the order of their positions. Perhaps fewer than were asked for, or none, while there are more: see `next`.
    pub letters: Vec<DeadLetter>,
    /// What to ask for the next page with; `None` after the last one.
    pub next: Option<Position>,
}

impl<DB: QueueDatabase> DeadLetters<DB> {
    /// Those of this database (a `PgPool`, a `MySqlPool` for MySQL and MariaDB, or a `SqlitePool`).
    pub fn new(pool: Pool<DB>) -> Self {
        Self { pool }
    }

    /// The letters that the filter finds after a position, at most `limit` (0 and everything above [`PAGE_MAX`] count as
    /// [`PAGE_MAX`]).
    ///
    /// The fingerprint is no column: letters are read (without their payloads) and looked at here, at most some 10,000 for
    /// a page. So a page may be short, or empty, and the last one is that without [`next`](DeadLetterPage::next). A letter
    /// that is dead all the time is on exactly one page, whatever happens to others meanwhile.
    ///
    /// # Errors
    /// [`OutboxError::UnknownGroup`], or the database can't be read.
    pub async fn list(
        &self,
        filter: &DeadLetterFilter,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<DeadLetterPage, OutboxError> {
        let limit = match limit {
            0 => PAGE_MAX,
            _ => limit.min(PAGE_MAX),
        };
        let now = walk::now(&self.pool).await?;
        let mut walk = Walk::new(&self.pool, filter, after, now).await?;
        let found = walk.next(limit, PAGE_LOOKS).await?;
        Ok(DeadLetterPage {
            letters: found.letters,
            next: found.next,
        })
    }

    /// How many of the letters that the filter finds died of what, by source, topic and [`Fingerprint`]. It looks at
    /// [`SUMMARY_LETTERS_MAX`] of them at most and tells [`SUMMARY_CAUSES_MAX`] causes apart, and says when that was not all
    /// ([`Summary::is_cut`]). Payloads are not read.
    ///
    /// # Errors
    /// [`OutboxError::UnknownGroup`], or the database can't be read.
    pub async fn summary(
        &self,
        filter: &DeadLetterFilter,
        after: Option<&Position>,
    ) -> Result<Summary, OutboxError> {
        summary::summary(&self.pool, filter, after, SUMMARY_LETTERS_MAX).await
    }

    /// One letter with its content.
    ///
    /// # Errors
    /// [`OutboxError::NoLetter`], [`OutboxError::UnknownGroup`], or the database can't be read.
    pub async fn show(&self, position: &Position) -> Result<DeadLetterContent, OutboxError> {
        let failed = || OutboxError::database("reading a dead letter");
        let letter = find(&self.pool, position).await?;
        let (first, second) = position.numbers();
        let mut connection = self.pool.acquire().await.map_err(failed())?;
        let rows = match position.source() {
            Source::Outbox => DB::rows(&mut connection, OUTBOX_CONTENT, args![first]).await,
            Source::Group(name) => {
                let group = crate::queue::groups::find::<DB>(&mut connection, name).await;
                let group = group.map_err(failed())?;
                let group = group.ok_or_else(|| walk::unknown(position.source()))?;
                DB::rows(&mut connection, GROUP_CONTENT, args![group, first, second]).await
            }
        }
        .map_err(failed())?;
        let row = rows.first().ok_or_else(|| no_letter(position))?;
        Ok(DeadLetterContent {
            letter,
            payload: row.bytes(0).map_err(failed())?.into(),
            headers: row.text(1).map_err(failed())?,
        })
    }

    /// Gives one letter back, to the relay or to the group, with the place it had in its key's order and no attempts
    /// counted. Later messages of its key may have gone meanwhile. The last dead letter of a parked key un-parks it. `by` is
    /// who does it, for the audit.
    ///
    /// # Errors
    /// [`OutboxError::ByEmpty`], [`OutboxError::ByTooLong`]; [`OutboxError::NoLetter`], [`OutboxError::UnknownGroup`];
    /// [`OutboxError::KeyParked`] when its key is parked with others: then
    /// [`dead::redrive_key`](crate::dead::redrive_key) gives all of the key back.
    pub async fn redrive(&self, position: &Position, by: &str) -> Result<(), OutboxError> {
        redrive::one(&self.pool, position, by).await
    }

    /// Gives all letters back that the filter finds and that were dead when it began, those of a key in their order. What
    /// dies again meanwhile is not given back again. `by` is who does it, for the audit.
    ///
    /// Where the filter finds a letter of a *parked* key, all dead letters of that key are given back, in one transaction:
    /// in parts, the relay would park them again.
    ///
    /// At most 100 go in one transaction, at the rate that the options say, and `progress` is told after each. Dropping it
    /// is safe at any time: what was told is done, of the batch that was on its way all or nothing.
    ///
    /// # Errors
    /// [`OutboxError::ByEmpty`], [`OutboxError::ByTooLong`], [`OutboxError::UnknownGroup`], or the database can't be written;
    /// those before that are given back, and the same call goes on with the others.
    pub async fn redrive_all(
        &self,
        filter: &DeadLetterFilter,
        by: &str,
        options: &RedriveOptions,
        mut progress: impl FnMut(&Progress) + Send,
    ) -> Result<Progress, OutboxError> {
        redrive::all(&self.pool, filter, by, options, &mut progress).await
    }

    /// Gives one letter up for good: its content is deleted. Why and by whom stays in the audit, and of the outbox's in
    /// `outbox_discarded` too. A parked key stays parked.
    ///
    /// # Errors
    /// [`OutboxError::ReasonEmpty`], [`OutboxError::ReasonTooLong`] (above 1,000 characters), [`OutboxError::ByEmpty`],
    /// [`OutboxError::ByTooLong`] (above 255); [`OutboxError::NoLetter`], [`OutboxError::UnknownGroup`].
    pub async fn discard(&self, position: &Position, reason: &str, by: &str) -> Result<(), OutboxError> {
        discard::one(&self.pool, position, reason, by).await
    }

    /// As [`discard`](Self::discard), all letters that the filter finds and that were dead when it began. At most 100 go in
    /// one transaction, and `progress` is told after each; dropping it is safe at any time.
    ///
    /// # Errors
    /// As [`discard`](Self::discard); those before that are discarded.
    pub async fn discard_all(
        &self,
        filter: &DeadLetterFilter,
        reason: &str,
        by: &str,
        mut progress: impl FnMut(&Progress) + Send,
    ) -> Result<Progress, OutboxError> {
        discard::all(&self.pool, filter, reason, by, &mut progress).await
    }

    /// What was done with dead and blocked messages, whichever way it was asked for, the newest first, after a line of the
    /// page before; at most `limit` (0 and everything above [`PAGE_MAX`] count as [`PAGE_MAX`]).
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, OutboxError> {
        audit::list(&self.pool, filter, after, limit).await
    }
}

impl<DB: QueueDatabase> Clone for DeadLetters<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
        }
    }
}

impl<DB: QueueDatabase> fmt::Debug for DeadLetters<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetters").finish_non_exhaustive()
    }
}

/// The letter at a position.
async fn find<DB: QueueDatabase>(pool: &Pool<DB>, position: &Position) -> Result<DeadLetter, OutboxError> {
    let failed = || OutboxError::database("looking for a dead letter");
    let mut connection = pool.acquire().await.map_err(failed())?;
    let all = DeadLetterFilter::new();
    let page = walk::page::<DB>(&mut connection, &all, all.died(0), &position.just_before(), 1).await?;
    let letters = page.ok_or_else(|| walk::unknown(position.source()))?;
    let letter = letters.into_iter().next();
    letter
        .filter(|letter| letter.position == *position)
        .ok_or_else(|| no_letter(position))
}

fn no_letter(position: &Position) -> OutboxError {
    OutboxError::NoLetter {
        position: position.to_string(),
    }
}
