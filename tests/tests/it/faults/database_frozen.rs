//! The server stands still for longer than a lease: the relay can't know whether its shards are still its
//! own, so it stops publishing by its own clock; afterwards everything goes on.

use std::time::{Duration, Instant};

use outbox_sqlx::Outbox;
use outbox_tests::{Acknowledged, Verdict};

use crate::support::{Kind, SOON, Server, rounds, terminate};

on_servers! {
    async fn a_relay_that_can_not_renew_its_leases_stops_publishing(kind: Kind) {
        let Some(server) = Server::start(kind) else { return };
        let world = server.world().await;
        let (outbox, log, journal) = (Outbox::new(), Acknowledged::default(), world.journal());
        let messages = 400;
        for n in 0..messages {
            world.backend.write(&outbox, &format!("k{n}"), false).await;
        }
        // Four messages every 50 ms: there is work left for five seconds.
        let lease = Duration::from_secs(1);
        let relay = world.spawn_relay(&["--latency-ms", "50", "--max-batch", "1", "--page-rows", "400"]);
        journal.wait_longer(0, SOON).unwrap();
        server.freeze();
        let frozen = Instant::now();
        let mut last = (journal.len(), Instant::now());
        // Watches for as long as the freeze lasts: the last delivery must lie within the lease.
        let freeze_for = lease * rounds(3, 10);
        while frozen.elapsed() < freeze_for {
            if journal.len() > last.0 {
                last = (journal.len(), Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let published_for = last.1 - frozen;
        server.thaw();
        let back = Instant::now();
        journal.wait_longer(last.0, SOON).unwrap();
        let recovery = back.elapsed();
        world.wait_empty(SOON * 2).await;
        terminate(relay);
        let mut verdict = Verdict::of(&world.backend, &journal, &log, 0).await.unwrap();
        verdict.max_recovery = recovery;
        println!(
            "{kind:?} frozen for {freeze_for:?}: published for {published_for:?} more, under a lease of {lease:?}:"
        );
        verdict.assert_kept();
        assert_eq!(verdict.delivered, messages);
        assert!(
            published_for < lease + Duration::from_millis(300),
            "published for {published_for:?} after the last renewal could be sent"
        );
    }
}
