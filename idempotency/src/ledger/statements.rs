//! What the ledger asks of a database.

use std::future::Future;
use std::time::Duration;

use sqlx::{Database, Pool, SqlStr};
use transaction_scope::{ScopeDatabase, TransactionError};
use uuid::Uuid;

use super::Stored;
use super::fingerprint::Fingerprint;
use super::name::Name;

/// The statements of claims with one lock timeout: it is part of their text where it can't be a parameter.
#[derive(Debug, Clone)]
pub struct ClaimTexts {
    /// How long a claim waits, where that is a parameter.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    pub(super) wait: String,
    pub(super) claim: SqlStr,
    pub(super) claim_many: SqlStr,
    pub(super) read: SqlStr,
    pub(super) take_over: SqlStr,
}

/// What stands in the ledger for a key.
#[derive(Debug)]
pub struct Row {
    pub(super) fingerprint: Option<Vec<u8>>,
    pub(super) in_flight: bool,
    pub(super) expired: bool,
    pub(super) stored: Stored,
}

/// A claim, and how long it is remembered, in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct NewRow<'a> {
    pub(super) name: Name<'a>,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) keep: i64,
}

impl NewRow<'_> {
    pub(super) fn fingerprint(&self) -> Option<&[u8]> {
        self.fingerprint.as_ref().map(|print| &print.as_bytes()[..])
    }
}

/// The ledger's statements. Private: [`Ledger`](crate::Ledger) is what is used.
pub trait LedgerStatements: Database + ScopeDatabase {
    /// Whether one transaction writes at a time.
    const ONE_WRITER: bool;

    /// Whether a committed row may be seen before it has reached the disk.
    const SHOWS_EARLY: bool;

    /// The statements of claims that wait for locks so long.
    fn texts(lock_timeout: Duration) -> ClaimTexts;

    /// Refuses a pool on which no transaction can begin.
    fn check_pool(_pool: &Pool<Self>) -> Result<(), TransactionError> {
        Ok(())
    }

    /// Inserts a claim's row; false when there is one.
    fn claim(
        connection: &mut Self::Connection,
        texts: &ClaimTexts,
        row: NewRow<'_>,
    ) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Inserts rows for many keys of a scope; answers those that are claimed. Where it can't tell them apart, all or none.
    fn claim_many(
        connection: &mut Self::Connection,
        texts: &ClaimTexts,
        scope: &str,
        keys: &[&str],
        keep: i64,
    ) -> impl Future<Output = sqlx::Result<Vec<String>>> + Send;

    /// Reads the row that was in a claim's way.
    fn read(
        connection: &mut Self::Connection,
        texts: &ClaimTexts,
        name: Name<'_>,
    ) -> impl Future<Output = sqlx::Result<Option<Row>>> + Send;

    /// Which of these keys were done and are remembered; perhaps not all.
    fn read_many(
        connection: &mut Self::Connection,
        scope: &str,
        keys: &[&str],
    ) -> impl Future<Output = sqlx::Result<Vec<String>>> + Send;

    /// Claims a key by its expired row; false when it isn't there or isn't expired any more.
    fn take_over(
        connection: &mut Self::Connection,
        texts: &ClaimTexts,
        row: NewRow<'_>,
    ) -> impl Future<Output = sqlx::Result<bool>> + Send;

    /// Where a committed row may be seen too early: makes this transaction's commit wait until it has reached the disk.
    fn flush_with_commit(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = sqlx::Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Keeps an answer in a claimed row.
    fn keep_answer(
        connection: &mut Self::Connection,
        name: Name<'_>,
        answer: &[u8],
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Removes at most so many expired rows.
    fn expire(
        connection: &mut Self::Connection,
        limit: i64,
    ) -> impl Future<Output = sqlx::Result<u64>> + Send;

    /// The namespace, if there is one.
    fn namespace(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = sqlx::Result<Option<Uuid>>> + Send;

    /// Makes the namespace, unless there is one.
    fn make_namespace(
        connection: &mut Self::Connection,
        namespace: Uuid,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

/// Where taking over is an UPDATE.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
macro_rules! take_over_statement {
    () => {
        async fn take_over(
            connection: &mut Self::Connection,
            texts: &ClaimTexts,
            row: NewRow<'_>,
        ) -> sqlx::Result<bool> {
            let done = sqlx::query(texts.take_over.clone())
                .bind(row.fingerprint())
                .bind(row.keep)
                .bind(row.name.scope)
                .bind(row.name.key)
                .execute(connection)
                .await?;
            Ok(done.rows_affected() > 0)
        }
    };
}
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) use take_over_statement;

/// What is the same for each database but for its types and files.
macro_rules! common_statements {
    ($folder:literal) => {
        async fn read(
            connection: &mut Self::Connection,
            texts: &ClaimTexts,
            name: Name<'_>,
        ) -> sqlx::Result<Option<Row>> {
            let row = sqlx::query(texts.read.clone())
                .bind(name.scope)
                .bind(name.key)
                .fetch_optional(connection)
                .await?;
            let Some(row) = row else { return Ok(None) };
            Ok(Some(Row {
                fingerprint: sqlx::Row::try_get(&row, 0)?,
                in_flight: sqlx::Row::try_get(&row, 1)?,
                expired: sqlx::Row::try_get(&row, 2)?,
                stored: Stored::new(sqlx::Row::try_get(&row, 3)?),
            }))
        }

        async fn keep_answer(
            connection: &mut Self::Connection,
            name: Name<'_>,
            answer: &[u8],
        ) -> sqlx::Result<()> {
            sqlx::query(transaction_scope::sql!($folder, "/answer.sql"))
                .bind(answer)
                .bind(name.scope)
                .bind(name.key)
                .execute(connection)
                .await?;
            Ok(())
        }

        async fn expire(connection: &mut Self::Connection, limit: i64) -> sqlx::Result<u64> {
            let done = sqlx::query(transaction_scope::sql!($folder, "/expire.sql"))
                .bind(limit)
                .execute(connection)
                .await?;
            Ok(done.rows_affected())
        }

        async fn namespace(connection: &mut Self::Connection) -> sqlx::Result<Option<Uuid>> {
            sqlx::query_scalar(transaction_scope::sql!($folder, "/namespace.sql"))
                .fetch_optional(connection)
                .await
        }

        async fn make_namespace(connection: &mut Self::Connection, namespace: Uuid) -> sqlx::Result<()> {
            let made = sqlx::query(transaction_scope::sql!($folder, "/namespace_make.sql"))
                .bind(namespace)
                .execute(connection)
                .await;
            match made {
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(()),
                made => made.map(drop),
            }
        }
    };
}
#[cfg(any(feature = "postgres", feature = "sqlite", feature = "mysql"))]
pub(super) use common_statements;
