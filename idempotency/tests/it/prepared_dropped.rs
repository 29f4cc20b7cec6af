//! Dropping the handling of a message at any of its polls, in either step, leaves pool, ledger and lock usable: the message is
//! handled once when it comes again.

use std::sync::Arc;
use std::time::Duration;

use idempotency::Idempotency;
use idempotency::lock::{Acquired, Lock, LockKey, MemoryLock};
use outbox_core::consumer::Handler;
use outbox_sqlx::Outbox;
use outbox_test_harness::environment::is_full;
use sqlx::{Executor, MySqlPool, PgPool};

use crate::cancel::{LEASE, poll_times, wait_until_free};
use crate::databases::{distant_mysql, distant_postgres, effect, effects, rows, sqlite};
use crate::prepared::{Charge, GROUP, deliver, message};

/// Longer than anything takes that is not stuck.
const STUCK: Duration = Duration::from_secs(10);

/// Turns until one of them gives up: more than it takes on a busy machine.
const TURNS: u32 = 1_000;

macro_rules! dropped_at_any_poll {
    ($pool:expr, $outside:expr, $polls:expr, $least:expr) => {
        let outside = $outside;
        outbox_sqlx::migrate(&$pool).await.unwrap();
        let lock = Arc::new(MemoryLock::new());
        let guard = Idempotency::builder($pool.clone())
            .lock(lock.clone())
            .lease(LEASE)
            .build()
            .await
            .unwrap();
        let charge = Charge::new(&$pool, 0, 0);
        let consumer = guard.prepared_consumer(GROUP, Outbox::new(), charge).unwrap();
        let (mut dropped, mut finished) = (0, 0);
        for (turn, polls) in (0..TURNS).zip($polls) {
            let message = message();
            let delivery = deliver(&message);
            let done = poll_times(consumer.handle(&delivery).as_mut(), polls).await;
            // The next statement through the pool is committed by itself.
            let witness = format!("witness-{turn}");
            tokio::time::timeout(STUCK, $pool.execute(effect(&witness)))
                .await
                .unwrap()
                .unwrap();
            let before = i64::from(turn);
            assert_eq!(
                effects!(outside, witness),
                1,
                "dropped after {polls} polls: the pool is in a transaction"
            );
            let handled = effects!(outside, "answered") - before;
            assert_eq!(
                handled,
                rows!(outside, message.id()),
                "dropped after {polls} polls: torn"
            );
            let key = LockKey::new(guard.namespace(), GROUP, &message.id().to_string());
            match wait_until_free(&lock, &key).await {
                Acquired::Granted(token) => assert!(lock.release(&key, token).await.unwrap()),
                free => assert_eq!(
                    (free, handled),
                    (Acquired::Done, 1),
                    "dropped after {polls} polls"
                ),
            }
            // It comes again.
            tokio::time::timeout(STUCK, consumer.handle(&deliver(&message)))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(
                effects!(outside, "answered"),
                before + 1,
                "dropped after {polls} polls"
            );
            assert_eq!(rows!(outside, message.id()), 1);
            match done {
                true => finished += 1,
                false => dropped += 1,
            }
            if dropped >= $least && finished > 0 {
                break;
            }
        }
        assert!(
            dropped >= $least && finished > 0,
            "dropped {dropped} times, finished {finished} times"
        );
    };
}

#[tokio::test]
async fn a_handling_dropped_at_any_poll_on_postgres() {
    let Some(pool) = distant_postgres().await else {
        return;
    };
    let outside = PgPool::connect_lazy_with((*pool.connect_options()).clone());
    // One statement of the first step, and six of the second, each of which has to be waited for.
    dropped_at_any_poll!(pool, &outside, 1.., 7);
}

#[tokio::test]
async fn a_handling_dropped_at_any_poll_on_mysql() {
    // As in `cancel`: the place of a dropped connection is free again after five seconds.
    let connections = if is_full() { 1 } else { 4 };
    let Some(pool) = distant_mysql(connections).await else {
        return;
    };
    let outside = MySqlPool::connect_lazy_with((*pool.connect_options()).clone());
    dropped_at_any_poll!(pool, &outside, 1.., 7);
}

#[tokio::test]
async fn a_handling_dropped_at_any_poll_on_sqlite() {
    let file = sqlite().await;
    let pool = (*file).clone();
    // How many polls it takes depends on how soon the driver's thread answers, so each number comes often.
    dropped_at_any_poll!(pool, &pool, (1..=16).cycle(), 64);
}
