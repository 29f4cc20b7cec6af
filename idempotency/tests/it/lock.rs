//! What the lock in front of the ledger is for: fewer duplicates in the database, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use idempotency::lock::{Acquired, Lock, LockKey, MemoryLock};
use idempotency::{Duplicate, Idempotency, Outcome, RunError};
use sqlx::{AssertSqlSafe, Connection as _, Executor};
use transaction_scope::TransactionError;

use crate::databases::{effect, effects, on_each, postgres, rows};

const LEASE: Duration = Duration::from_secs(10);
const KEEP: Duration = Duration::from_secs(60);

on_each! {
    async fn a_marked_duplicate_does_not_touch_the_database(pool) {
        let guard = Idempotency::builder(pool.clone()).lock(Arc::new(MemoryLock::new())).build().await.unwrap();
        let run = async || guard.run("s", "marked", async |tx| tx.execute(effect("marked")).await.map(drop)).await;
        assert_eq!(run().await.unwrap(), Outcome::First(()));
        assert_eq!(effects!(pool, "marked"), 1);
        // Where nothing can be asked any more.
        pool.close().await;
        for _ in 0..3 {
            assert_eq!(run().await.unwrap(), Outcome::Duplicate(Duplicate::Mark));
        }
        assert_eq!((guard.decisions().first, guard.decisions().duplicate_mark), (1, 3));
        // What a mark does not know is asked for all the same.
        let stored = guard.run_stored("s", "marked", async |_| Ok::<_, sqlx::Error>(())).await;
        assert!(matches!(stored, Err(RunError::Transaction(_))), "{stored:?}");
        let print = guard.operation("s", "marked").fingerprint("x").run(async |_| Ok::<_, sqlx::Error>(())).await;
        assert!(matches!(print, Err(RunError::Transaction(_))), "{print:?}");
    }
}

on_each! {
    /// A mark that is written before the commit suppresses what was rolled back.
    async fn nothing_is_marked_that_did_not_commit(pool) {
        let lock = Arc::new(MemoryLock::new());
        let guard = Idempotency::builder(pool.clone()).lock(lock.clone()).build().await.unwrap();
        let key = LockKey::new(guard.namespace(), "s", "unmarked");
        for failing in ["work", "commit"] {
            let failed = guard
                .run("s", "unmarked", async |tx| {
                    tx.execute(effect("unmarked")).await.unwrap();
                    // Not yet, and somebody else does not get it.
                    let within = lock.acquire(&key, LEASE).await.unwrap();
                    assert!(matches!(within, Acquired::Busy { .. }), "{within:?}");
                    if failing == "commit" {
                        // The scope around it finds a write that was cut short, and does not commit.
                        drop(transaction_scope::Attempt::start());
                        return Ok(());
                    }
                    Err("refused")
                })
                .await;
            assert!(failed.is_err(), "{failing}");
            assert_eq!((effects!(pool, "unmarked"), rows!(pool, "unmarked")), (0, 0));
            let after = lock.acquire(&key, LEASE).await.unwrap();
            let Acquired::Granted(token) = after else { panic!("{failing}: {after:?}") };
            assert!(lock.release(&key, token).await.unwrap());
        }
        let outcome = guard.run("s", "unmarked", async |tx| tx.execute(effect("unmarked")).await.map(drop)).await;
        assert_eq!(outcome.unwrap(), Outcome::First(()));
        assert_eq!(lock.acquire(&key, LEASE).await.unwrap(), Acquired::Done);
    }
}

/// COMMIT without an answer: it may have been carried out or not, so nothing may call it done but the ledger.
#[tokio::test]
async fn nothing_is_marked_whose_commit_was_not_answered_on_postgres() {
    let Some(pool) = postgres().await else { return };
    let lock = Arc::new(MemoryLock::new());
    let guard = Idempotency::builder(pool.clone())
        .lock(lock.clone())
        .build()
        .await
        .unwrap();
    let mut outside = sqlx::PgConnection::connect_with(&pool.connect_options())
        .await
        .unwrap();
    let unknown = guard
        .run("s", "unknown", async |tx| {
            tx.execute(effect("unknown")).await.unwrap();
            let server: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
                .fetch_one(&mut **tx)
                .await?;
            outside
                .execute(AssertSqlSafe(format!(
                    "SELECT pg_terminate_backend({server}, 5000)"
                )))
                .await?;
            Ok::<_, sqlx::Error>(())
        })
        .await
        .unwrap_err();
    assert!(
        matches!(
            unknown,
            RunError::Transaction(TransactionError::CommitUnknown { .. })
        ),
        "{unknown:?}"
    );
    assert!(!unknown.is_retryable());
    let key = LockKey::new(guard.namespace(), "s", "unknown");
    assert!(matches!(
        lock.acquire(&key, LEASE).await.unwrap(),
        Acquired::Granted(_)
    ));
}

on_each! {
    /// A mark that somebody made up suppresses an effect, unless marks are not trusted.
    async fn a_fabricated_mark_counts_for_nothing_where_marks_are_not_trusted(pool) {
        let lock = Arc::new(MemoryLock::new());
        let guard = Idempotency::builder(pool.clone()).lock(lock.clone()).trust_marks(false).build().await.unwrap();
        for key in ["fabricated", "not fabricated"] {
            let name = LockKey::new(guard.namespace(), "s", key);
            if key == "fabricated" {
                lock.mark_done(&name, KEEP).await.unwrap();
            }
            let run = async || guard.run("s", key, async |tx| tx.execute(effect(key)).await.map(drop)).await.unwrap();
            assert_eq!(run().await, Outcome::First(()));
            assert_eq!(run().await, Outcome::Duplicate(Duplicate::Ledger));
            assert_eq!(effects!(pool, key), 1);
        }
        // None are written either.
        let name = LockKey::new(guard.namespace(), "s", "not fabricated");
        assert!(matches!(lock.acquire(&name, LEASE).await.unwrap(), Acquired::Granted(_)));
    }
}

/// Another's lock is waited for, at most one lease long; then the ledger is asked. And a lease is extended while its
/// holder works, for much longer than it is.
#[tokio::test]
async fn anothers_lock_is_waited_for_and_ones_own_is_extended() {
    const SHORT: Duration = Duration::from_millis(300);
    let file = crate::databases::sqlite().await;
    let pool = &*file;
    let lock = Arc::new(MemoryLock::new());
    let guard = Idempotency::builder(pool.clone())
        .lock(lock.clone())
        .lease(SHORT)
        .lock_timeout(SHORT / 4)
        .command_timeout(SHORT / 4)
        .build()
        .await
        .unwrap();
    let key = LockKey::new(guard.namespace(), "s", "waited");
    // Whoever holds it has long leases, and dies.
    let _ = lock.acquire(&key, LEASE).await.unwrap();
    let started = Instant::now();
    let outcome = guard
        .run("s", "waited", async |tx| {
            tx.execute(effect("waited")).await.map(drop)
        })
        .await;
    assert_eq!(outcome.unwrap(), Outcome::First(()));
    let waited = started.elapsed();
    assert!((SHORT..LEASE / 2).contains(&waited), "{waited:?}");
    assert_eq!(guard.decisions().redis_skipped, 0);
    assert_eq!(lock.acquire(&key, LEASE).await.unwrap(), Acquired::Done);

    let key = LockKey::new(guard.namespace(), "s", "extended");
    let outcome = guard
        .run("s", "extended", async |_| {
            let started = Instant::now();
            while started.elapsed() < 3 * SHORT {
                let others = lock.acquire(&key, SHORT).await.unwrap();
                assert!(matches!(others, Acquired::Busy { .. }), "{others:?}");
                tokio::time::sleep(SHORT / 10).await;
            }
            Ok::<_, sqlx::Error>(())
        })
        .await;
    assert_eq!(outcome.unwrap(), Outcome::First(()));
}
