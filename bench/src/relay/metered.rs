//! A store that passes everything on to the real one and notes when.
//!
//! So a drain is timed from the moment the relay is connected (as the bare loop is) to the end of the very DELETE
//! that settled the last message, without asking the database about it meanwhile.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::Shard;
use outbox_core::relay::{
    Awaiting, Failure, Fetch, FloorRule, Holds, LeaseGrant, LeaseRequest, Page, ParkedRow, RelayStore,
    ShardSet, StoreError,
};
use tokio::sync::watch;

use crate::clock;

/// What was noted.
#[derive(Debug)]
pub(crate) struct Meter {
    state: Mutex<State>,
    settled: watch::Sender<u64>,
    fetching: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    opened_at: Duration,
    settled_at: Duration,
    calls: BTreeMap<&'static str, Calls>,
}

/// The calls of one kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Calls {
    pub(crate) count: u64,
    pub(crate) time: Duration,
}

impl Meter {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            settled: watch::Sender::new(0),
            fetching: watch::Sender::new(false),
        })
    }

    /// When the relay had connected, by the shared clock.
    pub(crate) fn opened_at(&self) -> Duration {
        self.with(|state| state.opened_at)
    }

    /// When a message was last settled.
    pub(crate) fn settled_at(&self) -> Duration {
        self.with(|state| state.settled_at)
    }

    /// How many messages are settled; to be watched.
    pub(crate) fn settled(&self) -> watch::Receiver<u64> {
        self.settled.subscribe()
    }

    /// Whether the relay has begun to read; to be watched.
    pub(crate) fn fetching(&self) -> watch::Receiver<bool> {
        self.fetching.subscribe()
    }

    /// The calls by their kind.
    pub(crate) fn calls(&self) -> BTreeMap<&'static str, Calls> {
        self.with(|state| state.calls.clone())
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a call that began at `begun` and ends now.
    fn note(&self, call: &'static str, begun: Duration) -> Duration {
        let now = clock::now();
        self.with(|state| {
            let calls = state.calls.entry(call).or_default();
            calls.count += 1;
            calls.time += now.saturating_sub(begun);
        });
        now
    }
}

/// The real store and its meter.
pub(crate) struct MeteredStore {
    inner: Box<dyn RelayStore>,
    meter: Arc<Meter>,
}

impl MeteredStore {
    pub(crate) fn new(inner: Box<dyn RelayStore>, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }
}

#[async_trait]
impl RelayStore for MeteredStore {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn floor_rule(&self) -> FloorRule {
        self.inner.floor_rule()
    }

    async fn open(&mut self) -> Result<(), StoreError> {
        let begun = clock::now();
        self.inner.open().await?;
        let now = self.meter.note("open", begun);
        self.meter.with(|state| state.opened_at = now);
        Ok(())
    }

    async fn lease(&mut self, request: &LeaseRequest) -> Result<LeaseGrant, StoreError> {
        let begun = clock::now();
        let answer = self.inner.lease(request).await;
        self.meter.note("lease", begun);
        answer
    }

    async fn leave(&mut self, relay: &str) -> Result<(), StoreError> {
        self.inner.leave(relay).await
    }

    async fn fetch(&mut self, fetch: &Fetch) -> Result<Page, StoreError> {
        self.meter
            .fetching
            .send_if_modified(|fetching| !std::mem::replace(fetching, true));
        let begun = clock::now();
        let answer = self.inner.fetch(fetch).await;
        self.meter.note("fetch", begun);
        answer
    }

    async fn horizon(&mut self) -> Result<i64, StoreError> {
        let begun = clock::now();
        let answer = self.inner.horizon().await;
        self.meter.note("horizon", begun);
        answer
    }

    async fn writers(&mut self) -> Result<HashSet<String>, StoreError> {
        let begun = clock::now();
        let answer = self.inner.writers().await;
        self.meter.note("writers", begun);
        answer
    }

    async fn holds(&mut self, relay: &str, shards: ShardSet, limit: usize) -> Result<Holds, StoreError> {
        let begun = clock::now();
        let answer = self.inner.holds(relay, shards, limit).await;
        self.meter.note("holds", begun);
        answer
    }

    async fn clear_rewinds(&mut self, relay: &str, rewinds: &[(Shard, i64)]) -> Result<(), StoreError> {
        self.inner.clear_rewinds(relay, rewinds).await
    }

    async fn delivered(&mut self, ids: &[i64], archive: bool) -> Result<(), StoreError> {
        let begun = clock::now();
        self.inner.delivered(ids, archive).await?;
        let now = self.meter.note("settle", begun);
        self.meter.with(|state| state.settled_at = now);
        self.meter
            .settled
            .send_modify(|settled| *settled += ids.len() as u64);
        Ok(())
    }

    async fn awaiting(&mut self, rows: &[Awaiting], archive: bool) -> Result<(), StoreError> {
        let begun = clock::now();
        self.inner.awaiting(rows, archive).await?;
        let now = self.meter.note("await", begun);
        self.meter.with(|state| state.settled_at = now);
        self.meter
            .settled
            .send_modify(|settled| *settled += rows.len() as u64);
        Ok(())
    }

    async fn failed(&mut self, relay: &str, failures: &[Failure]) -> Result<HashSet<i64>, StoreError> {
        self.inner.failed(relay, failures).await
    }

    async fn move_parked(&mut self, relay: &str, rows: &[ParkedRow]) -> Result<HashSet<i64>, StoreError> {
        self.inner.move_parked(relay, rows).await
    }
}
