//! The lock's part of a run of many keys.

use std::future::Future;
use std::sync::Arc;

use super::held::{Held, extending};
use super::lock::ask;
use super::{Decision, Idempotency};
use crate::database::LedgerDatabase;
use crate::lock::{Acquired, LockKey};

/// What the lock said of many keys.
#[derive(Debug, Default)]
pub(crate) struct LockedMany {
    /// Which are done, by their places.
    pub(crate) done: Vec<bool>,
    /// Whether one is another's.
    pub(crate) busy: bool,
    held: Vec<Held>,
    // Those that a mark may be written for.
    unmarked: Vec<LockKey>,
}

impl LockedMany {
    /// Runs `work`, extending the leases meanwhile.
    pub(crate) async fn during<F: Future>(&self, work: F) -> F::Output {
        tokio::select! {
            biased;
            output = work => output,
            never = extending(&self.held) => match never {},
        }
    }
}

impl<DB: LedgerDatabase> Idempotency<DB> {
    /// Asks for all the locks at once. Another's is not waited for.
    pub(crate) async fn lock_many(&self, scope: &str, keys: &[&str]) -> LockedMany {
        let mut locked = LockedMany {
            done: vec![false; keys.len()],
            ..LockedMany::default()
        };
        let Some(lock) = &self.inner.lock else {
            return locked;
        };
        let settings = self.inner.settings;
        let names: Vec<LockKey> = keys
            .iter()
            .map(|key| LockKey::new(self.inner.namespace, scope, key))
            .collect();
        let asked = async { Ok(lock.acquire_all(&names, settings.lease).await) };
        let Some(answers) = ask(settings.command_timeout, asked).await else {
            self.count(Decision::RedisSkipped);
            return locked;
        };
        let mut skipped = false;
        for ((place, key), answer) in names.into_iter().enumerate().zip(answers) {
            match answer {
                Ok(Acquired::Granted(token)) => {
                    locked
                        .held
                        .push(Held::new(Arc::clone(lock), settings, key.clone(), token));
                    locked.unmarked.push(key);
                }
                Ok(Acquired::Done) => locked.done[place] = settings.trust_marks,
                Ok(Acquired::Busy { .. }) => locked.busy = true,
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the lock failed");
                    skipped = true;
                }
            }
        }
        if skipped {
            self.count(Decision::RedisSkipped);
        }
        locked
    }

    /// After a commit: writes the marks, and the locks are gone with them. After a failure they are just dropped.
    pub(crate) async fn done_many(&self, locked: LockedMany) {
        let settings = self.inner.settings;
        if let Some(lock) = &self.inner.lock
            && settings.trust_marks
            && !locked.unmarked.is_empty()
        {
            let marking = async { Ok(lock.mark_all_done(&locked.unmarked, settings.done_ttl).await) };
            let marked = ask(settings.command_timeout, marking).await;
            if marked.is_some_and(|marks| marks.iter().all(Result::is_ok)) {
                locked.held.into_iter().for_each(Held::forget);
            }
        }
        // What is dropped otherwise is released in the background.
    }
}
