//! Processes that die in the middle.

use std::time::Duration;

use outbox_sqlx::Outbox;
use outbox_tests::on_pool;

use super::support::{Consuming, WAITING, asking, by, record};
use crate::support::{Kind, SOON, World, start, terminate, terminate_consumer};

on_each! {
    /// It was published and the relay died: it is published again, and waits once.
    async fn a_relay_killed_between_publishing_and_settling(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, journal) = (Outbox::new(), world.journal());
        let (id, asks) = asking("k", "1", by(&["a"]));
        world.publish(&outbox, [asks]).await;
        let mut dying = world.spawn_relay(&["--abort-after", "1"]);
        assert!(!dying.wait_timeout(SOON).unwrap().success());
        assert_eq!((journal.read().unwrap().len(), world.backend.count(WAITING).await.unwrap()), (1, 0));
        let relay = world.spawn_relay(&[]);
        world.wait_empty(SOON).await;
        terminate(relay);
        assert_eq!((journal.read().unwrap().len(), world.backend.count(WAITING).await.unwrap()), (2, 1));
        assert_eq!(record(&world, id, "a").await, outbox_sqlx::confirmations::Recorded::Confirmed);
    }
}

on_servers! {
    /// Its effect is committed, and it dies before it has confirmed and acknowledged: the message comes again, is dropped as
    /// a duplicate, and is confirmed all the same.
    async fn a_consumer_killed_between_commit_and_confirmation(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let queue = world.backend.queue(Duration::from_secs(1)).unwrap();
        let outbox = Outbox::new();
        let recorder = Consuming::recorder(&world, &world.backend.queue(Duration::from_secs(30)).unwrap()).await;
        let relay = start(&world, &outbox, queue.publisher(), |_| {});
        let never = world.scratch.path().join("never").display().to_string();
        let mut dying = world.spawn_consumer("a", &["--confirm", "--hold-committed", &never]);
        world.publish(&outbox, [asking("k", "1", by(&["a"])).1]).await;
        dying.line_where(SOON, |line| line == "committed").unwrap();
        dying.kill9().unwrap();
        world.wait_empty(SOON).await;
        assert_eq!(world.backend.count(WAITING).await.unwrap(), 1, "nobody has confirmed");
        let consumer = world.spawn_consumer("a", &["--confirm"]);
        world.wait_count(WAITING, 0, SOON).await;
        world.wait_handled(&queue, "a", SOON).await;
        assert!(world.journal_of("a").read().unwrap().len() >= 2, "it came again");
        let effects: i64 = on_pool!(&world.backend, pool => sqlx::query_scalar("SELECT count(*) FROM effect").fetch_one(pool).await.unwrap());
        assert_eq!(effects, 1);
        terminate_consumer(consumer);
        relay.stop().await;
        recorder.stop().await;
    }
}
