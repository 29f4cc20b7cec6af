//! sqlx 0.9.0: a `pool.begin()` that is dropped after BEGIN was sent leaves its connection in a transaction.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use outbox_sqlx::Outbox;
use sqlx::{Executor, PgPool};

use crate::databases::{distant_postgres_pool, outsider};

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

/// Whether an insert through the pool is committed on its own, as seen from outside.
async fn autocommits(pool: &PgPool) -> bool {
    pool.execute("INSERT INTO witness VALUES (1)").await.unwrap();
    let mut outside = outsider(pool).await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM witness")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    rows > 0
}

async fn pool_with_witness() -> Option<PgPool> {
    // One connection, so that the next statement gets the one whose begin was cancelled.
    let pool = distant_postgres_pool(1).await?;
    pool.execute("CREATE TABLE witness (n int)").await.unwrap();
    Some(pool)
}

#[tokio::test]
async fn the_pools_own_begin_poisons_the_pool_when_dropped() {
    let mut poisoned = false;
    for polls in 1..8 {
        let Some(pool) = pool_with_witness().await else {
            return;
        };
        let finished = poll_times(Box::pin(pool.begin()).as_mut(), polls).await;
        if finished {
            break;
        }
        tokio::time::timeout(Duration::from_secs(5), async {
            poisoned |= !autocommits(&pool).await
        })
        .await
        .unwrap();
    }
    assert!(
        poisoned,
        "sqlx is fixed: a dropped pool.begin() no longer leaves its connection in a transaction, \
         so src/begin.rs and what is said of it can go"
    );
}

#[tokio::test]
async fn ours_does_not() {
    let outbox = Outbox::new();
    for (dropped, polls) in (1..50).enumerate() {
        let Some(pool) = pool_with_witness().await else {
            return;
        };
        let finished = poll_times(Box::pin(outbox.begin(&pool)).as_mut(), polls).await;
        assert!(autocommits(&pool).await, "begin dropped after {polls} polls");
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()",
        )
        .fetch_one(&mut outsider(&pool).await)
        .await
        .unwrap();
        assert_eq!(open, 0);
        if finished {
            assert!(dropped >= 2, "no begin was dropped after BEGIN was sent");
            return;
        }
    }
    panic!("begin never finishes");
}

/// A begin that waits for a connection gives its place back when it is dropped.
#[tokio::test]
async fn dropped_waiters_do_not_keep_connections() {
    let Some(pool) = pool_with_witness().await else {
        return;
    };
    let outbox = Outbox::new();
    let held = outbox.begin(&pool).await.unwrap();
    for _ in 0..20 {
        assert!(!poll_times(Box::pin(outbox.begin(&pool)).as_mut(), 1).await);
    }
    drop(held);
    tokio::time::timeout(Duration::from_secs(5), autocommits(&pool))
        .await
        .unwrap();
}
