//! A relay is frozen past its lease with a refusal in its hands, and continued when another has taken
//! over: what it wants to write down counts for nothing.

use outbox_sqlx::Outbox;
use outbox_tests::{Acknowledged, Verdict};

use crate::support::{Kind, SOON, World, terminate};

on_servers! {
    async fn a_former_owner_can_only_make_duplicates(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let (outbox, log, journal) = (Outbox::new(), Acknowledged::default(), world.journal());
        // One refusal is enough for the zombie to bury a message; the heir tries it again and again.
        let mut zombie = world.spawn_relay(&["--freeze-key", "k", "--max-attempts", "1"]);
        world.backend.write(&outbox, "k", false).await;
        // It stops itself: a signal from here could come when the refusal is written already.
        zombie.line_where(SOON, |line| line == "frozen").unwrap();
        zombie.freeze().unwrap();
        let refuse = world.scratch.path().join("refuse");
        std::fs::write(&refuse, "k").unwrap();
        let heir = world.spawn_relay(&["--refuse", refuse.to_str().unwrap()]);
        world
            .wait_count(
                "SELECT count(*) FROM outbox WHERE hold = 1 AND attempts >= 2",
                1,
                SOON,
            )
            .await;
        for _ in 0..20 {
            world.backend.write(&outbox, "k", false).await;
            world.backend.write(&outbox, "other", false).await;
        }
        zombie.thaw();
        zombie.terminate().unwrap();
        let last = zombie
            .line_where(SOON, |line| line.starts_with("stopped"))
            .unwrap();
        assert!(
            last.contains("refused=1") && last.contains("fenced=1"),
            "the refusal came too late: {last}"
        );
        assert_eq!(
            world
                .backend
                .count("SELECT count(*) FROM outbox_dead")
                .await
                .unwrap(),
            0,
            "nothing was buried"
        );
        std::fs::write(&refuse, "").unwrap();
        world.wait_empty(SOON).await;
        terminate(heir);
        let verdict = Verdict::of(&world.backend, &journal, &log, 0).await.unwrap();
        println!("a relay frozen past its lease with a refusal in its hands, then continued:");
        verdict.assert_kept();
        assert_eq!(verdict.delivered, 41);
    }
}
