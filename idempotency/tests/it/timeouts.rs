//! A claim waits for another transaction no longer than it may, and nothing else is bounded by that.

use std::time::{Duration, Instant};

use idempotency::{Claim, Idempotency, Ledger, RunError};
use sqlx::{Connection as _, Executor, MySqlConnection, PgConnection, SqliteConnection};

use crate::databases::{effect, effects, is_mariadb, mysql, postgres, sqlite_with};

/// MariaDB counts in seconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Far less than what the servers wait otherwise, and far more than a busy machine is late.
const BOUND: Duration = Duration::from_secs(8);

const HOLD: &str =
    "INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at) VALUES ('s', 'held', '2099-01-01')";

macro_rules! busy_within_bounds {
    ($pool:expr, $holder:expr) => {
        let guard = Idempotency::builder($pool.clone())
            .lock_timeout(LOCK_TIMEOUT)
            .build()
            .await
            .unwrap();
        let started = Instant::now();
        let busy = guard
            .run("s", "held", async |tx| tx.execute(effect("held")).await.map(drop))
            .await;
        assert!(matches!(busy, Err(RunError::Busy)), "{busy:?}");
        assert!(busy.unwrap_err().is_retryable());
        assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
        assert_eq!((guard.decisions().busy, effects!($pool, "held")), (1, 0));
        // Gone with its transaction, and the next is the first.
        $holder.execute("ROLLBACK").await.unwrap();
        let _ = guard
            .run("s", "held", async |tx| tx.execute(effect("held")).await.map(drop))
            .await
            .unwrap();
        assert_eq!(effects!($pool, "held"), 1);
    };
}

#[tokio::test]
async fn a_held_key_is_busy_in_time_on_postgres() {
    let Some(pool) = postgres().await else { return };
    let pool = &pool;
    let mut holder = PgConnection::connect_with(&pool.connect_options()).await.unwrap();
    holder.execute("BEGIN").await.unwrap();
    holder.execute(HOLD).await.unwrap();
    busy_within_bounds!(pool, holder);
}

/// MySQL has no timeout of one statement: there the session's counts.
#[tokio::test]
async fn a_held_key_is_busy_in_time_on_mysql() {
    let Some(pool) = mysql().await else { return };
    let pool = &pool;
    let pool = &if is_mariadb(pool).await {
        pool.clone()
    } else {
        transaction_scope::mysql::pool_options()
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection
                        .execute("SET SESSION innodb_lock_wait_timeout = 1")
                        .await
                        .map(drop)
                })
            })
            .connect_with((*pool.connect_options()).clone())
            .await
            .unwrap()
    };
    let mut holder = MySqlConnection::connect_with(&pool.connect_options())
        .await
        .unwrap();
    holder.execute("BEGIN").await.unwrap();
    holder.execute(HOLD).await.unwrap();
    busy_within_bounds!(pool, holder);
}

#[tokio::test]
async fn a_held_database_is_busy_in_time_on_sqlite() {
    let file = sqlite_with(Duration::from_millis(300)).await;
    let pool = &*file;
    // Whoever is the first to use the database writes its namespace.
    drop(Idempotency::builder(pool.clone()).build().await.unwrap());
    let mut holder = SqliteConnection::connect_with(&pool.connect_options())
        .await
        .unwrap();
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    busy_within_bounds!(pool, holder);
}

/// What the work, a caller's own transaction, and whoever has the connection next wait for locks.
#[tokio::test]
async fn a_claims_timeout_ends_with_the_claim_on_postgres() {
    let Some(pool) = postgres().await else { return };
    let timeout = "SELECT current_setting('lock_timeout')";
    // Of one connection, so that it is the same session.
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute("SET lock_timeout = '77s'").await.map(drop) })
        })
        .connect_with((*pool.connect_options()).clone())
        .await
        .unwrap();
    let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
    let seen = guard
        .run("s", "within", async |tx| {
            sqlx::query_scalar::<_, String>(timeout)
                .fetch_one(&mut **tx)
                .await
        })
        .await
        .unwrap();
    assert_eq!(seen, idempotency::Outcome::First("77s".to_owned()));
    let after: String = sqlx::query_scalar(timeout).fetch_one(&pool).await.unwrap();
    assert_eq!(after, "77s");

    let ledger = Ledger::new(Duration::from_secs(60), LOCK_TIMEOUT);
    for (key, first) in [("own", true), ("within", false)] {
        let mut tx = pool.begin().await.unwrap();
        tx.execute("SET LOCAL lock_timeout = '33s'").await.unwrap();
        let claim = ledger.claim(&mut tx, "s", key, None).await.unwrap();
        assert_eq!(matches!(claim, Claim::First), first);
        let after: String = sqlx::query_scalar(timeout).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(after, "33s", "{key}");
        tx.rollback().await.unwrap();
    }
    // An expired row that is taken over, too.
    pool.execute("UPDATE idempotency_ledger SET expires_at = now() - interval '1 day'")
        .await
        .unwrap();
    let mut tx = pool.begin().await.unwrap();
    let claim = ledger.claim(&mut tx, "s", "within", None).await.unwrap();
    assert!(matches!(claim, Claim::First));
    let after: String = sqlx::query_scalar(timeout).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(after, "77s");
}

/// Neither after a claim nor after one that was dropped half-way does the session keep it.
#[tokio::test]
async fn a_claims_timeout_ends_with_the_claim_on_mysql() {
    let Some(pool) = mysql().await else { return };
    let timeout = "SELECT CAST(@@SESSION.innodb_lock_wait_timeout AS SIGNED)";
    let pool = transaction_scope::mysql::pool_options()
        .max_connections(1)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection
                    .execute("SET SESSION innodb_lock_wait_timeout = 77")
                    .await
                    .map(drop)
            })
        })
        .connect_with((*pool.connect_options()).clone())
        .await
        .unwrap();
    let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
    for key in ["one", "one", "two"] {
        let _ = guard
            .run("s", key, async |tx| {
                let within: i64 = sqlx::query_scalar(timeout).fetch_one(&mut **tx).await?;
                assert_eq!(within, 77);
                Ok::<_, sqlx::Error>(())
            })
            .await
            .unwrap();
        let after: i64 = sqlx::query_scalar(timeout).fetch_one(&pool).await.unwrap();
        assert_eq!(after, 77);
    }
}
