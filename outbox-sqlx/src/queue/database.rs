use std::future::Future;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::Arc;

use sqlx::{Database, Pool};
use uuid::Uuid;

use super::append::{Appended, Delayed};
use super::read::{PageBuilder, ReadFrom};
use super::statement::{Arg, Cells, Statement};
use crate::database::OutboxDatabase;

/// A database that the queue can be kept in. What is the same for each but for the SQL is written once, with
/// statements in files; here is what differs.
pub trait QueueDatabase: OutboxDatabase {
    /// A connection on which a member works.
    type Lent: DerefMut<Target = <Self as Database>::Connection> + Send + 'static;

    /// Whether a member keeps its connection, instead of lending one for each call.
    const KEEPS_CONNECTION: bool;
    /// Whether appending is one statement, which needs no transaction around it.
    const APPENDS_ALONE: bool;
    /// Begins a transaction that a crash of the server may undo: only for what is then done again.
    const BEGIN: &'static str;
    /// Begins a transaction that has reached the disk when its commit returns.
    const BEGIN_DURABLE: &'static str;

    /// Connects, or lends.
    fn lend(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<Self::Lent>> + Send;

    /// Starts to tell and to hear of what is appended, where the database can. Calls `heard` when other processes may
    /// have appended something.
    fn notifications(pool: &Pool<Self>, heard: Arc<dyn Fn() + Send + Sync>) -> Option<Notifications>;

    /// Appends messages in one transaction of its own or in the caller's. False, and nothing was written, when a topic
    /// has grown meanwhile.
    fn append(
        connection: &mut Self::Connection,
        messages: &[Appended<'_>],
    ) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Keeps messages until they are due.
    fn delay(
        connection: &mut Self::Connection,
        messages: &[Delayed<'_>],
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Reads the log, and whether delayed messages of these topics are due.
    fn read(
        connection: &mut Self::Connection,
        from: &[ReadFrom],
        topics: &[i64],
        page: &mut PageBuilder,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Runs a statement; returns how many rows it changed.
    fn execute(
        connection: &mut Self::Connection,
        statement: Statement,
        args: &[Arg<'_>],
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// Runs a statement; returns its rows.
    fn rows(
        connection: &mut Self::Connection,
        statement: Statement,
        args: &[Arg<'_>],
    ) -> impl Future<Output = sqlx::Result<Vec<Cells<Self>>>> + Send;

    /// A number in a row.
    fn int(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>>;
    /// A text in a row.
    fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<String>>;
    /// A truth value in a row.
    fn flag(row: &Self::Row, column: usize) -> sqlx::Result<bool>;
    /// A message's id in a row.
    fn id(row: &Self::Row, column: usize) -> sqlx::Result<Uuid>;
    /// Bytes in a row.
    fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Vec<u8>>;
}

/// A connection of a member's own.
#[cfg(any(feature = "postgres", feature = "mysql"))]
#[derive(Debug)]
pub struct OwnConnection<C>(pub(super) C);

#[cfg(any(feature = "postgres", feature = "mysql"))]
impl<C> Deref for OwnConnection<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.0
    }
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
impl<C> DerefMut for OwnConnection<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.0
    }
}

/// Tells other processes that something was appended, and hears of theirs until it is dropped.
pub struct Notifications {
    #[cfg(feature = "postgres")]
    pub(super) notifier: crate::postgres::Notifier,
    #[cfg(feature = "postgres")]
    pub(super) _listener: crate::relay::PostgresWakeListener,
}

impl Notifications {
    /// Something was appended.
    pub(super) fn tell(&self) {
        #[cfg(feature = "postgres")]
        self.notifier.signal();
    }
}

/// A statement with its arguments.
macro_rules! bound {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query($sql);
        for arg in $args {
            query = match *arg {
                Arg::Int(value) => query.bind(value),
                Arg::Text(value) => query.bind(value),
                Arg::Flag(value) => query.bind(value),
                Arg::Id(value) => query.bind(value),
                Arg::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
pub(super) use bound;

/// How a statement is run where it is one, with that database's types.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
macro_rules! queue_statements {
    ($dialect:ident) => {
        async fn execute(
            connection: &mut Self::Connection,
            statement: $crate::queue::statement::Statement,
            args: &[$crate::queue::statement::Arg<'_>],
        ) -> sqlx::Result<u64> {
            let query = $crate::queue::database::bound!(statement.$dialect, args);
            Ok(query.execute(connection).await?.rows_affected())
        }

        async fn rows(
            connection: &mut Self::Connection,
            statement: $crate::queue::statement::Statement,
            args: &[$crate::queue::statement::Arg<'_>],
        ) -> sqlx::Result<Vec<$crate::queue::statement::Cells<Self>>> {
            let query = $crate::queue::database::bound!(statement.$dialect, args);
            let rows = query.fetch_all(connection).await?;
            Ok(rows
                .into_iter()
                .map($crate::queue::statement::Cells)
                .collect())
        }
    };
}
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) use queue_statements;

/// What is in a row: the same code for each database, with its types.
macro_rules! queue_cells {
    () => {
        fn int(row: &Self::Row, column: usize) -> sqlx::Result<Option<i64>> {
            sqlx::Row::try_get(row, column)
        }

        fn text(row: &Self::Row, column: usize) -> sqlx::Result<Option<String>> {
            sqlx::Row::try_get(row, column)
        }

        fn flag(row: &Self::Row, column: usize) -> sqlx::Result<bool> {
            sqlx::Row::try_get(row, column)
        }

        fn id(row: &Self::Row, column: usize) -> sqlx::Result<uuid::Uuid> {
            sqlx::Row::try_get(row, column)
        }

        fn bytes(row: &Self::Row, column: usize) -> sqlx::Result<Vec<u8>> {
            sqlx::Row::try_get(row, column)
        }
    };
}
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
pub(super) use queue_cells;
