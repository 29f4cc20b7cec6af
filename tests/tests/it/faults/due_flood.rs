//! Ten thousand due rows of a held key: other keys' retries are on time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use outbox_core::PublishError;
use outbox_core::retry::WhenSpent;
use outbox_sqlx::Outbox;
use outbox_tests::{RecordingSink, on_pool};

use crate::support::{Kind, SOON, World, message, rounds, start};

on_each! {
    async fn due_rows_of_a_held_key_are_in_nobodys_way(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        // `held` never goes through; every other message is refused once and then taken.
        let refused = Mutex::new(std::collections::HashMap::new());
        let retries = std::sync::Arc::new(Mutex::new(Vec::new()));
        let times = retries.clone();
        sink.answer(move |message| {
            if message.key() == Some("held") {
                return Err(PublishError::refused("never"));
            }
            match refused.lock().unwrap().insert(message.id(), Instant::now()) {
                None => Err(PublishError::refused("once")),
                Some(first) => {
                    times.lock().unwrap().push(first.elapsed());
                    Ok(())
                }
            }
        });
        let relay = start(&world, &outbox, sink.clone(), |config| {
            config.policies.insert("held".into(), config.default_policy.with_max_attempts(1).with_when_spent(WhenSpent::Block));
            config.default_policy = config.default_policy.with_backoff(Duration::from_millis(100), Duration::from_millis(100), Duration::from_millis(100));
        });
        world.publish(&outbox, [outbox_core::Message::builder("held").key("held").payload("x", "text/plain")]).await;
        world.wait_count("SELECT count(*) FROM outbox WHERE hold = 2", 1, SOON).await;
        let flood = rounds(10_000, 10_000) as usize;
        let delayed = || outbox_core::Message::builder("held").key("held").payload("x", "text/plain").delay(Duration::from_millis(1));
        on_pool!(&world.backend, pool => {
            outbox.transaction(pool, async |tx| outbox.publish_all(tx, (0..flood).map(|_| delayed())).await).await.unwrap();
        });
        for n in 0..100 {
            world.publish(&outbox, [message(&format!("k{n}"), "x")]).await;
        }
        sink.wait_for(100, SOON).await;
        relay.stop().await;
        assert_eq!(world.backend.pending().await.unwrap(), flood as i64 + 1, "the held key's rows wait");
        let mut retries = retries.lock().unwrap().clone();
        retries.sort();
        let (median, last) = (retries[retries.len() / 2], retries[retries.len() - 1]);
        println!("retries due after 100 ms, beside {flood} due rows of a held key, on {kind:?}: p50 {median:?}, max {last:?}");
        assert!(last < Duration::from_secs(2), "a retry came {last:?} after it was refused");
    }
}
