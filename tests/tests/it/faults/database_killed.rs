//! The server itself is killed and restarted under load: what was confirmed is there and delivered, and
//! what was delivered is there.

use std::time::{Duration, Instant};

use outbox_sqlx::Outbox;
use outbox_tests::{Acknowledged, Verdict, Workload};

use crate::support::{Kind, SOON, Server, rounds, seed, terminate};

on_servers! {
    async fn a_server_killed_under_load(kind: Kind) {
        let Some(mut server) = Server::start(kind) else { return };
        let world = server.world().await;
        let (kills, seed) = (rounds(3, 20), seed());
        let mut random = fastrand::Rng::with_seed(seed);
        let (outbox, log, journal) = (Outbox::new(), Acknowledged::default(), world.journal());
        let workload = Workload {
            messages: u64::from(rounds(2_000, 10_000)),
            keys: 100,
            writers: 8,
            roll_back_one_in: 10,
            pause: Duration::from_millis(5),
            seed,
        };
        let relay = world.spawn_relay(&[]);
        let mut writers = workload.start(&world.backend, &outbox, &log);
        let mut max_recovery = Duration::ZERO;
        for _ in 0..kills {
            let len = journal.len();
            if log.count() < workload.messages {
                journal.wait_longer(len, SOON).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(random.u64(50..500))).await;
            server.kill();
            let (len, begun) = (journal.len(), Instant::now());
            server.restart();
            if log.count() < workload.messages {
                journal.wait_longer(len, SOON).unwrap();
                max_recovery = max_recovery.max(begun.elapsed());
            }
        }
        while let Some(writer) = writers.join_next().await {
            writer.unwrap();
        }
        world.wait_empty(SOON * 2).await;
        terminate(relay);
        let mut verdict = Verdict::of(&world.backend, &journal, &log, seed).await.unwrap();
        verdict.max_recovery = max_recovery;
        println!("{kind:?} killed {kills} times:");
        verdict.assert_kept();
    }
}
