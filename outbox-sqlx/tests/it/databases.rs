//! Databases for tests: the one place that knows where they come from.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{
    AssertSqlSafe, Connection, Executor, MySqlConnection, MySqlPool, PgConnection, PgPool, SqlitePool,
};

use crate::proxy::Proxy;

/// A migrated SQLite database in memory.
pub(crate) async fn sqlite() -> SqlitePool {
    let pool = outbox_sqlx::sqlite::open("sqlite::memory:").await.unwrap();
    outbox_sqlx::migrate(&pool).await.unwrap();
    pool
}

/// A migrated SQLite database in a file.
pub(crate) async fn sqlite_file() -> (tempfile::TempDir, SqlitePool) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("outbox.db").display());
    let pool = outbox_sqlx::sqlite::open(&url).await.unwrap();
    outbox_sqlx::migrate(&pool).await.unwrap();
    (folder, pool)
}

/// A migrated Postgres database of its own with a pool of at most `connections`; `None` without a server.
pub(crate) async fn postgres_pool(connections: u32) -> Option<PgPool> {
    let pool = empty_postgres(connections).await?;
    outbox_sqlx::migrate(&pool).await.unwrap();
    Some(pool)
}

/// A migrated Postgres database.
pub(crate) async fn postgres() -> Option<PgPool> {
    postgres_pool(8).await
}

/// A Postgres database without tables.
pub(crate) async fn empty_postgres(connections: u32) -> Option<PgPool> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Ok(url) = std::env::var("OUTBOX_TEST_POSTGRES_URL") else {
        eprintln!("left out: OUTBOX_TEST_POSTGRES_URL is not set");
        return None;
    };
    let name = format!(
        "outbox_sqlx_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let options = PgConnectOptions::from_str(&url).unwrap();
    let mut admin = PgConnection::connect_with(&options).await.unwrap();
    admin
        .execute(AssertSqlSafe(format!(
            "DROP DATABASE IF EXISTS {name} WITH (FORCE)"
        )))
        .await
        .unwrap();
    admin
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .unwrap();
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .connect_with(options.database(&name))
        .await
        .unwrap();
    Some(pool)
}

/// Like [`postgres_pool`], for tests that count polls: through a [`Proxy`].
pub(crate) async fn distant_postgres_pool(connections: u32) -> Option<PgPool> {
    let direct = postgres_pool(1).await?;
    let server = (*direct.connect_options()).clone();
    let proxy = Proxy::start(server.get_host(), server.get_port()).await;
    let pool = PgPoolOptions::new().max_connections(connections);
    Some(
        pool.connect_with(server.host("127.0.0.1").port(proxy.port()))
            .await
            .unwrap(),
    )
}

/// A connection outside of the pool, which sees only what was committed.
pub(crate) async fn outsider(pool: &PgPool) -> PgConnection {
    PgConnection::connect_with(&pool.connect_options()).await.unwrap()
}

/// A migrated MySQL or MariaDB database of its own with a pool of at most `connections`; `None` without a server.
pub(crate) async fn mysql_pool(connections: u32) -> Option<MySqlPool> {
    let pool = empty_mysql(connections).await?;
    outbox_sqlx::migrate(&pool).await.unwrap();
    Some(pool)
}

/// A migrated MySQL or MariaDB database.
pub(crate) async fn mysql() -> Option<MySqlPool> {
    mysql_pool(8).await
}

/// A MySQL or MariaDB database without tables.
pub(crate) async fn empty_mysql(connections: u32) -> Option<MySqlPool> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Ok(url) = std::env::var("OUTBOX_TEST_MYSQL_URL") else {
        eprintln!("left out: OUTBOX_TEST_MYSQL_URL is not set");
        return None;
    };
    let name = format!(
        "outbox_sqlx_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let options = MySqlConnectOptions::from_str(&url).unwrap();
    let mut admin = MySqlConnection::connect_with(&options).await.unwrap();
    for sql in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ] {
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let pool = outbox_sqlx::mysql::pool_options()
        .max_connections(connections)
        .connect_with(options.database(&name))
        .await
        .unwrap();
    Some(pool)
}

/// Like [`mysql_pool`], for tests that count polls: through a [`Proxy`].
pub(crate) async fn distant_mysql_pool(connections: u32) -> Option<MySqlPool> {
    let direct = mysql_pool(1).await?;
    let server = (*direct.connect_options()).clone();
    let proxy = Proxy::start(server.get_host(), server.get_port()).await;
    let pool = outbox_sqlx::mysql::pool_options().max_connections(connections);
    Some(
        pool.connect_with(server.host("127.0.0.1").port(proxy.port()))
            .await
            .unwrap(),
    )
}

/// What a test says in each dialect.
pub(crate) trait Speaks {
    fn say<'a>(&self, sqlite: &'a str, postgres: &'a str, mysql: &'a str) -> &'a str;
}

impl Speaks for SqlitePool {
    fn say<'a>(&self, sqlite: &'a str, _: &'a str, _: &'a str) -> &'a str {
        sqlite
    }
}

impl Speaks for PgPool {
    fn say<'a>(&self, _: &'a str, postgres: &'a str, _: &'a str) -> &'a str {
        postgres
    }
}

impl Speaks for MySqlPool {
    fn say<'a>(&self, _: &'a str, _: &'a str, mysql: &'a str) -> &'a str {
        mysql
    }
}

/// The same test on each database, with SQL that all understand.
macro_rules! on_each {
    ($(#[$doc:meta])* async fn $name:ident($pool:ident) $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[tokio::test]
            async fn sqlite() {
                let $pool = crate::databases::sqlite().await;
                $body
            }

            #[tokio::test]
            async fn postgres() {
                let Some($pool) = crate::databases::postgres().await else { return };
                $body
            }

            #[tokio::test]
            async fn mysql() {
                let Some($pool) = crate::databases::mysql().await else { return };
                $body
            }
        }
    };
}
pub(crate) use on_each;
