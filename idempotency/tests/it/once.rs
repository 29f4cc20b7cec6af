//! One effect, whatever happens at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use idempotency::lock::MemoryLock;
use idempotency::{Idempotency, Outcome, RunError};
use sqlx::Executor;
use tokio::sync::oneshot;

use crate::databases::{Waiting, effect, effects, on_each, rows};

const RACERS: usize = 16;

on_each! {
    /// Whoever looks first and writes last does it twice here.
    async fn sixteen_runs_of_one_key_have_one_effect(pool) {
        for (key, locked) in [("bare", false), ("locked", true)] {
            let mut builder = Idempotency::builder(pool.clone());
            if locked {
                builder = builder.lock(Arc::new(MemoryLock::new()));
            }
            let guard = builder.build().await.unwrap();
            let started = Arc::new(AtomicU32::new(0));
            let racers: Vec<_> = (0..RACERS)
                .map(|_| {
                    let (guard, started) = (guard.clone(), started.clone());
                    tokio::spawn(async move {
                        guard
                            .run("s", key, async |tx| {
                                started.fetch_add(1, Ordering::Relaxed);
                                tx.execute(effect(key)).await.map(drop)
                            })
                            .await
                    })
                })
                .collect();
            let mut firsts = 0;
            for racer in racers {
                if let Outcome::First(()) = racer.await.unwrap().unwrap() {
                    firsts += 1;
                }
            }
            assert_eq!((firsts, effects!(pool, key), rows!(pool, key)), (1, 1, 1));
            assert_eq!(started.load(Ordering::Relaxed), 1);
            let decisions = guard.decisions();
            assert_eq!(decisions.first, 1);
            assert_eq!(decisions.duplicate_ledger + decisions.duplicate_mark, RACERS as u64 - 1);
        }
    }
}

on_each! {
    /// On InnoDB the two that wait both get the row's gap when the first one is gone, and then wait for each other.
    async fn after_a_rollback_one_of_those_that_wait_does_it(pool) {
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        for round in 0..3 {
            let key = format!("three-{round}");
            let (began, begun) = oneshot::channel();
            let (go_on, gone_on) = oneshot::channel::<()>();
            let first = {
                let (guard, key) = (guard.clone(), key.clone());
                tokio::spawn(async move {
                    guard
                        .run("s", &key, async |tx| {
                            tx.execute(effect(&key)).await.unwrap();
                            began.send(()).unwrap();
                            gone_on.await.unwrap();
                            Err::<(), _>("refused")
                        })
                        .await
                })
            };
            begun.await.unwrap();
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let (guard, key) = (guard.clone(), key.clone());
                    tokio::spawn(async move {
                        guard.run("s", &key, async |tx| tx.execute(effect(&key)).await.map(drop)).await
                    })
                })
                .collect();
            pool.wait_until_waiting(2).await;
            go_on.send(()).unwrap();
            assert!(matches!(first.await.unwrap(), Err(RunError::Work("refused"))));
            let mut firsts = 0;
            for other in others {
                if let Outcome::First(()) = other.await.unwrap().unwrap() {
                    firsts += 1;
                }
            }
            assert_eq!((firsts, effects!(pool, key), rows!(pool, key)), (1, 1, 1));
        }
    }
}

on_each! {
    /// A ledger row that is not in the work's transaction is still there afterwards, and the work is never done.
    async fn what_failed_or_panicked_is_done_by_the_next(pool) {
        let guard = Idempotency::builder(pool.clone()).lock(Arc::new(MemoryLock::new())).build().await.unwrap();
        let failed = guard
            .run("s", "failing", async |tx| {
                tx.execute(effect("failing")).await.unwrap();
                Err::<(), _>("refused")
            })
            .await;
        assert!(matches!(failed, Err(RunError::Work("refused"))));
        assert_eq!((effects!(pool, "failing"), rows!(pool, "failing")), (0, 0));

        let panicking = {
            let guard = guard.clone();
            tokio::spawn(async move {
                guard
                    .run("s", "failing", async |tx| {
                        tx.execute(effect("failing")).await.unwrap();
                        if tx.execute("SELECT 1").await.is_ok() {
                            panic!("on purpose");
                        }
                        Ok::<_, sqlx::Error>(())
                    })
                    .await
            })
        };
        assert!(panicking.await.unwrap_err().is_panic());
        assert_eq!((effects!(pool, "failing"), rows!(pool, "failing")), (0, 0));

        let outcome = guard.run("s", "failing", async |tx| tx.execute(effect("failing")).await.map(drop)).await;
        assert_eq!(outcome.unwrap(), Outcome::First(()));
        assert_eq!((effects!(pool, "failing"), rows!(pool, "failing")), (1, 1));
    }
}

on_each! {
    /// Web frameworks ask for handlers that are Send; the closure borrows what the handler has.
    async fn a_run_can_be_spawned_with_a_closure_that_borrows(pool) {
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        let handler = async move {
            let names = vec!["one".to_owned(), "two".to_owned()];
            let names = &names;
            guard
                .operation("s", "spawned")
                .fingerprint("body")
                .run_stored(async |tx| {
                    for name in names {
                        tx.execute(effect(name)).await?;
                    }
                    Ok::<_, sqlx::Error>(names.len())
                })
                .await
        };
        assert_eq!(tokio::spawn(handler).await.unwrap().unwrap().into_inner(), 2);
    }
}

/// Without a line of their own, most of these find the database locked for longer than they wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_want_to_write_take_turns_on_sqlite() {
    let file = crate::databases::sqlite_with(Duration::from_millis(10)).await;
    let guard = Idempotency::builder((*file).clone()).build().await.unwrap();
    let runs: Vec<_> = (0..RACERS)
        .map(|run| {
            let guard = guard.clone();
            tokio::spawn(async move {
                guard
                    .run("s", &run.to_string(), async |tx| {
                        tx.execute(effect("turn")).await?;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Ok::<_, sqlx::Error>(())
                    })
                    .await
            })
        })
        .collect();
    for run in runs {
        assert_eq!(run.await.unwrap().unwrap(), Outcome::First(()));
    }
    assert_eq!(effects!(file, "turn"), RACERS as i64);
}
