//! A handler that aborts its process on one message: the others go on, and that one ends dead after its attempts.

use std::time::{Duration, Instant};

use outbox_sqlx::queue::GroupDeadFilter;

use super::appending::Appender;
use crate::support::{Kind, SOON, World};

on_each! {
    async fn a_message_that_aborts_the_process_ends_dead_and_the_others_go_on(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let queue = world.backend.queue(Duration::from_millis(500)).unwrap();
        let mut appender = Appender::new(&queue);
        appender.append((0..200).map(|n| format!("k{}", n % 20))).await;
        appender.append(["poison".to_owned()]).await;
        appender.append((0..200).map(|n| format!("k{}", n % 20))).await;
        // A later one of the key must come after it is dead, and kills as well.
        let arguments = ["--abort-key", "poison", "--max-attempts", "3", "--lease-ms", "500", "--handler-ms", "1"];
        let (begun, mut deaths) = (Instant::now(), 0);
        let mut consumer = world.spawn_consumer("group", &arguments);
        loop {
            assert!(begun.elapsed() < SOON * 4, "{:?}", queue.group("group").await.unwrap());
            // What restarts a process that has died, as systemd or Kubernetes do.
            if consumer.try_wait().unwrap().is_some() {
                deaths += 1;
                consumer = world.spawn_consumer("group", &arguments);
            }
            if queue.group("group").await.unwrap().backlog() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let info = queue.group("group").await.unwrap();
        let dead = queue.dead_letters("group", &GroupDeadFilter::new(), 10).await.unwrap();
        println!("the process died {deaths} times in {:?}; {info:?}; {dead:?}", begun.elapsed());
        assert_eq!(info.dead, 1);
        assert_eq!(dead[0].key.as_deref(), Some("poison"));
        // Two deaths before anything is suspected, and one for each attempt.
        assert_eq!(deaths, 5);
        let handled: std::collections::HashSet<_> =
            world.journal_of("group").read().unwrap().into_iter().map(|line| line.id).collect();
        assert_eq!(handled, appender.appended, "every other one was handled");
    }
}
