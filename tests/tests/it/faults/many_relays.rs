//! Two to four relays, started, stopped and killed at random, while keys with an old pending row go on
//! being written.

use std::time::Duration;

use outbox_sqlx::Outbox;
use outbox_test_harness::ChildProcess;
use outbox_tests::{Acknowledged, Verdict, Workload};

use crate::support::{Kind, SOON, World, rounds, seed, terminate};

on_servers! {
    async fn relays_started_and_stopped_at_random(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let (changes, seed) = (rounds(8, 60), seed());
        let mut random = fastrand::Rng::with_seed(seed);
        let (outbox, log, journal) = (Outbox::new(), Acknowledged::default(), world.journal());
        let refuse = world.scratch.path().join("refuse");
        let refuse = refuse.to_str().unwrap();
        // These keys always have an old row that waits for a retry, and go on being written.
        std::fs::write(refuse, "k1\nk2\nk3\n").unwrap();
        let workload = Workload {
            messages: u64::from(rounds(2_000, 10_000)),
            keys: 30,
            writers: 6,
            roll_back_one_in: 10,
            pause: Duration::from_millis(15),
            seed,
        };
        let mut writers = workload.start(&world.backend, &outbox, &log);
        let mut relays: Vec<ChildProcess> = Vec::new();
        for _ in 0..changes {
            if relays.len() < 2 || (relays.len() < 4 && random.bool()) {
                relays.push(world.spawn_relay(&["--refuse", refuse, "--page-rows", "50"]));
            } else {
                let mut relay = relays.swap_remove(random.usize(0..relays.len()));
                if random.bool() {
                    relay.kill9().unwrap();
                } else {
                    terminate(relay);
                }
            }
            tokio::time::sleep(Duration::from_millis(random.u64(50..900))).await;
        }
        while let Some(writer) = writers.join_next().await {
            writer.unwrap();
        }
        std::fs::write(refuse, "").unwrap();
        if relays.is_empty() {
            relays.push(world.spawn_relay(&[]));
        }
        world.wait_empty(SOON * 2).await;
        relays.into_iter().for_each(terminate);
        println!("relays started, stopped and killed {changes} times on {kind:?}:");
        Verdict::of(&world.backend, &journal, &log, seed)
            .await
            .unwrap()
            .assert_kept();
    }
}
