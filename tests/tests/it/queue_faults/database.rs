//! The database is killed under load, and its connections are cut: consumers wait and go on.

use std::time::Duration;

use outbox_tests::{Backend, Verdict};

use super::appending::Appender;
use crate::support::{Kind, SOON, Server, World, rounds, seed, terminate_consumer};

on_servers! {
    async fn a_server_is_killed_under_load(kind: Kind) {
        let Some(mut server) = Server::start(kind) else { return };
        let world = server.world().await;
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
            server.kill();
            server.restart();
        }
        appender
            .append_random(&mut random, 300, 30, 20, Duration::from_millis(5))
            .await;
        world.wait_handled(&queue, "group", SOON * 2).await;
        consumers.into_iter().for_each(terminate_consumer);
        println!("{kind:?} killed {kills} times under load:");
        let verdict = Verdict::of_group(&world.journal_of("group"), &appender.appended, 0, seed).unwrap();
        // An append whose answer was lost may have been carried out, and was repeated under the same id.
        verdict.assert_kept();
    }

    async fn what_was_put_off_outlives_the_server(kind: Kind) {
        let Some(mut server) = Server::start_in_no_hurry(kind) else { return };
        let world = server.world().await;
        // A lease that runs on while the server is away: the same owner goes on, with what it believes is written down.
        let queue = world.backend.queue(Duration::from_secs(600)).unwrap();
        let mut appender = Appender::new(&queue);
        let consumer = world.spawn_consumer("group", &["--lease-ms", "600000", "--fail-one-in", "2"]);
        for _ in 0..rounds(3, 20) {
            appender.append((0..500).map(|n| format!("k{}", n % 5))).await;
            // Of each key the first that fails, and all behind it.
            let many = "SELECT count(*) FROM (SELECT queue_id FROM outbox_group_retry LIMIT 200) AS put_off";
            world.wait_count(many, 200, SOON).await;
            server.kill();
            server.restart();
        }
        world.wait_handled(&queue, "group", SOON).await;
        terminate_consumer(consumer);
        Verdict::of_group(&world.journal_of("group"), &appender.appended, 0, 0)
            .unwrap()
            .assert_kept();
    }

    async fn connections_are_cut_again_and_again(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
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
            cut(&world).await;
        }
        world.wait_handled(&queue, "group", SOON * 2).await;
        consumers.into_iter().for_each(terminate_consumer);
        println!("{kind:?}: connections cut {cuts} times:");
        Verdict::of_group(&world.journal_of("group"), &appender.appended, 0, seed)
            .unwrap()
            .assert_kept();
    }
}

/// Cuts the consumers' own connections; on MySQL, where they have no name, all that there are but the one that cuts.
async fn cut(world: &World) {
    match &world.backend {
        Backend::MySql(pool) => {
            let mut own = pool.acquire().await.unwrap();
            let sessions: Vec<i64> = sqlx::query_scalar(
                "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND id <> CONNECTION_ID()",
            )
            .fetch_all(&mut *own)
            .await
            .unwrap();
            for session in sessions {
                let kill = sqlx::AssertSqlSafe(format!("KILL CONNECTION {session}"));
                // One that has ended by itself meanwhile is no loss.
                let _ = sqlx::query(kill).execute(&mut *own).await;
            }
        }
        _ => {
            world
                .execute_text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND application_name = 'outbox-consumer'"
                        .to_owned(),
                )
                .await;
        }
    }
}
