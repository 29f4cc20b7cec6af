//! A relay is frozen past its lease with a refusal in its hands, and continued when another has taken
//! over: what it wants to write down counts for nothing.

use outbox_sqlx::Outbox;
use outbox_tests::{Acknowledged, Verdict};

use crate::support::{Kind, SOON, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_former_owner_can_only_make_duplicates() {
    let Some(world) = World::new(Kind::Postgres).await else {
        return;
    };
    let (outbox, log, journal) = (Outbox::new(), Acknowledged::default(), world.journal());
    let mut zombie = world.spawn_relay(&["--stall-key", "k", "--stall-ms", "300", "--max-attempts", "1"]);
    world.backend.write(&outbox, "k", false).await;
    zombie.line_where(SOON, |line| line == "stalled").unwrap();
    zombie.freeze().unwrap();
    let mut heir = world.spawn_relay(&[]);
    journal.wait_longer(0, SOON).unwrap();
    for _ in 0..5 {
        world.backend.write(&outbox, "k", false).await;
    }
    world.wait_empty(SOON).await;
    // The heir refuses nothing; the zombie's refusal would bury the message, or hold the key.
    let mut next = world.backend.write(&outbox, "k", false).await;
    zombie.thaw();
    for _ in 0..50 {
        next = world.backend.write(&outbox, "k", false).await;
    }
    assert!(matches!(next, outbox_tests::Write::Acknowledged(_)));
    zombie.terminate().unwrap();
    let last = zombie
        .line_where(SOON, |line| line.starts_with("stopped"))
        .unwrap();
    assert!(
        last.contains("fenced=1"),
        "the refusal came too late and was refused: {last}"
    );
    world.wait_empty(SOON).await;
    heir.terminate().unwrap();
    assert!(heir.wait_timeout(SOON).unwrap().success());
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_dead")
            .await
            .unwrap(),
        0
    );
    let verdict = Verdict::of(&world.backend, &journal, &log, 0).await.unwrap();
    println!("a relay frozen past its lease, then continued:");
    verdict.assert_kept();
    assert_eq!(verdict.delivered, 57);
}
