//! The lock's part of a run. Whatever the lock does, the run goes on: only a done mark ends it here.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::held::{Held, extending};
use super::{Decision, Idempotency};
use crate::database::LedgerDatabase;
use crate::ledger::name::Name;
use crate::lock::{Acquired, LockError, LockKey};

/// The first wait for another's lock; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(5);

/// The longest wait before another's lock is asked for again.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// What the lock said.
#[derive(Debug)]
pub(crate) enum Locked {
    /// It is done, and committed.
    Done,
    /// It is ours.
    Held(Held),
    /// It is another's for longer than one waits, or there is a mark that is not believed.
    NotOurs(LockKey),
    /// There is none, or it does not answer.
    Without,
}

impl Locked {
    /// Runs `work`, extending the lease meanwhile if there is one.
    pub(crate) async fn during<F: Future>(&self, work: F) -> F::Output {
        let Self::Held(held) = self else {
            return work.await;
        };
        tokio::select! {
            biased;
            output = work => output,
            never = extending(std::slice::from_ref(held)) => match never {},
        }
    }
}

impl<DB: LedgerDatabase> Idempotency<DB> {
    /// Asks for the lock, and waits for another's at most one lease long.
    pub(crate) async fn lock(&self, name: Name<'_>) -> Locked {
        let Some(lock) = &self.inner.lock else {
            return Locked::Without;
        };
        let settings = self.inner.settings;
        let key = LockKey::new(self.inner.namespace, name.scope, name.key);
        let until = Instant::now() + settings.lease;
        let mut longest = FIRST_WAIT;
        loop {
            match self.ask(lock.acquire(&key, settings.lease)).await {
                None => {
                    self.count(Decision::RedisSkipped);
                    return Locked::Without;
                }
                Some(Acquired::Granted(token)) => {
                    return Locked::Held(Held::new(Arc::clone(lock), settings, key, token));
                }
                Some(Acquired::Done) if settings.trust_marks => return Locked::Done,
                Some(Acquired::Done) => return Locked::NotOurs(key),
                Some(Acquired::Busy { left }) => {
                    let rest = until.saturating_duration_since(Instant::now());
                    if rest.is_zero() {
                        return Locked::NotOurs(key);
                    }
                    let jittered = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
                    // Not 0, which would ask without a pause.
                    tokio::time::sleep(jittered.min(left).min(rest).max(Duration::from_millis(1))).await;
                    longest = (longest * 2).min(LONGEST_WAIT);
                }
            }
        }
    }

    /// After a commit, or after the ledger said so: writes the mark, and the lock is gone with it.
    pub(crate) async fn done(&self, locked: Locked) {
        let (key, held) = match locked {
            Locked::Held(held) => (held.key().clone(), Some(held)),
            Locked::NotOurs(key) => (key, None),
            // A mark is there, or the lock did not answer a moment ago.
            Locked::Done | Locked::Without => return,
        };
        let settings = self.inner.settings;
        let marked = match &self.inner.lock {
            Some(lock) if settings.trust_marks => {
                self.ask(lock.mark_done(&key, settings.done_ttl)).await.is_some()
            }
            _ => false,
        };
        match held {
            Some(held) if marked => held.forget(),
            Some(held) => held.release().await,
            None => {}
        }
    }

    /// After a failure: the next one may have it at once.
    pub(crate) async fn not_done(&self, locked: Locked) {
        if let Locked::Held(held) = locked {
            held.release().await;
        }
    }

    /// A call to the lock, which may fail or take too long; that is written down, and is no failure of ours.
    async fn ask<T>(&self, call: impl Future<Output = Result<T, LockError>>) -> Option<T> {
        ask(self.inner.settings.command_timeout, call).await
    }
}

/// A call to a lock that may take this long.
pub(super) async fn ask<T>(timeout: Duration, call: impl Future<Output = Result<T, LockError>>) -> Option<T> {
    match tokio::time::timeout(timeout, call).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(error = &error as &dyn std::error::Error, "the lock failed");
            None
        }
        Err(_) => {
            tracing::debug!(?timeout, "the lock did not answer in time");
            None
        }
    }
}
