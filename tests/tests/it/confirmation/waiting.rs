//! Messages wait for their confirmations, whatever order they come in.

use std::time::Duration;

use outbox_core::MessageId;
use outbox_sqlx::Outbox;
use outbox_sqlx::confirmations::Recorded;
use outbox_sqlx::maintenance::{Retention, purge};
use outbox_tests::{RecordingSink, on_pool};

use super::support::{
    CONFIRMED, DEAD, LONG, WAITING, asking, by, expire, groups_of, pending, record, record_all, standing,
    sweep,
};
use crate::support::{Kind, SOON, World, message, rounds, start};

on_each! {
    /// Key order is not held by what waits: the next message of the key is delivered meanwhile.
    async fn a_message_waits_until_all_have_confirmed(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (id, asks) = asking("k", "1", by(&["a", "b"]));
        world.publish(&outbox, [asks, message("k", "2")]).await;
        sink.wait_for(2, SOON).await;
        world.wait_empty(SOON).await;
        relay.stop().await;
        assert_eq!(sink.payloads(), ["1", "2"]);
        assert_eq!(world.backend.count(WAITING).await.unwrap(), 1, "the other one left nothing");
        let awaiting = "SELECT count(*) FROM outbox_status WHERE state = 'awaiting'";
        assert_eq!(world.backend.count(awaiting).await.unwrap(), 1);

        assert_eq!(record(&world, id, "a").await, Recorded::Noted);
        assert_eq!(record(&world, id, "a").await, Recorded::Noted, "twice is once");
        assert_eq!(record(&world, id, "stranger").await, Recorded::Noted, "nobody asked it");
        let listed = pending(&world).await;
        assert_eq!(listed.len(), 1);
        let listed = &listed[0];
        assert_eq!((listed.id, &*listed.topic, listed.key.as_deref()), (id, "work.done", Some("k")));
        assert_eq!(listed.missing, ["b"]);
        assert_eq!(listed.confirmed.iter().map(|c| &*c.group).collect::<Vec<_>>(), ["a"]);
        assert_eq!((listed.resends, listed.max_resends, listed.at_least), (0, 5, 2));
        assert!(listed.since >= listed.created_at);
        assert_eq!(listed.deadline.duration_since(listed.since).unwrap(), LONG);
        assert_eq!(standing(&world, id).await.awaiting.as_ref(), Some(listed));

        assert_eq!(record(&world, id, "b").await, Recorded::Confirmed);
        assert_eq!(world.backend.count(WAITING).await.unwrap(), 0);
        assert_eq!(record(&world, id, "b").await, Recorded::Noted);
        assert_eq!(groups_of(&standing(&world, id).await), ["a", "b", "stranger"]);
        assert_eq!(world.backend.count(DEAD).await.unwrap(), 0);
    }

    async fn a_confirmation_may_overtake_the_settlement(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let (id, asks) = asking("k", "1", by(&["a", "b"]));
        let (half, other) = asking("k", "2", by(&["a", "b"]));
        for (id, group) in [(id, "a"), (id, "b"), (half, "a")] {
            assert_eq!(record(&world, id, group).await, Recorded::Noted);
        }
        world.publish(&outbox, [asks, other]).await;
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        sink.wait_for(2, SOON).await;
        world.wait_empty(SOON).await;
        world.wait_count(WAITING, 1, SOON).await;
        relay.stop().await;
        let listed = pending(&world).await;
        assert_eq!((listed[0].id, &*listed[0].missing), (half, &["b".to_owned()][..]));
    }

    async fn some_of_the_groups_may_be_enough(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (id, asks) = asking("k", "1", by(&["a", "b", "c"]).at_least(2));
        world.publish(&outbox, [asks]).await;
        world.wait_empty(SOON).await;
        relay.stop().await;
        for stranger in ["x", "y"] {
            assert_eq!(record(&world, id, stranger).await, Recorded::Noted);
        }
        assert_eq!(record(&world, id, "c").await, Recorded::Noted);
        assert_eq!(record(&world, id, "a").await, Recorded::Confirmed);
        assert_eq!(world.backend.count(WAITING).await.unwrap(), 0);
    }

    async fn many_are_recorded_at_once(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (one, one_asks) = asking("k", "1", by(&["a"]));
        let (both, both_asks) = asking("k", "2", by(&["a", "b"]));
        let (half, half_asks) = asking("k", "3", by(&["a", "b"]));
        let (given_up, given_up_asks) = asking("k", "4", by(&["late"]).resends(0));
        world.publish(&outbox, [given_up_asks]).await;
        world.wait_empty(SOON).await;
        expire(&world).await;
        assert_eq!(sweep(&world).await.unconfirmed, 1);
        world.publish(&outbox, [one_asks, both_asks, half_asks]).await;
        world.wait_empty(SOON).await;
        relay.stop().await;
        let early = MessageId::new();

        let all = [(both, "a"), (half, "a"), (one, "a"), (both, "b"), (early, "a"), (one, "a"), (given_up, "late")];
        let outcomes = record_all(&world, &all).await;
        use Recorded::{Confirmed, Noted, Unburied};
        assert_eq!(outcomes, [Noted, Noted, Noted, Confirmed, Noted, Confirmed, Unburied]);
        let listed = pending(&world).await;
        assert_eq!(listed.iter().map(|waits| waits.id).collect::<Vec<_>>(), [half]);
        assert_eq!(world.backend.count(DEAD).await.unwrap(), 0);
        assert_eq!(groups_of(&standing(&world, early).await), ["a"]);
        assert_eq!(record_all(&world, &all).await, [Noted; 7], "a second time is nothing");
        assert_eq!(record_all(&world, &[]).await, []);
    }

    async fn whoever_records_the_same_at_the_same_time_stops_nobody(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        for _ in 0..rounds(3, 30) {
            let (ids, asks): (Vec<_>, Vec<_>) =
                (0..100).map(|n| asking(&n.to_string(), "1", by(&["a", "b"]))).unzip();
            world.publish(&outbox, asks).await;
            world.wait_empty(SOON).await;
            // In each other's way as much as can be: the same messages in opposite orders, of one group and of both.
            let forth: Vec<_> = ids.iter().map(|&id| (id, "a")).collect();
            let back: Vec<_> = ids.iter().rev().flat_map(|&id| [(id, "b"), (id, "a")]).collect();
            let (forth, back) = tokio::join!(record_all(&world, &forth), record_all(&world, &back));
            assert_eq!((forth.len(), back.len()), (100, 200));
            assert_eq!(world.backend.count(WAITING).await.unwrap(), 0);
        }
        relay.stop().await;
    }

    /// No statement of theirs touches what others need: the tables may be away.
    async fn messages_that_do_not_ask_cost_no_statement(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        for gone in ["DROP VIEW outbox_status", "DROP TABLE outbox_awaiting", "DROP TABLE outbox_confirmation"] {
            world.backend.execute(gone).await.unwrap();
        }
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |config| config.archive = true);
        let half = message("k", "2").header("confirm-to", CONFIRMED);
        let nonsense = message("k", "3").header("confirm-to", CONFIRMED).header("confirm-by", ",");
        world.publish(&outbox, [message("k", "1").header("tenant", "eu"), half, nonsense]).await;
        sink.wait_for(3, SOON).await;
        world.wait_empty(SOON).await;
        assert_eq!(relay.stats.malformed_confirms.get(), 2, "delivered, counted, awaited by nobody");
        assert_eq!(relay.stats.store_errors.get(), 0);
        relay.stop().await;
    }

    async fn the_archive_gets_its_copy_at_the_delivery(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |config| config.archive = true);
        let (id, asks) = asking("k", "1", by(&["a"]));
        world.publish(&outbox, [asks]).await;
        world.wait_empty(SOON).await;
        relay.stop().await;
        let states = |state: &'static str| world.backend.count(state);
        let all = "SELECT count(*) FROM outbox_status";
        let delivered = "SELECT count(*) FROM outbox_status WHERE state = 'delivered'";
        assert_eq!((states(all).await.unwrap(), states(delivered).await.unwrap()), (1, 0), "shown once");
        assert_eq!(record(&world, id, "a").await, Recorded::Confirmed);
        assert_eq!((states(all).await.unwrap(), states(delivered).await.unwrap()), (1, 1));
    }

    async fn confirmations_are_kept_while_their_message_may_need_them(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (waits, asks) = asking("k", "1", by(&["a", "b"]));
        let (done, other) = asking("k", "2", by(&["a"]));
        world.publish(&outbox, [asks, other]).await;
        world.wait_empty(SOON).await;
        relay.stop().await;
        record(&world, waits, "a").await;
        record(&world, done, "a").await;
        let retention = Retention::DEFAULT.confirmations(Duration::from_secs(3_600)).batch(1);
        let purge = async || on_pool!(&world.backend, pool => purge(pool, &retention, |_| {}).await.unwrap()).confirmations;
        assert_eq!(purge().await, 0, "they are young");
        let old = match kind {
            Kind::Postgres => "UPDATE outbox_confirmation SET confirmed_at = now() - interval '2 hours'",
            Kind::MySql => "UPDATE outbox_confirmation SET confirmed_at = UTC_TIMESTAMP(6) - INTERVAL 2 HOUR",
            Kind::Sqlite => "UPDATE outbox_confirmation SET confirmed_at = 1",
        };
        world.backend.execute(old).await.unwrap();
        assert_eq!(purge().await, 1);
        assert_eq!(groups_of(&standing(&world, waits).await), ["a"]);
        assert!(standing(&world, done).await.confirmed.is_empty());
    }
}
