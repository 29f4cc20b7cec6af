//! A database with the ledger and a table of effects, for each test.

use outbox_test_harness::requirement;
use sqlx::{Executor as _, MySqlPool, PgPool, SqlitePool};

/// What a handler does: a row, of which nobody asks whether there is one already.
const EFFECTS: &str = "CREATE TABLE effect (n INTEGER NOT NULL)";

const CONNECTIONS: u32 = 16;

pub(crate) async fn postgres() -> Option<(requirement_database::Postgres, PgPool)> {
    let database = requirement::shared_postgres_database()?;
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(CONNECTIONS);
    let pool = options.connect(database.url()).await.unwrap();
    idempotency::migrate(&pool).await.unwrap();
    pool.execute(EFFECTS).await.unwrap();
    Some((database, pool))
}

pub(crate) async fn mysql() -> Option<(requirement_database::Mysql, MySqlPool)> {
    let database = requirement::shared_mysql_database()?;
    let options = transaction_scope::mysql::pool_options().max_connections(CONNECTIONS);
    let pool = options.connect(database.url()).await.unwrap();
    idempotency::migrate(&pool).await.unwrap();
    pool.execute(EFFECTS).await.unwrap();
    Some((database, pool))
}

pub(crate) async fn sqlite() -> Option<(tempfile::TempDir, SqlitePool)> {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("http.db").display());
    let pool = transaction_scope::sqlite::open(&url).await.unwrap();
    idempotency::migrate(&pool).await.unwrap();
    pool.execute(EFFECTS).await.unwrap();
    Some((folder, pool))
}

pub(crate) mod requirement_database {
    pub(crate) use outbox_test_harness::{MysqlDatabase as Mysql, TestDatabase as Postgres};
}

/// The same test on each database.
macro_rules! on_each {
    ($($(#[$meta:meta])* async fn $name:ident($pool:ident) $body:block)*) => { $(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                let Some((_database, $pool)) = crate::http::databases::postgres().await else { return };
                $body
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn mysql() {
                let Some((_database, $pool)) = crate::http::databases::mysql().await else { return };
                $body
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                let Some((_database, $pool)) = crate::http::databases::sqlite().await else { return };
                $body
            }
        }
    )* };
}
pub(crate) use on_each;

/// How often the effect took place.
macro_rules! effects {
    ($pool:expr) => {
        sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM effect")
            .fetch_one(&$pool)
            .await
            .unwrap()
    };
}
pub(crate) use effects;
