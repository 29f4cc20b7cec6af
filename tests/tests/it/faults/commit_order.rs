//! Ids are handed out before commit: sixteen writers that commit in the opposite order of their ids, and
//! one that keeps its transaction open for long.

use std::time::{Duration, Instant};

use outbox_sqlx::Outbox;
use outbox_tests::{Open, RecordingSink};

use crate::support::{Kind, SOON, World, message, rounds, start};

on_servers! {
    async fn commits_in_the_opposite_order_of_ids(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |config| {
            config.full_pass = Duration::from_secs(3600)
        });
        let (rounds, writers) = (rounds(20, 500) as usize, 16);
        for round in 0..rounds {
            let mut open = Vec::new();
            for writer in 0..writers {
                let mut tx = Open::begin(&world.backend, &outbox).await.unwrap();
                tx.publish(&outbox, message(&format!("{round}-{writer}"), "x"))
                    .await
                    .unwrap();
                open.push(tx);
            }
            while let Some(tx) = open.pop() {
                tx.commit().await.unwrap();
            }
        }
        sink.wait_for(rounds * writers, SOON).await;
        world.wait_empty(SOON).await;
        println!(
            "{} messages committed in the opposite order of their ids on {kind:?}: lost=0 late={}",
            rounds * writers,
            relay.stats.late.get()
        );
        assert_eq!(
            relay.stats.late.get(),
            0,
            "found by passes from the floor, not by the last net"
        );
        assert!(relay.stop().await.is_clean());
        assert_eq!(sink.taken().len(), rounds * writers);
    }
}

on_servers! {
    async fn one_that_stays_open_delays_nobody_else(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |config| {
            config.full_pass = Duration::from_secs(3600)
        });
        let mut slow = Open::begin(&world.backend, &outbox).await.unwrap();
        slow.publish(&outbox, message("slow", "slow")).await.unwrap();
        let open_for = Duration::from_secs(rounds(3, 10).into());
        let (begun, mut lateness, mut sent) = (Instant::now(), Vec::new(), 0);
        while begun.elapsed() < open_for {
            world
                .publish(&outbox, [message(&format!("k{}", sent % 50), "x")])
                .await;
            let committed = Instant::now();
            sent += 1;
            sink.wait_for(sent, SOON).await;
            lateness.push(sink.taken()[sent - 1].1.saturating_duration_since(committed));
        }
        slow.commit().await.unwrap();
        let committed = Instant::now();
        sink.wait_for(sent + 1, SOON).await;
        let own = sink.taken()[sent].1.saturating_duration_since(committed);
        lateness.sort();
        let at = |share: f64| lateness[((lateness.len() - 1) as f64 * share) as usize];
        println!(
            "one transaction open for {open_for:?} on {kind:?}: {sent} others late by p50 {:?}, p99 {:?}, max {:?}; itself {own:?}",
            at(0.5),
            at(0.99),
            at(1.0)
        );
        assert!(
            at(0.99) < Duration::from_millis(250),
            "others wait for the open transaction"
        );
        assert!(own < Duration::from_secs(2));
        assert_eq!(sink.payloads().last().map(String::as_str), Some("slow"));
        assert!(relay.stop().await.is_clean());
    }
}

on_servers! {
    /// Passes of several pages ask after the writers before they read, and must believe them.
    async fn long_passes_beside_an_open_transaction_leave_its_row_to_be_found(kind: Kind) {
        const FLOOR_MOVES: Duration = Duration::from_millis(500);
        let Some(world) = World::new(kind).await else {
            return;
        };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let mut open = Open::begin(&world.backend, &outbox).await.unwrap();
        open.publish(&outbox, message("slow", "slow")).await.unwrap();
        let burst = || (0..100).map(|n| message(&format!("k{n}"), "x"));
        let publish = async || {
            let mut tx = Open::begin(&world.backend, &outbox).await.unwrap();
            tx.publish_all(&outbox, burst()).await.unwrap();
            tx.commit().await.unwrap();
        };
        // The first pass, from the beginning, and then such as begin at the floor.
        publish().await;
        let relay = start(&world, &outbox, sink.clone(), |config| {
            config.page_rows = 16;
            config.full_pass = Duration::from_secs(3600);
        });
        let (begun, mut sent) = (Instant::now(), 100);
        sink.wait_for(sent, SOON).await;
        while begun.elapsed() < FLOOR_MOVES {
            publish().await;
            sent += 100;
            sink.wait_for(sent, SOON).await;
        }
        open.commit().await.unwrap();
        sink.wait_for(sent + 1, SOON).await;
        assert_eq!(sink.payloads().last().map(String::as_str), Some("slow"));
        assert!(relay.stop().await.is_clean());
    }
}
