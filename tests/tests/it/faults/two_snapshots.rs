//! Two pages of a pass are two snapshots. A key's first message becomes visible below the mark after the
//! first page was read, its second is written after that and lies in the second page: it must not go first.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::Shard;
use outbox_core::relay::{
    Awaiting, Failure, Fetch, FloorRule, Holds, LeaseGrant, LeaseRequest, Page, ParkedRow, Relay,
    RelayConfig, RelayStore, ShardSet, StoreError,
};
use outbox_sqlx::Outbox;
use outbox_tests::{Open, RecordingSink};
use tokio::sync::mpsc;

use crate::support::{Kind, Running, SOON, World, message};

/// A store that stops after its first full page until it is told to go on.
struct Pausing {
    inner: Box<dyn RelayStore>,
    paused: Option<mpsc::Sender<()>>,
    go_on: mpsc::Receiver<()>,
}

#[async_trait]
impl RelayStore for Pausing {
    fn name(&self) -> &'static str {
        self.inner.name()
    }
    fn floor_rule(&self) -> FloorRule {
        self.inner.floor_rule()
    }
    async fn open(&mut self) -> Result<(), StoreError> {
        self.inner.open().await
    }
    async fn lease(&mut self, request: &LeaseRequest) -> Result<LeaseGrant, StoreError> {
        self.inner.lease(request).await
    }
    async fn leave(&mut self, relay: &str) -> Result<(), StoreError> {
        self.inner.leave(relay).await
    }
    async fn fetch(&mut self, fetch: &Fetch) -> Result<Page, StoreError> {
        let page = self.inner.fetch(fetch).await?;
        if !page.end
            && let Some(paused) = self.paused.take()
        {
            paused.send(()).await.unwrap();
            self.go_on.recv().await;
        }
        Ok(page)
    }
    async fn horizon(&mut self) -> Result<i64, StoreError> {
        self.inner.horizon().await
    }
    async fn writers(&mut self) -> Result<HashSet<String>, StoreError> {
        self.inner.writers().await
    }
    async fn holds(&mut self, relay: &str, shards: ShardSet, limit: usize) -> Result<Holds, StoreError> {
        self.inner.holds(relay, shards, limit).await
    }
    async fn clear_rewinds(&mut self, relay: &str, rewinds: &[(Shard, i64)]) -> Result<(), StoreError> {
        self.inner.clear_rewinds(relay, rewinds).await
    }
    async fn delivered(&mut self, ids: &[i64], archive: bool) -> Result<(), StoreError> {
        self.inner.delivered(ids, archive).await
    }
    async fn awaiting(&mut self, rows: &[Awaiting], archive: bool) -> Result<(), StoreError> {
        self.inner.awaiting(rows, archive).await
    }
    async fn failed(&mut self, relay: &str, failures: &[Failure]) -> Result<HashSet<i64>, StoreError> {
        self.inner.failed(relay, failures).await
    }
    async fn move_parked(&mut self, relay: &str, rows: &[ParkedRow]) -> Result<HashSet<i64>, StoreError> {
        self.inner.move_parked(relay, rows).await
    }
}

/// A relay that stops after its first page that is not the last, and the two ends to hold it by.
fn pausing_relay(
    world: &World,
    outbox: &Outbox,
    sink: &RecordingSink,
) -> (Running, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((paused, is_paused), (go_on, may_go_on)) = (mpsc::channel(1), mpsc::channel(1));
    let store = Pausing {
        inner: world.backend.store(),
        paused: Some(paused),
        go_on: may_go_on,
    };
    let mut config = RelayConfig::default();
    config.page_rows = 10;
    config.full_pass = Duration::from_secs(3600);
    let relay = Relay::new(store, sink.clone(), config)
        .unwrap()
        .with_wake(outbox.waker());
    (Running::start(relay), is_paused, go_on)
}

fn in_order(sink: &RecordingSink) {
    let of_key: Vec<_> = sink
        .payloads()
        .into_iter()
        .filter(|payload| payload != "x")
        .collect();
    assert_eq!(of_key, ["first", "second"]);
}

on_servers! {
    /// The first pass: what waits is unknown, so it is taken to be long.
    async fn a_row_that_appears_between_two_pages_keeps_its_place(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        // Ids 1 to 5, then the open one, then enough for several pages of ten.
        world
            .publish(&outbox, (0..5).map(|n| message(&format!("a{n}"), "x")))
            .await;
        let mut early = Open::begin(&world.backend, &outbox).await.unwrap();
        early.publish(&outbox, message("k", "first")).await.unwrap();
        world
            .publish(&outbox, (0..25).map(|n| message(&format!("b{n}"), "x")))
            .await;

        let (relay, mut is_paused, go_on) = pausing_relay(&world, &outbox, &sink);
        tokio::time::timeout(SOON, is_paused.recv()).await.unwrap();
        early.commit().await.unwrap();
        world.publish(&outbox, [message("k", "second")]).await;
        go_on.send(()).await.unwrap();
        sink.wait_for(32, SOON).await;
        relay.stop().await;
        in_order(&sink);
    }
}

on_servers! {
    /// A relay that had caught up meets a burst: the first page turns out not to be the last.
    async fn a_row_that_appears_between_two_pages_of_a_burst_keeps_its_place(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let (relay, mut is_paused, go_on) = pausing_relay(&world, &outbox, &sink);
        world.publish(&outbox, [message("warm", "x")]).await;
        sink.wait_for(1, SOON).await;
        let mut early = Open::begin(&world.backend, &outbox).await.unwrap();
        early.publish(&outbox, message("k", "first")).await.unwrap();
        let burst = (0..25).map(|n| message(&format!("b{n}"), "x"));
        let mut tx = Open::begin(&world.backend, &outbox).await.unwrap();
        tx.publish_all(&outbox, burst).await.unwrap();
        tx.commit().await.unwrap();

        tokio::time::timeout(SOON, is_paused.recv()).await.unwrap();
        early.commit().await.unwrap();
        world.publish(&outbox, [message("k", "second")]).await;
        go_on.send(()).await.unwrap();
        sink.wait_for(28, SOON).await;
        relay.stop().await;
        in_order(&sink);
    }
}
