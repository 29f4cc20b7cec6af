//! Confirmations at the sender: which messages were handled, by whom, and which were not.
//!
//! A message that asks to be confirmed ([`outbox_core::Confirm`]) is not deleted when it was delivered: the relay moves it
//! to `outbox_awaiting`. From there it goes
//!
//! * away, when enough of the groups that it asks have confirmed ([`Confirmations::record`], or the [`BatchHandler`] that
//!   [`Confirmations`] are, for the topic of the confirmations);
//! * back into the outbox, with its old id, when its deadline passed ([`Confirmations::sweep`], [`Confirmations::run`]);
//! * to the dead letters, for the reason `unconfirmed`, when that happened as often as it allows.
//!
//! A confirmation is kept whether its message waits already or not, so it may come before the relay has settled, twice, or
//! after the sender gave up: then it takes the message out of the dead letters again, so that **nothing stays buried that
//! was handled**. It is told from all others by the message's id and the group, which is a unique key.
//!
//! How the two find each other without a lock between them: the relay moves the message, commits, and then looks for
//! confirmations; whoever records writes the confirmation, commits, and then looks for the message. Whichever is later
//! sees the other. (If its process dies in between, the message is settled at its deadline, before it would be sent again.)
//!
//! A redrive of such a dead letter delivers the message once more, and it waits once more: its headers still ask. A dead
//! letter of another reason is left alone by confirmations: it may have been delivered to some and is not to all.
//!
//! Where the relay keeps an archive, it gets its copy when the message is delivered, not when it is confirmed.
//!
//! Metrics: the counters `outbox_confirmations_total` by `outcome` (`noted`, `confirmed`, `unburied`),
//! `outbox_resends_total` and `outbox_unconfirmed_total` by `topic`.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use outbox_core::MessageId;
//! use outbox_core::confirmation::Confirmation;
//! use outbox_sqlx::confirmations::{Confirmations, PendingFilter, Recorded};
//!
//! let pool = outbox_sqlx::sqlite::open("sqlite::memory:").await?;
//! outbox_sqlx::migrate(&pool).await?;
//!
//! let confirmations = Confirmations::new(pool);
//! // A consumer of the topic for confirmations does this: `Consumer::batch_builder(subscriber, confirmations.clone())`.
//! let id = MessageId::new();
//! let recorded = confirmations.record(&Confirmation::new(id, "shipping")?).await?;
//! assert_eq!(recorded, Recorded::Noted, "the message is not here yet");
//!
//! assert_eq!(confirmations.of(id).await?.confirmed[0].group, "shipping");
//! assert!(confirmations.pending(&PendingFilter::default()).await?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod asked;
mod fate;
mod handler;
mod pending;
mod record;
mod settled;
mod sweep;

use std::fmt;
use std::time::Duration;

use outbox_core::MessageId;
use outbox_core::confirmation::Confirmation;
use sqlx::Pool;
use tokio_util::sync::CancellationToken;

use crate::error::OutboxError;
use crate::queue::QueueDatabase;

pub use pending::{Confirmed, PAGE_MAX, PendingFilter, Standing, Unconfirmed};
pub use record::Recorded;
pub(crate) use settled::settled;
pub use sweep::Swept;

#[allow(unused_imports, reason = "for the documentation")]
use outbox_core::consumer::BatchHandler;

/// The confirmations in one database; see the [module](self). Clones are handles of the same.
pub struct Confirmations<DB: QueueDatabase> {
    pool: Pool<DB>,
    poll: Duration,
}

impl<DB: QueueDatabase> Confirmations<DB> {
    /// How often [`Confirmations::run`] looks for deadlines that have passed, unless it is told otherwise.
    pub const POLL: Duration = Duration::from_secs(1);

    /// The confirmations in this database, in which the outbox is.
    pub fn new(pool: Pool<DB>) -> Self {
        Self {
            pool,
            poll: Self::POLL,
        }
    }

    /// How often [`Confirmations::run`] looks for deadlines that have passed. Default: [`Confirmations::POLL`]; at least a
    /// millisecond.
    #[must_use]
    pub fn with_poll(mut self, poll: Duration) -> Self {
        self.poll = poll.max(Duration::from_millis(1));
        self
    }

    /// Notes that a group has handled a message. If it was the last confirmation that the message waited for, it waits no
    /// longer; if the message had been given up for want of it, it is no dead letter any more. Doing it again is harmless.
    ///
    /// May be dropped at any await; then do it again.
    ///
    /// # Errors
    /// The database can't be written. The confirmation may have been kept; do it again.
    pub async fn record(&self, confirmation: &Confirmation) -> Result<Recorded, OutboxError> {
        let recorded = self.record_all(std::slice::from_ref(confirmation)).await?;
        Ok(recorded.first().copied().unwrap_or(Recorded::Noted))
    }

    /// As [`record`](Self::record), for many at once: they are kept by one statement, and what follows from them is done in
    /// one transaction. Says of each what followed; of several of one message it followed from the last.
    ///
    /// May be dropped at any await; then do it again.
    ///
    /// # Errors
    /// The database can't be written. The confirmations may have been kept; do it again.
    pub async fn record_all(&self, confirmations: &[Confirmation]) -> Result<Vec<Recorded>, OutboxError> {
        let recorded = record::record(&self.pool, confirmations).await?;
        for outcome in [Recorded::Noted, Recorded::Confirmed, Recorded::Unburied] {
            let times = recorded.iter().filter(|&&recorded| recorded == outcome).count();
            if times > 0 {
                metrics::counter!("outbox_confirmations_total", "outcome" => outcome.as_str())
                    .increment(times as u64);
            }
        }
        Ok(recorded)
    }

    /// Looks once for messages whose deadline has passed, the oldest first and at most [`Swept::MAX`] of them: they are sent
    /// again, or given up when that happened as often as they allow. Several processes may do so at once.
    ///
    /// # Errors
    /// The database can't be read or written; nothing was changed.
    pub async fn sweep(&self) -> Result<Swept, OutboxError> {
        sweep::sweep(&self.pool).await
    }

    /// Sweeps until `stop` is cancelled: again at once while there is more, and else when [`with_poll`](Self::with_poll) says.
    /// A database that is away is waited for.
    pub async fn run(&self, stop: CancellationToken) {
        sweep::run(&self.pool, self.poll, stop).await;
    }

    /// Which messages are not confirmed yet, by whom, and since when: a page of those that wait, in the order they were
    /// published. (One that is being sent again is in the outbox meanwhile, and one that was given up is among the dead
    /// letters.)
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn pending(&self, filter: &PendingFilter) -> Result<Vec<Unconfirmed>, OutboxError> {
        pending::page(&self.pool, filter).await
    }

    /// How it stands with one message: who has confirmed it, and what it waits for.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn of(&self, id: MessageId) -> Result<Standing, OutboxError> {
        pending::of(&self.pool, id).await
    }
}

impl<DB: QueueDatabase> Clone for Confirmations<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            poll: self.poll,
        }
    }
}

/// Connect options may hold a password.
impl<DB: QueueDatabase> fmt::Debug for Confirmations<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmations")
            .field("poll", &self.poll)
            .finish_non_exhaustive()
    }
}
