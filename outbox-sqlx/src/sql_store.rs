use std::time::{Duration, SystemTime, UNIX_EPOCH};

use outbox_core::{Due, Enqueue, Limits, Message, MessageError, Order};
use sqlx::Database;
use transaction_scope::ScopedTransaction;

use crate::database::OutboxDatabase;
use crate::error::OutboxError;

/// Writes messages into the `outbox` table of the database that a transaction belongs to.
///
/// It implements [`Enqueue`](outbox_core::Enqueue) for sqlx's transactions, and for connections that are
/// in one. [`Outbox`](crate::Outbox) is made of it; other crates' guards may use it by itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct SqlStore {
    limits: Limits,
}

impl SqlStore {
    /// A store that refuses what is out of `limits`.
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Refuses all of `messages` for the first that is out of bounds, before anything is written.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite", feature = "mysql")),
        allow(dead_code)
    )]
    pub(crate) fn check(&self, messages: &[Message]) -> Result<(), OutboxError> {
        if messages.len() > Limits::BATCH_MESSAGES {
            return Err(MessageError::BatchTooLarge {
                count: messages.len(),
                max: Limits::BATCH_MESSAGES,
            }
            .into());
        }
        for message in messages {
            message.check(&self.limits)?;
            DueMicros::of(message.due())?;
        }
        Ok(())
    }
}

/// What a database is told in order to write messages. Each implements it next to its statements.
pub trait EnqueueDatabase: Database {
    /// Inserts messages whose limits were checked, on a connection that is in a transaction.
    fn write(
        connection: &mut Self::Connection,
        messages: &[Message],
        order: Order,
    ) -> impl Future<Output = Result<(), OutboxError>> + Send;
}

/// In the scope of any database, so that code that is generic over the database says nothing more than that.
impl<DB: OutboxDatabase> Enqueue<ScopedTransaction<DB>> for SqlStore {
    type Error = OutboxError;

    async fn enqueue(
        &self,
        tx: &mut ScopedTransaction<DB>,
        messages: &[Message],
        order: Order,
    ) -> Result<(), OutboxError> {
        self.check(messages)?;
        DB::write(&mut **tx, messages, order).await
    }
}

/// Publishing in a transaction of this database, and through a connection that is in one: the same law for each.
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
macro_rules! enqueue {
    ($database:ty, $connection:ty) => {
        impl outbox_core::Enqueue<sqlx::Transaction<'_, $database>> for $crate::sql_store::SqlStore {
            type Error = OutboxError;

            async fn enqueue(
                &self,
                tx: &mut sqlx::Transaction<'_, $database>,
                messages: &[Message],
                order: Order,
            ) -> Result<(), OutboxError> {
                self.check(messages)?;
                <$database as $crate::sql_store::EnqueueDatabase>::write(tx, messages, order).await
            }
        }

        impl outbox_core::Enqueue<$connection> for $crate::sql_store::SqlStore {
            type Error = OutboxError;

            async fn enqueue(
                &self,
                tx: &mut $connection,
                messages: &[Message],
                order: Order,
            ) -> Result<(), OutboxError> {
                if !sqlx::Connection::is_in_transaction(tx) {
                    return Err(OutboxError::NotInTransaction);
                }
                self.check(messages)?;
                <$database as $crate::sql_store::EnqueueDatabase>::write(tx, messages, order).await
            }
        }
    };
}
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
pub(crate) use enqueue;

/// How many of `messages` weigh no more than one statement may; at least one.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn statement_length<'a>(
    messages: impl IntoIterator<Item = &'a Message>,
    statement_bytes: usize,
) -> usize {
    let mut bytes = 0;
    let fit = messages.into_iter().take_while(|message| {
        bytes += message.payload().len() + message.headers().bytes();
        bytes <= statement_bytes
    });
    fit.count().max(1)
}

/// When a message is due, as two nullable numbers for the database, whose clock decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(
    not(any(feature = "postgres", feature = "sqlite", feature = "mysql")),
    allow(dead_code)
)]
pub(crate) struct DueMicros {
    /// Microseconds from now.
    pub(crate) after: Option<i64>,
    /// Microseconds since the Unix epoch.
    pub(crate) at: Option<i64>,
}

impl DueMicros {
    /// The longest delay, and the latest time counted from 1970.
    const MAX_YEARS: u32 = 1_000;
    const MAX_MICROS: u128 = Self::MAX_YEARS as u128 * 365 * 86_400 * 1_000_000;

    pub(crate) fn of(due: Due) -> Result<Self, OutboxError> {
        let micros = |span: Duration| {
            Some(span.as_micros())
                .filter(|&micros| micros <= Self::MAX_MICROS)
                .and_then(|micros| i64::try_from(micros).ok())
                .ok_or(OutboxError::DueTooFar {
                    max_years: Self::MAX_YEARS,
                })
        };
        Ok(match due {
            Due::Now | Due::After(Duration::ZERO) | Due::At(SystemTime::UNIX_EPOCH) => Self::default(),
            Due::After(delay) => Self {
                after: Some(micros(delay)?),
                at: None,
            },
            Due::At(time) => match time.duration_since(UNIX_EPOCH) {
                Ok(span) => Self {
                    after: None,
                    at: Some(micros(span)?),
                },
                // Before 1970 is past, and what is past is due at once.
                Err(_) => Self::default(),
            },
        })
    }

    /// Due at once.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite", feature = "mysql")),
        allow(dead_code)
    )]
    pub(crate) fn is_now(self) -> bool {
        self == Self::default()
    }
}
