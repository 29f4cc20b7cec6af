use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use super::config::{EXTENSIONS_PER_LEASE, Settings};
use super::lock::ask;
use crate::lock::{Lock, LockKey, Token};

/// A lock that is ours. Dropped, it is released in the background, or runs out with its lease.
pub(crate) struct Held {
    lock: Arc<dyn Lock>,
    settings: Settings,
    key: LockKey,
    // None once there is nothing to release.
    token: Option<Token>,
}

impl Held {
    pub(super) fn new(lock: Arc<dyn Lock>, settings: Settings, key: LockKey, token: Token) -> Self {
        Self {
            lock,
            settings,
            key,
            token: Some(token),
        }
    }

    pub(super) fn key(&self) -> &LockKey {
        &self.key
    }

    /// Lets the lease begin anew; false when there is no use in asking again.
    async fn extend(&self) -> bool {
        let Some(token) = self.token else {
            return false;
        };
        let extended = self.lock.extend(&self.key, token, self.settings.lease);
        ask(self.settings.command_timeout, extended).await != Some(false)
    }

    /// The mark is in its place.
    pub(super) fn forget(mut self) {
        self.token = None;
    }

    pub(super) async fn release(mut self) {
        if let Some(token) = self.token {
            // Until it has answered, dropping this releases again: a release by token does no harm twice.
            ask(self.settings.command_timeout, self.lock.release(&self.key, token)).await;
            self.token = None;
        }
    }
}

/// Extends these leases for as long as it is polled. A lock that was lost is not asked for again: whoever has it now meets
/// our row in the ledger.
pub(super) async fn extending(held: &[Held]) -> Infallible {
    let mut ours: Vec<&Held> = held.iter().collect();
    while let Some(first) = ours.first() {
        tokio::time::sleep(first.settings.lease / EXTENSIONS_PER_LEASE).await;
        let mut still_ours = Vec::with_capacity(ours.len());
        for held in ours {
            if held.extend().await {
                still_ours.push(held);
            } else {
                tracing::debug!("a lock was lost while its holder worked");
            }
        }
        ours = still_ours;
    }
    std::future::pending().await
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(token) = self.token.take()
            // Without a runtime the process is on its way out, and the lease runs out.
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (lock, key, timeout) = (
                Arc::clone(&self.lock),
                self.key.clone(),
                self.settings.command_timeout,
            );
            runtime.spawn(async move { ask(timeout, lock.release(&key, token)).await });
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
