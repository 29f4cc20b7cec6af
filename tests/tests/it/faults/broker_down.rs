//! The queue is away for long: no attempt is spent, nothing is lost, and the order holds.

use std::time::{Duration, Instant};

use outbox_sqlx::Outbox;
use outbox_tests::{Acknowledged, Verdict, Workload};

use crate::support::{Kind, SOON, World, rounds, seed, terminate};

on_each! {
    async fn an_outage_spends_no_attempt(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, log, journal, seed) = (Outbox::new(), Acknowledged::default(), world.journal(), seed());
        let down = world.scratch.path().join("down");
        let relay = world.spawn_relay(&["--down", down.to_str().unwrap(), "--max-attempts", "1"]);
        let workload = Workload { messages: 500, keys: 20, writers: 4, roll_back_one_in: 10, pause: Duration::from_millis(2), seed };
        let mut writers = workload.start(&world.backend, &outbox, &log);
        journal.wait_longer(0, SOON).unwrap();
        std::fs::write(&down, "").unwrap();
        while let Some(writer) = writers.join_next().await {
            writer.unwrap();
        }
        // The outage itself is what is tested, so this is one place where time has to pass.
        tokio::time::sleep(Duration::from_secs(rounds(3, 30).into())).await;
        assert!(world.backend.pending().await.unwrap() > 0);
        assert_eq!(world.backend.count("SELECT count(*) FROM outbox WHERE attempts > 0 OR hold > 0").await.unwrap(), 0);
        let (len, back) = (journal.len(), Instant::now());
        std::fs::remove_file(&down).unwrap();
        journal.wait_longer(len, SOON).unwrap();
        let recovery = back.elapsed();
        world.wait_empty(SOON).await;
        terminate(relay);
        let mut verdict = Verdict::of(&world.backend, &journal, &log, seed).await.unwrap();
        verdict.max_recovery = recovery;
        println!("queue away on {kind:?}:");
        verdict.assert_kept();
        assert_eq!(verdict.dead, 0, "with one attempt allowed, one spent would be visible here");
    }
}
