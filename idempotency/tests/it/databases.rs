//! Databases for tests: the one place that knows where they come from.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, MySqlPool, PgConnection, PgPool};

use crate::proxy::Proxy;

/// A journal without a unique index: what was done twice is there twice.
const JOURNAL: &str = "CREATE TABLE effect (name VARCHAR(400) NOT NULL)";

/// Connections of a pool that many tasks use at once.
const MANY: u32 = 16;

/// A SQLite database in a file, with several connections.
pub(crate) struct SqliteFile {
    pool: SqlitePool,
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for SqliteFile {
    type Target = SqlitePool;

    fn deref(&self) -> &SqlitePool {
        &self.pool
    }
}

/// A migrated SQLite database whose connections wait so long for each other.
pub(crate) async fn sqlite_with(busy_timeout: Duration) -> SqliteFile {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("ledger.db").display());
    let options = transaction_scope::sqlite::connect_options(&url)
        .unwrap()
        .busy_timeout(busy_timeout);
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await
        .unwrap();
    idempotency::migrate(&pool).await.unwrap();
    pool.execute(JOURNAL).await.unwrap();
    SqliteFile {
        pool,
        _folder: folder,
    }
}

/// A migrated SQLite database.
pub(crate) async fn sqlite() -> SqliteFile {
    sqlite_with(Duration::from_secs(10)).await
}

fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "idempotency_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A Postgres database without tables; `None` without a server.
pub(crate) async fn empty_postgres(connections: u32) -> Option<PgPool> {
    let Ok(url) = std::env::var("OUTBOX_TEST_POSTGRES_URL") else {
        eprintln!("left out: OUTBOX_TEST_POSTGRES_URL is not set");
        return None;
    };
    let name = name();
    let options = PgConnectOptions::from_str(&url).unwrap();
    let mut admin = PgConnection::connect_with(&options).await.unwrap();
    for sql in [
        format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        format!("CREATE DATABASE {name}"),
    ] {
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .connect_with(options.database(&name))
        .await
        .unwrap();
    Some(pool)
}

async fn postgres_pool(connections: u32) -> Option<PgPool> {
    let pool = empty_postgres(connections).await?;
    idempotency::migrate(&pool).await.unwrap();
    pool.execute(JOURNAL).await.unwrap();
    Some(pool)
}

/// A migrated Postgres database.
pub(crate) async fn postgres() -> Option<PgPool> {
    postgres_pool(MANY).await
}

/// A Postgres database with one connection, for tests that count polls: through a [`Proxy`].
pub(crate) async fn distant_postgres() -> Option<PgPool> {
    let direct = postgres_pool(1).await?;
    let server = (*direct.connect_options()).clone();
    let proxy = Proxy::start(server.get_host(), server.get_port()).await;
    let pool = PgPoolOptions::new().max_connections(1);
    Some(
        pool.connect_with(server.host("127.0.0.1").port(proxy.port()))
            .await
            .unwrap(),
    )
}

/// A MySQL or MariaDB database without tables; `None` without a server.
pub(crate) async fn empty_mysql(connections: u32) -> Option<MySqlPool> {
    let Ok(url) = std::env::var("OUTBOX_TEST_MYSQL_URL") else {
        eprintln!("left out: OUTBOX_TEST_MYSQL_URL is not set");
        return None;
    };
    let name = name();
    let options = MySqlConnectOptions::from_str(&url).unwrap();
    let mut admin = MySqlConnection::connect_with(&options).await.unwrap();
    for sql in [
        format!("DROP DATABASE IF EXISTS {name}"),
        format!("CREATE DATABASE {name}"),
    ] {
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let pool = transaction_scope::mysql::pool_options()
        .max_connections(connections)
        .connect_with(options.database(&name))
        .await
        .unwrap();
    Some(pool)
}

async fn mysql_pool(connections: u32) -> Option<MySqlPool> {
    let pool = empty_mysql(connections).await?;
    idempotency::migrate(&pool).await.unwrap();
    pool.execute(JOURNAL).await.unwrap();
    Some(pool)
}

/// A migrated MySQL or MariaDB database.
pub(crate) async fn mysql() -> Option<MySqlPool> {
    mysql_pool(MANY).await
}

/// A MySQL or MariaDB database, for tests that count polls: through a [`Proxy`].
pub(crate) async fn distant_mysql(connections: u32) -> Option<MySqlPool> {
    let direct = mysql_pool(1).await?;
    let server = (*direct.connect_options()).clone();
    let proxy = Proxy::start(server.get_host(), server.get_port()).await;
    let pool = transaction_scope::mysql::pool_options().max_connections(connections);
    Some(
        pool.connect_with(server.host("127.0.0.1").port(proxy.port()))
            .await
            .unwrap(),
    )
}

/// Whether the server is MariaDB.
pub(crate) async fn is_mariadb(pool: &MySqlPool) -> bool {
    let version: String = sqlx::query_scalar("SELECT VERSION()")
        .fetch_one(pool)
        .await
        .unwrap();
    version.contains("MariaDB")
}

/// Waits until so many sessions of a database wait for locks.
pub(crate) trait Waiting {
    async fn wait_until_waiting(&self, sessions: i64);
}

impl Waiting for PgPool {
    async fn wait_until_waiting(&self, sessions: i64) {
        let mut outside = PgConnection::connect_with(&self.connect_options()).await.unwrap();
        for _ in 0..1_000 {
            let waiting: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
            )
            .fetch_one(&mut outside)
            .await
            .unwrap();
            if waiting >= sessions {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nobody waits for a lock");
    }
}

impl Waiting for MySqlPool {
    async fn wait_until_waiting(&self, sessions: i64) {
        /// MariaDB takes a new picture only when nobody has looked at the last one for a tenth of a second.
        const NEW_PICTURE: Duration = Duration::from_millis(120);
        let waiting = if is_mariadb(self).await {
            "SELECT COUNT(*) FROM information_schema.innodb_trx t
               JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
              WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
        } else {
            "SELECT COUNT(*) FROM performance_schema.data_locks WHERE lock_status = 'WAITING' AND object_schema = DATABASE()"
        };
        let mut outside = MySqlConnection::connect_with(&self.connect_options())
            .await
            .unwrap();
        for _ in 0..100 {
            let found: i64 = sqlx::query_scalar(waiting).fetch_one(&mut outside).await.unwrap();
            if found >= sessions {
                return;
            }
            tokio::time::sleep(NEW_PICTURE).await;
        }
        panic!("nobody waits for a lock");
    }
}

/// There those who want to write stand in a line of the guard's, before they reach the database.
impl Waiting for SqlitePool {
    async fn wait_until_waiting(&self, _: i64) {}
}

/// The statement of a unit of work, in every dialect.
pub(crate) fn effect(name: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("INSERT INTO effect (name) VALUES ('{name}')"))
}

/// How often a unit of work was done.
macro_rules! effects {
    ($pool:expr, $name:expr) => {{
        let sql = format!("SELECT COUNT(*) FROM effect WHERE name = '{}'", $name);
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&*$pool)
            .await
            .unwrap();
        count
    }};
}
pub(crate) use effects;

/// How many rows the ledger has for a key.
macro_rules! rows {
    ($pool:expr, $key:expr) => {{
        let sql = format!(
            "SELECT COUNT(*) FROM idempotency_ledger WHERE idempotency_key = '{}'",
            $key
        );
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&*$pool)
            .await
            .unwrap();
        count
    }};
}
pub(crate) use rows;

/// Makes a key's row, or all, expired.
macro_rules! expire_all {
    ($pool:expr) => {
        sqlx::Executor::execute(
            &*$pool,
            // A year before anything of now, in each dialect's type of times.
            match std::any::type_name_of_val(&*$pool) {
                name if name.contains("Sqlite") => "UPDATE idempotency_ledger SET expires_at = 0",
                _ => "UPDATE idempotency_ledger SET expires_at = '2020-01-01 00:00:00'",
            },
        )
        .await
        .unwrap()
    };
}
pub(crate) use expire_all;

/// The same test on each database, with SQL that all understand. `$pool` is a reference to the pool.
macro_rules! on_each {
    ($(#[$doc:meta])* async fn $name:ident($pool:ident) $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let owned = crate::databases::sqlite().await;
                let $pool = &*owned;
                $body
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let Some(owned) = crate::databases::postgres().await else { return };
                let $pool = &owned;
                $body
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mysql() {
                let Some(owned) = crate::databases::mysql().await else { return };
                let $pool = &owned;
                $body
            }
        }
    };
}
pub(crate) use on_each;
