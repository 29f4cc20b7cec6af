//! The whole way: outbox, relay, queue, consumer, confirmation, and back to the sender.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::confirmation::Confirming;
use outbox_core::{Capabilities, Message, PublishError, Publisher};
use outbox_sqlx::Outbox;
use outbox_tests::TOPIC;

use super::support::{Consuming, WAITING, asking, by, expire, standing, sweep};
use crate::support::{Kind, SOON, World, rounds, start};

/// Loses the first messages that it is given, and says that they were taken.
struct Losing<P> {
    publisher: P,
    to_lose: AtomicUsize,
}

#[async_trait]
impl<P: Publisher> Publisher for Losing<P> {
    fn name(&self) -> &str {
        self.publisher.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.publisher.capabilities()
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        let lost = self
            .to_lose
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(batch.len())
            });
        match lost {
            Ok(_) => vec![Ok(()); batch.len()],
            Err(_) => self.publisher.publish(batch).await,
        }
    }

    async fn probe(&self) -> Result<(), PublishError> {
        self.publisher.probe().await
    }
}

on_each! {
    /// Confirmations come while the relay settles, before and after: no deadline passes here, so each has to find its
    /// message, or its message it.
    async fn confirmations_and_settlements_find_each_other(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let queue = world.backend.queue(Duration::from_secs(30)).unwrap();
        let outbox = Outbox::new();
        let publisher: Arc<dyn Publisher> = Arc::new(queue.publisher());
        let handled = |_: Message| async { Ok(()) };
        let mut consumers = vec![Consuming::recorder(&world, &queue).await];
        for group in ["a", "b"] {
            let handler = Confirming::new(group, Arc::clone(&publisher), handled);
            consumers.push(Consuming::start(&queue, group, TOPIC, handler).await);
        }
        let relay = start(&world, &outbox, queue.publisher(), |_| {});
        let count = rounds(60, 500);
        for n in 0..count {
            world.publish(&outbox, [asking(&format!("k{}", n % 7), "1", by(&["a", "b"])).1]).await;
        }
        world.wait_empty(SOON).await;
        let confirmed = "SELECT count(*) FROM outbox_confirmation";
        world.wait_count(confirmed, i64::from(count) * 2, SOON * 4).await;
        world.wait_count(WAITING, 0, SOON).await;
        assert!(relay.stop().await.is_clean());
        for consumer in consumers {
            consumer.stop().await;
        }
    }

    async fn a_confirmation_that_is_lost_is_given_again(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let queue = world.backend.queue(Duration::from_secs(30)).unwrap();
        let outbox = Outbox::new();
        let losing = Losing { publisher: queue.publisher(), to_lose: AtomicUsize::new(1) };
        let effects = Arc::new(Mutex::new((HashSet::new(), 0)));
        let seen = Arc::clone(&effects);
        let (come, mut came) = tokio::sync::mpsc::unbounded_channel();
        let handler = move |message: Message| {
            let mut effects = seen.lock().unwrap();
            effects.1 += usize::from(effects.0.insert(message.id()));
            let _ = come.send(());
            async { Ok(()) }
        };
        let recorder = Consuming::recorder(&world, &queue).await;
        let consumer =
            Consuming::start(&queue, "a", TOPIC, Confirming::new("a", Arc::new(losing), handler)).await;
        let relay = start(&world, &outbox, queue.publisher(), |_| {});
        let (id, asks) = asking("k", "1", by(&["a"]));
        world.publish(&outbox, [asks]).await;
        tokio::time::timeout(SOON, came.recv()).await.unwrap();
        world.wait_count(WAITING, 1, SOON).await;
        world.wait_handled(&queue, "a", SOON).await;

        expire(&world).await;
        assert_eq!(sweep(&world).await.resent, 1);
        tokio::time::timeout(SOON, came.recv()).await.unwrap();
        world.wait_count("SELECT count(*) FROM outbox_confirmation", 1, SOON).await;
        world.wait_empty(SOON).await;
        world.wait_count(WAITING, 0, SOON).await;
        assert_eq!(standing(&world, id).await.confirmed.len(), 1);
        assert_eq!(effects.lock().unwrap().1, 1, "handled twice, with one effect");
        relay.stop().await;
        consumer.stop().await;
        recorder.stop().await;
    }
}
