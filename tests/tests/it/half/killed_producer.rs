//! A producer that is killed between prepare and commit: the check-back finds out by what its local work has recorded.

use std::time::Duration;

use outbox_core::MessageId;
use outbox_core::half::HalfState;

use super::support::{Running, often, reaches};
use crate::support::{Kind, World};

/// Kills a producer at a place, and returns how its message ended.
async fn killed(world: &World, place: &str) -> (MessageId, HalfState) {
    let queue = world.backend.queue(Duration::from_secs(45)).unwrap();
    let half = queue.half_messages();
    let (mut producer, line) = world.spawn_producer(place);
    producer.kill9().unwrap();
    let id: MessageId = line.rsplit(' ').next().unwrap().parse().unwrap();
    // It would be asked after in 6 seconds; what happens then is looked at now.
    world.backend.make_half_messages_due().await.unwrap();
    let half = half.with_schedule(often(1_000));
    let checker = world.backend.tombstone_checker(Duration::from_millis(100));
    let check_back = outbox_core::half::CheckBack::builder(half.clone())
        .checker(outbox_tests::TOPIC, checker)
        .poll(Duration::from_millis(5))
        .build()
        .unwrap();
    let running = Running::run(check_back);
    let ended = if place == "worked" {
        HalfState::Committed
    } else {
        HalfState::RolledBack
    };
    reaches(&half, id, ended).await;
    running.stop().await;
    (id, ended)
}

on_each! {
    async fn a_killed_producer_s_message_goes_with_its_local_work(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let mut expected = None;
        for place in ["prepared", "working", "worked"] {
            let (id, ended) = killed(&world, place).await;
            if ended == HalfState::Committed {
                expected = Some(id);
            }
        }
        let appended = world.backend.ids("SELECT message_id FROM outbox_queue_message").await.unwrap();
        assert_eq!(appended, [expected.unwrap()]);
    }
}
