//! A handler that takes three times as long as the lock's lease.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use idempotency::consumer::NoOutbox;
use idempotency::lock::{Lock, RedisLock};
use idempotency::{Decisions, Idempotency};
use outbox_core::Message;
use outbox_core::consumer::Handler as _;
use outbox_test_harness::{RedisOptions, requirement};
use outbox_tests::{Effects, FaultyLock, LockFault};
use sqlx::Postgres;

use super::effect::{Effect, GROUP, delivery, ledger};

const CONSUMERS: usize = 16;
const LEASE: Duration = Duration::from_millis(400);

/// One message comes to all of them at once, and again until each has dealt with it.
async fn slow(name: &str, lock: Arc<dyn Lock>) -> Option<Decisions> {
    let database = requirement::shared_postgres_database()?;
    let pool = ledger(database.url(), CONSUMERS).await;
    let guard = Idempotency::builder(pool.clone())
        .lock(lock)
        .lease(LEASE)
        .command_timeout(LEASE / 8)
        .lock_timeout(LEASE / 4)
        .build()
        .await
        .unwrap();
    let effect = Effect {
        takes: LEASE * 3,
        ..Effect::default()
    };
    let runs = Arc::clone(&effect.runs);
    let handler = guard.consumer(GROUP, NoOutbox, effect).unwrap();
    let message = Message::builder("slow").build().unwrap();
    let delivery = delivery(&message);
    join_all((0..CONSUMERS).map(|_| async {
        while let Err(error) = handler.handle(&delivery).await {
            assert!(error.is_not_now(), "{error}");
        }
    }))
    .await;
    let effects = Postgres::effects(&pool, GROUP).await.unwrap();
    let decisions = guard.decisions();
    println!(
        "{name}: effects={effects:?} handler_runs={} {decisions:?}",
        runs.load(Ordering::Relaxed)
    );
    assert_eq!(effects.values().sum::<usize>(), 1);
    assert_eq!((runs.load(Ordering::Relaxed), decisions.first), (1, 1));
    pool.close().await;
    Some(decisions)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_lock_is_extended() {
    let Some(redis) = requirement::private_redis(&RedisOptions::new()) else {
        return;
    };
    let lock = RedisLock::builder(&redis.url())
        .command_timeout(LEASE / 10)
        .build()
        .unwrap();
    // Others wait for at most one lease, and then for the ledger; nobody else gets the lock.
    slow("extended", Arc::new(lock)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_lock_is_everybodys() {
    let Some(decisions) = slow("granted to all", Arc::new(FaultyLock::new(LockFault::GrantsAll))).await
    else {
        return;
    };
    assert_eq!(decisions.duplicate_ledger, 15, "the ledger alone kept them apart");
    assert!(decisions.busy > 0, "none of them waited longer than it may");
}
