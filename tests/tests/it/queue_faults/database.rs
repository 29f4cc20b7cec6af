//! The database is killed under load, and its connections are cut: consumers wait and go on.

use std::time::Duration;

use outbox_test_harness::{PostgresOptions, requirement};
use outbox_tests::Verdict;

use super::appending::Appender;
use crate::support::{Kind, SOON, World, rounds, seed, terminate_consumer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_under_load() {
    let Some(mut server) = requirement::private_postgres(&PostgresOptions::default()) else {
        return;
    };
    let world = World::at(server.create_database("queue").unwrap()).await;
    let (kills, seed) = (rounds(3, 20), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let queue = world.backend.queue(Duration::from_secs(1)).unwrap();
    let mut appender = Appender::new(&queue);
    let consumers = [
        world.spawn_consumer("group", &["--fail-one-in", "50"]),
        world.spawn_consumer("group", &[]),
    ];
    for _ in 0..kills {
        appender
            .append_random(&mut random, 300, 30, 20, Duration::from_millis(5))
            .await;
        server.kill().unwrap();
        server.restart().unwrap();
    }
    appender
        .append_random(&mut random, 300, 30, 20, Duration::from_millis(5))
        .await;
    world.wait_handled(&queue, "group", SOON * 2).await;
    consumers.into_iter().for_each(terminate_consumer);
    println!("Postgres killed {kills} times under load:");
    let verdict = Verdict::of_group(&world.journal_of("group"), &appender.appended, 0, seed).unwrap();
    // An append whose answer was lost may have been carried out, and was repeated under the same id.
    verdict.assert_kept();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_cut_again_and_again() {
    let Some(world) = World::new(Kind::Postgres).await else {
        return;
    };
    let (cuts, seed) = (rounds(20, 200), seed());
    let mut random = fastrand::Rng::with_seed(seed);
    let queue = world.backend.queue(Duration::from_secs(1)).unwrap();
    let mut appender = Appender::new(&queue);
    let consumers = [
        world.spawn_consumer("group", &["--fail-one-in", "50"]),
        world.spawn_consumer("group", &[]),
    ];
    for _ in 0..cuts {
        appender
            .append_random(&mut random, 40, 30, 20, Duration::from_millis(10))
            .await;
        world
            .execute_text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'outbox-consumer'"
                    .to_owned(),
            )
            .await;
    }
    world.wait_handled(&queue, "group", SOON * 2).await;
    consumers.into_iter().for_each(terminate_consumer);
    println!("connections cut {cuts} times:");
    Verdict::of_group(&world.journal_of("group"), &appender.appended, 0, seed)
        .unwrap()
        .assert_kept();
}
