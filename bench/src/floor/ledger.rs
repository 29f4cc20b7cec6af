//! The floor of `consume`: the ledger's row, inserted by hand into the ledger's own table. A row that is there already is an
//! error; what a framework adds is to find out what it means.

use std::future::Future;
use std::sync::LazyLock;

use idempotency::LedgerDatabase;
use sqlx::{MySql, Pool, Postgres, Sqlite, Transaction};

use crate::database::{Engine, ROWS_MAX, many};

const POSTGRES: &str = include_str!("../../sql/postgres/ledger.sql");
const POSTGRES_MANY: &str = include_str!("../../sql/postgres/ledgers.sql");
const MYSQL: &str = include_str!("../../sql/mysql/ledger.sql");
const SQLITE: &str = include_str!("../../sql/sqlite/ledger.sql");

/// The ledger's INSERT, written by hand.
pub(crate) trait BareLedger: Engine + LedgerDatabase {
    /// One row.
    fn insert_row(
        tx: &mut Transaction<'static, Self>,
        scope: &str,
        key: &str,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Many rows by one statement.
    fn insert_rows(
        tx: &mut Transaction<'static, Self>,
        scope: &str,
        keys: &[String],
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Empties the ledger.
    fn empty_ledger(pool: &Pool<Self>) -> impl Future<Output = sqlx::Result<()>> + Send;
}

impl BareLedger for Postgres {
    async fn insert_row(tx: &mut Transaction<'static, Self>, scope: &str, key: &str) -> sqlx::Result<()> {
        let insert = sqlx::query(POSTGRES).bind(scope).bind(key);
        insert.execute(&mut **tx).await.map(drop)
    }

    async fn insert_rows(
        tx: &mut Transaction<'static, Self>,
        scope: &str,
        keys: &[String],
    ) -> sqlx::Result<()> {
        let insert = sqlx::query(POSTGRES_MANY).bind(scope).bind(keys);
        insert.execute(&mut **tx).await.map(drop)
    }

    async fn empty_ledger(pool: &Pool<Self>) -> sqlx::Result<()> {
        sqlx::query("TRUNCATE idempotency_ledger")
            .execute(pool)
            .await
            .map(drop)
    }
}

macro_rules! with_places {
    ($database:ty, $one:ident, $many:ident, $empty:literal) => {
        static $many: LazyLock<Vec<String>> = LazyLock::new(|| many($one));

        impl BareLedger for $database {
            async fn insert_row(
                tx: &mut Transaction<'static, Self>,
                scope: &str,
                key: &str,
            ) -> sqlx::Result<()> {
                let insert = sqlx::query($one).bind(scope).bind(key);
                insert.execute(&mut **tx).await.map(drop)
            }

            async fn insert_rows(
                tx: &mut Transaction<'static, Self>,
                scope: &str,
                keys: &[String],
            ) -> sqlx::Result<()> {
                let statements: &'static Vec<String> = &$many;
                let mut insert = sqlx::query(statements[keys.len().min(ROWS_MAX)].as_str());
                for key in keys {
                    insert = insert.bind(scope).bind(key);
                }
                insert.execute(&mut **tx).await.map(drop)
            }

            async fn empty_ledger(pool: &Pool<Self>) -> sqlx::Result<()> {
                sqlx::query($empty).execute(pool).await.map(drop)
            }
        }
    };
}

with_places!(MySql, MYSQL, MYSQL_MANY, "TRUNCATE idempotency_ledger");
with_places!(Sqlite, SQLITE, SQLITE_MANY, "DELETE FROM idempotency_ledger");
