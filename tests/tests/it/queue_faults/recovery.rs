//! How long a killed consumer keeps its queues from others: its lease, and the time until somebody looks.

use std::time::{Duration, Instant};

use super::appending::Appender;
use crate::support::{Kind, SOON, World, rounds, terminate_consumer};

on_each! {
    async fn the_queues_of_a_killed_consumer_are_taken_over_when_its_lease_has_run_out(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let lease = Duration::from_secs(1);
        let queue = world.backend.queue(lease).unwrap();
        let mut appender = Appender::new(&queue);
        let mut heir = world.spawn_consumer("group", &[]);
        let (mut longest, rounds) = (Duration::ZERO, rounds(3, 20));
        for _ in 0..rounds {
            let mut victim = std::mem::replace(&mut heir, world.spawn_consumer("group", &[]));
            // Once its share was handed over, the two have all queues between them.
            appender.append((0..50).map(|n| format!("k{n}"))).await;
            world.wait_handled(&queue, "group", SOON).await;
            victim.kill9().unwrap();
            let killed = Instant::now();
            appender.append((0..50).map(|n| format!("k{n}"))).await;
            world.wait_handled(&queue, "group", SOON).await;
            longest = longest.max(killed.elapsed());
        }
        terminate_consumer(heir);
        println!("{rounds} consumers killed, lease {lease:?}: everything was handled at most {longest:?} later");
        assert!(longest < lease * 5, "{longest:?}");
    }

    async fn a_consumer_that_stops_frees_its_queues_at_once(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        // With a lease that nobody would wait for.
        let queue = world.backend.queue(Duration::from_secs(600)).unwrap();
        let mut appender = Appender::new(&queue);
        let leaver = world.spawn_consumer("group", &["--lease-ms", "600000"]);
        let heir = world.spawn_consumer("group", &["--lease-ms", "600000"]);
        appender.append((0..100).map(|n| format!("k{n}"))).await;
        world.wait_handled(&queue, "group", SOON).await;
        terminate_consumer(leaver);
        let stopped = Instant::now();
        appender.append((0..100).map(|n| format!("k{n}"))).await;
        world.wait_handled(&queue, "group", SOON).await;
        println!("everything was handled {:?} after a consumer had stopped", stopped.elapsed());
        terminate_consumer(heir);
    }
}
