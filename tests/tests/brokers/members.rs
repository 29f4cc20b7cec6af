//! Several of one group: they share the messages, one that leaves or dies is followed, and outcomes that come too late count for
//! nothing.

use std::time::{Duration, Instant};

use outbox_brokers::Ordering;
use outbox_core::ReceiveError;

use super::child;
use super::engine::*;

on_every_engine! {
    async fn members_share_and_keep_the_order(engine: Engine) {
        // The group is there before what it is to hear.
        drop(engine.member().await);
        engine.publish(&spread(12, 20)).await;
        let mut working = Vec::new();
        let (done, mut handled) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..3 {
            let broker = engine.again().await;
            let mut member = Member::of(&*broker, GROUP, Ordering::PerKey).await;
            let done = done.clone();
            working.push(tokio::spawn(async move {
                loop {
                    for delivery in member.next(10).await {
                        // In this order, for the next one of its key comes after the ack.
                        done.send(Seen::of(&delivery)).unwrap();
                        delivery.ack().await.unwrap();
                    }
                }
            }));
        }
        let mut seen = Vec::new();
        while seen.len() < 240 {
            seen.push(handled.recv().await.unwrap());
        }
        working.iter().for_each(tokio::task::JoinHandle::abort);
        assert_in_order(&seen, 12, 20);
    }

    async fn whoever_leaves_is_followed_at_once(engine: Engine) {
        let mut leaver = engine.member().await;
        engine.publish(&spread(8, 3)).await;
        // Some in its hands, some that have come and nobody has taken.
        let held = leaver.next(2).await;
        leaver.0.close().await.unwrap();
        drop(held);
        assert!(matches!(leaver.0.receive(1).await, Err(ReceiveError::Closed)));
        let left = Instant::now();
        let mut heir = engine.member().await;
        assert_in_order(&heir.handle(24).await, 8, 3);
        let given_up = if engine.does().lease { LEASE } else { SESSION };
        assert!(left.elapsed() < given_up, "{:?}: it waited until the other one was given up", left.elapsed());
    }

    async fn whoever_dies_is_followed_and_counts_for_nothing(engine: Proxied) {
        let proxy = Deaf::start(&*engine.server).await;
        let broker = connect(&engine.url_at(proxy.port(), "")).await;
        let mut zombie = Member::of(&*broker, GROUP, Ordering::PerKey).await;
        engine.say("k", ["a", "b"]).await;
        let held = zombie.one().await;
        let begun = Instant::now();
        let lease = engine.does().lease;
        if lease {
            assert!(held.lease_left().unwrap() <= LEASE);
        } else {
            // Its connection is all that it has them by.
            proxy.cut();
        }
        let mut heir = engine.member().await;
        let again = heir.one().await;
        assert_eq!(Seen::of(&again), Seen { key: "k".into(), text: "a".into(), attempt: 2 });
        if lease {
            assert!(begun.elapsed() + Duration::from_millis(200) > LEASE, "{:?}", begun.elapsed());
        }
        assert!(matches!(held.ack().await, Err(ReceiveError::Fenced)));
        again.ack().await.unwrap();
        assert_eq!(heir.handle(1).await[0].text, "b");
        heir.gets_nothing().await;
    }

    /// Frozen with a question at the server, it hears of a message long after that has gone to somebody else.
    async fn whoever_hears_too_late_does_not_think_that_it_is_theirs(engine: Proxied) {
        if engine.kind == Kind::RabbitMq {
            // There is no lease that could end: what arrived before its connection did is handled, and not settled.
            return;
        }
        let mut frozen = child::Harmed::join(&engine.url("&timeout=20s"));
        frozen.waits();
        frozen.0.freeze().unwrap();
        engine.say("k", ["a"]).await;
        let mut heir = engine.member().await;
        assert_eq!(heir.handle(1).await[0].text, "a");
        heir.0.close().await.unwrap();
        frozen.0.thaw();
        engine.say("k", ["b"]).await;
        assert_eq!(frozen.holds(), "\"b\" 1");
    }

    async fn what_a_restart_of_the_server_finds_is_delivered(engine: Harmed) {
        let mut engine = engine;
        let mut member = engine.member().await;
        engine.publish(&spread(4, 10)).await;
        let first = member.handle(10).await;
        engine.server.kill();
        engine.server.restart();
        // What it had in hand may come again; of each message the first time counts.
        let mut seen = first;
        while seen.len() < 40 {
            for delivery in member.next(10).await {
                let now = Seen::of(&delivery);
                if delivery.ack().await.is_ok() && !seen.iter().any(|seen| (&seen.key, &seen.text) == (&now.key, &now.text)) {
                    seen.push(now);
                }
            }
        }
        assert_in_order(&seen, 4, 10);
    }
}
