//! Locks that do wrong what a lock can do wrong. The outcomes are those without one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use idempotency::lock::{Acquired, Lock, LockError, LockKey, MemoryLock, Token, Unavailable};
use idempotency::{Idempotency, Outcome};
use sqlx::Executor;

use crate::databases::{effect, effects, on_each, rows};

const LEASE: Duration = Duration::from_millis(400);
const KEYS: usize = 4;
const DELIVERIES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Redis that was restarted, failed over, or evicts: everybody gets the lock.
    GrantsAll,
    /// A holder that died, over and over.
    GrantsNone,
    /// Redis is away.
    Fails,
    /// Redis is frozen.
    Hangs,
    /// What it was told is gone at once, done marks too.
    Forgets,
    /// It answers late, about as late as is waited for it.
    Delays,
}

const FAULTS: [Fault; 6] = [
    Fault::GrantsAll,
    Fault::GrantsNone,
    Fault::Fails,
    Fault::Hangs,
    Fault::Forgets,
    Fault::Delays,
];

struct FaultyLock {
    fault: Fault,
    good: MemoryLock,
    calls: AtomicU64,
}

impl FaultyLock {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            good: MemoryLock::new(),
            calls: AtomicU64::new(0),
        })
    }

    async fn goes_wrong(&self) -> Result<(), LockError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::Fails => Err(Unavailable::Failed(Arc::new(std::io::Error::other("on purpose"))).into()),
            Fault::Hangs => std::future::pending().await,
            Fault::Delays => {
                tokio::time::sleep(Duration::from_millis(call % 3 * 10)).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Lock for FaultyLock {
    async fn acquire(&self, key: &LockKey, lease: Duration) -> Result<Acquired, LockError> {
        self.goes_wrong().await?;
        Ok(match self.fault {
            Fault::GrantsAll | Fault::Forgets => Acquired::Granted(Token::random()),
            Fault::GrantsNone => Acquired::Busy { left: lease },
            _ => self.good.acquire(key, lease).await?,
        })
    }

    async fn extend(&self, key: &LockKey, token: Token, lease: Duration) -> Result<bool, LockError> {
        self.goes_wrong().await?;
        self.good.extend(key, token, lease).await
    }

    async fn release(&self, key: &LockKey, token: Token) -> Result<bool, LockError> {
        self.goes_wrong().await?;
        self.good.release(key, token).await
    }

    async fn mark_done(&self, key: &LockKey, keep: Duration) -> Result<(), LockError> {
        self.goes_wrong().await?;
        match self.fault {
            Fault::Forgets => Ok(()),
            _ => self.good.mark_done(key, keep).await,
        }
    }
}

on_each! {
    /// I12, and I5 with whatever the lock does.
    async fn outcomes_are_those_without_a_lock(pool) {
        let faults: Vec<_> = FAULTS
            .into_iter()
            .map(|fault| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    let guard = Idempotency::builder(pool)
                        .lock(FaultyLock::new(fault))
                        .lease(LEASE)
                        .command_timeout(Duration::from_millis(20))
                        .lock_timeout(LEASE / 4)
                        .build()
                        .await
                        .unwrap();
                    let runs: Vec<_> = (0..KEYS * DELIVERIES)
                        .map(|run| {
                            let guard = guard.clone();
                            tokio::spawn(async move {
                                let key = format!("{fault:?}-{}", run % KEYS);
                                loop {
                                    let outcome = guard
                                        .run("s", &key, async |tx| tx.execute(effect(&key)).await.map(drop))
                                        .await;
                                    match outcome {
                                        // As a queue would: it comes again.
                                        Err(error) if error.is_retryable() => continue,
                                        outcome => return outcome.unwrap(),
                                    }
                                }
                            })
                        })
                        .collect();
                    let mut firsts = 0;
                    for run in runs {
                        firsts += usize::from(run.await.unwrap() == Outcome::First(()));
                    }
                    (fault, firsts, guard.decisions().redis_skipped)
                })
            })
            .collect();
        for fault in faults {
            let (fault, firsts, skipped) = fault.await.unwrap();
            assert_eq!(firsts, KEYS, "{fault:?}");
            for key in 0..KEYS {
                let key = format!("{fault:?}-{key}");
                assert_eq!((effects!(pool, key), rows!(pool, key)), (1, 1), "{key}");
            }
            match fault {
                // Once for each that had to go on without it.
                Fault::Fails | Fault::Hangs => assert!(skipped >= (KEYS * DELIVERIES) as u64, "{fault:?} {skipped}"),
                Fault::Delays => {}
                _ => assert_eq!(skipped, 0, "{fault:?}"),
            }
        }
    }
}
