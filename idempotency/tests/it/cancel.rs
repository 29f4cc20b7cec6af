//! Dropping a run at any of its polls leaves no pooled connection in a transaction, no effect without its ledger row or the
//! other way round, and no lock.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use idempotency::Idempotency;
use idempotency::lock::{Acquired, Lock, LockKey, MemoryLock};
use outbox_test_harness::environment::is_full;
use sqlx::{Connection as _, Executor, MySqlConnection, PgConnection};

use crate::databases::{distant_mysql, distant_postgres, effect, sqlite};

/// Longer than the test: a lock that is not released is seen.
pub(crate) const LEASE: Duration = Duration::from_secs(120);

/// Polls `future` as often as it is woken, but at most `polls` times; true when it finished.
pub(crate) async fn poll_times(mut future: Pin<&mut (impl Future + ?Sized)>, polls: u32) -> bool {
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Waits until the lock was given back, or its key was marked as done.
pub(crate) async fn wait_until_free(lock: &MemoryLock, key: &LockKey) -> Acquired {
    for _ in 0..1_000 {
        let acquired = lock.acquire(key, LEASE).await.unwrap();
        if !matches!(acquired, Acquired::Busy { .. }) {
            return acquired;
        }
        tokio::task::yield_now().await;
    }
    panic!("the lock was kept");
}

macro_rules! dropped_at_any_poll {
    ($pool:expr, $outside:ident, $polls:expr, $least:expr, $finishes:expr) => {
        let lock = Arc::new(MemoryLock::new());
        let guard = Idempotency::builder($pool.clone())
            .lock(lock.clone())
            .lease(LEASE)
            .build()
            .await
            .unwrap();
        let (mut dropped, mut finished) = (0, 0);
        for (turn, polls) in $polls.enumerate() {
            let name = format!("turn-{turn}");
            let run = guard.run_stored("s", &name, async |tx| {
                tx.execute(effect(&name)).await.map(drop)?;
                Ok::<_, sqlx::Error>(1)
            });
            let done = poll_times(Box::pin(run).as_mut(), polls).await;
            // The next statement through the pool is committed by itself.
            let witness = format!("witness-{turn}");
            tokio::time::timeout(Duration::from_secs(10), $pool.execute(effect(&witness)))
                .await
                .unwrap()
                .unwrap();
            let seen = |name: &str| {
                let sql = format!(
                    "SELECT (SELECT COUNT(*) FROM effect WHERE name = '{name}'),
                            (SELECT COUNT(*) FROM effect WHERE name = '{witness}'),
                            (SELECT COUNT(*) FROM idempotency_ledger WHERE idempotency_key = '{name}'),
                            (SELECT COUNT(answer) FROM idempotency_ledger WHERE idempotency_key = '{name}')"
                );
                sqlx::AssertSqlSafe(sql)
            };
            let (effects, witnesses, rows, answers): (i64, i64, i64, i64) =
                sqlx::query_as(seen(&name)).fetch_one($outside!()).await.unwrap();
            assert_eq!(
                witnesses, 1,
                "dropped after {polls} polls: the pool is in a transaction"
            );
            assert_eq!((effects, effects), (rows, answers), "dropped after {polls} polls: torn");
            let key = LockKey::new(guard.namespace(), "s", &name);
            let free = wait_until_free(&lock, &key).await;
            if done {
                finished += 1;
                assert_eq!((effects, free), (1, Acquired::Done));
                if finished >= $finishes {
                    break;
                }
            } else {
                dropped += 1;
                assert!(
                    effects == 1 || free != Acquired::Done,
                    "dropped after {polls} polls: marked"
                );
            }
        }
        assert!(
            dropped >= $least && finished > 0,
            "dropped {dropped} times, finished {finished} times"
        );
    };
}

#[tokio::test]
async fn a_run_dropped_at_any_poll_on_postgres() {
    let Some(pool) = distant_postgres().await else {
        return;
    };
    let mut outside = PgConnection::connect_with(&pool.connect_options()).await.unwrap();
    macro_rules! outside {
        () => {
            &mut outside
        };
    }
    // Five statements, each of which has to be waited for.
    dropped_at_any_poll!(pool, outside, 1..200, 5, 1);
}

#[tokio::test]
async fn a_run_dropped_at_any_poll_on_mysql() {
    // In the middle of preparing a statement a dropped connection does not answer the pool's question, and keeps its place for
    // five seconds. In the short form the next statement takes another one meanwhile.
    let connections = if is_full() { 1 } else { 4 };
    let Some(pool) = distant_mysql(connections).await else {
        return;
    };
    let mut outside = MySqlConnection::connect_with(&pool.connect_options())
        .await
        .unwrap();
    macro_rules! outside {
        () => {
            &mut outside
        };
    }
    dropped_at_any_poll!(pool, outside, 1..200, 5, 1);
}

#[tokio::test]
async fn a_run_dropped_at_any_poll_on_sqlite() {
    let file = sqlite().await;
    let pool = (*file).clone();
    macro_rules! outside {
        () => {
            &pool
        };
    }
    // How many polls it takes depends on how soon the driver's thread answers, so each number comes often. With one it
    // never finishes.
    dropped_at_any_poll!(pool, outside, (0..64).map(|turn| turn % 8 + 1), 8, u32::MAX);
}
