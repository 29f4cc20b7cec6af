//! Confirmations come in any order, any number of times, and each is kept.

use std::collections::HashSet;

use outbox_core::Message;
use outbox_sqlx::confirmations::Recorded;

use super::support::{Sender, TOPIC, missing, receive};
use crate::support::Kind;

on_each! {
    async fn a_confirmation_that_overtakes_the_senders_settle_counts(kind: Kind) {
        let Some(sender) = Sender::new(kind).await else { return };
        let id = sender.publish("k", &["shipping"], 1, 5).await;
        assert_eq!(sender.record(id, "shipping").await, Recorded::Noted, "it was not even delivered");
        let relay = sender.relay();
        sender.wait_awaiting(0).await;
        relay.stop().await;
        assert!(sender.pending().await.is_empty());
        let standing = sender.standing(id).await;
        assert_eq!((standing.confirmed.len(), standing.awaiting), (1, None));
        assert_eq!(sender.count("SELECT count(*) FROM outbox_dead").await, 0);
    }

    async fn some_of_those_who_are_asked_are_enough(kind: Kind) {
        let Some(sender) = Sender::new(kind).await else { return };
        let id = sender.publish("k", &["a", "b", "c"], 2, 5).await;
        let relay = sender.relay();
        sender.wait_awaiting(1).await;
        for _ in 0..2 {
            assert_eq!(sender.record(id, "a").await, Recorded::Noted, "twice is once");
        }
        assert_eq!(sender.record(id, "stranger").await, Recorded::Noted, "nobody asked it");
        let pending = sender.pending().await;
        let [waiting] = &pending[..] else { panic!("{pending:?}") };
        assert_eq!((waiting.id, &*waiting.topic, waiting.key.as_deref()), (id, TOPIC, Some("k")));
        assert_eq!((waiting.at_least, waiting.resends, waiting.max_resends), (2, 0, 5));
        assert_eq!(missing(&pending), HashSet::from(["b", "c"]));
        assert_eq!(waiting.confirmed.iter().map(|by| &*by.group).collect::<Vec<_>>(), ["a"]);
        assert!(waiting.since >= waiting.created_at && waiting.deadline > waiting.since);
        assert_eq!(sender.record(id, "c").await, Recorded::Confirmed);
        assert_eq!(sender.record(id, "b").await, Recorded::Noted, "late, and harmless");
        sender.wait_awaiting(0).await;
        relay.stop().await;
    }

    async fn what_waits_does_not_hold_its_key_and_what_asks_for_nothing_leaves_nothing(kind: Kind) {
        let Some(sender) = Sender::new(kind).await else { return };
        let mut subscriber = sender.queue.subscribe("g", [TOPIC]).unwrap();
        let relay = sender.relay();
        let first = sender.publish("k", &["g"], 1, 5).await;
        let plain = Message::builder(TOPIC).key("k");
        let second = plain.clone().build().unwrap().id();
        sender.world.publish(&sender.outbox, [plain]).await;
        let received: Vec<_> = receive(&mut subscriber, 2).await.iter().map(Message::id).collect();
        assert_eq!(received, [first, second]);
        sender.wait_awaiting(1).await;
        assert_eq!(sender.pending().await[0].id, first);
        relay.stop().await;
        for table in ["SELECT count(*) FROM outbox_confirmation", "SELECT count(*) FROM outbox_archive", "SELECT count(*) FROM outbox_dead"] {
            assert_eq!(sender.count(table).await, 0, "{table}");
        }
        assert_eq!(sender.count("SELECT count(*) FROM outbox_status WHERE state = 'awaiting'").await, 1);
    }
}
