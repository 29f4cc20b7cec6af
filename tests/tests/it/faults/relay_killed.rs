//! The relay is killed at random moments while transactions commit and roll back.

use std::time::{Duration, Instant};

use outbox_sqlx::Outbox;
use outbox_tests::{Acknowledged, Verdict, Workload};

use crate::support::{Kind, SOON, World, rounds, seed, terminate};

/// How long the next message is waited for, where perhaps none comes.
const NEXT: Duration = Duration::from_secs(30);

on_each! {
    async fn a_relay_killed_at_random_moments(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (kills, seed) = (rounds(5, 50), seed());
        let mut random = fastrand::Rng::with_seed(seed);
        let (outbox, log, journal) = (Outbox::new(), Acknowledged::default(), world.journal());
        let workload = Workload {
            messages: u64::from(rounds(1_000, 10_000)),
            keys: 100,
            writers: 8,
            roll_back_one_in: 10,
            // Spread over the kills, which take about a lease each.
            pause: Duration::from_millis(if kind == Kind::Postgres { 30 } else { 25 }),
            seed,
        };
        let mut writers = workload.start(&world.backend, &outbox, &log);
        let mut max_recovery = Duration::ZERO;
        // Some die by their own hand, between publishing and hearing of it.
        let die = ["--abort-after", "40", "--abort-before", "80"];
        for round in 0..kills {
            let (len, begun) = (journal.len(), Instant::now());
            let mut relay = world.spawn_relay(if round % 2 == 0 { &die } else { &[] });
            // Nothing more may come when the writers are done.
            if log.count() < workload.messages && journal.wait_longer(len, NEXT).is_ok() {
                max_recovery = max_recovery.max(begun.elapsed());
            }
            std::thread::sleep(Duration::from_millis(random.u64(0..300)));
            relay.kill9().unwrap();
        }
        while let Some(writer) = writers.join_next().await {
            writer.unwrap();
        }
        let relay = world.spawn_relay(&[]);
        world.wait_empty(SOON * 2).await;
        terminate(relay);
        let mut verdict = Verdict::of(&world.backend, &journal, &log, seed).await.unwrap();
        verdict.max_recovery = max_recovery;
        println!("relay killed {kills} times on {kind:?}:");
        verdict.assert_kept();
        assert_eq!(verdict.acked_commits as u64, workload.messages);
    }
}
