//! On MySQL a relay can't see whose transactions are open; it is told how old one may become. One that grows older is
//! found by the next full pass, and counted.

use std::time::Duration;

use outbox_core::relay::{Relay, RelayConfig};
use outbox_sqlx::{MySqlRelayStore, Outbox};
use outbox_tests::{Backend, Open, RecordingSink};
use tokio_util::sync::CancellationToken;

use crate::support::{Kind, SOON, World, message};

const MAX_AGE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_older_than_allowed_is_late_and_not_lost() {
    let Some(world) = World::new(Kind::MySql).await else {
        return;
    };
    let Backend::MySql(pool) = &world.backend else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let mut config = RelayConfig::default();
    config.full_pass = Duration::from_secs(2);
    let store = MySqlRelayStore::new(pool).with_max_transaction_age(MAX_AGE);
    let relay = Relay::new(store, sink.clone(), config).unwrap();
    let (stats, stop) = (relay.stats(), CancellationToken::new());
    let task = tokio::spawn(relay.with_wake(outbox.waker()).run(stop.clone()));

    let mut old = Open::begin(&world.backend, &outbox).await.unwrap();
    old.publish(&outbox, message("old", "old")).await.unwrap();
    // Passes go by until the floor has passed the old one's row: each needs the age to be over.
    let mut sent = 0;
    let begun = std::time::Instant::now();
    while begun.elapsed() < MAX_AGE * 5 {
        world.publish(&outbox, [message("young", "x")]).await;
        sent += 1;
        sink.wait_for(sent, SOON).await;
    }
    old.commit().await.unwrap();
    sink.wait_for(sent + 1, SOON).await;
    assert_eq!(sink.payloads().last().map(String::as_str), Some("old"));
    assert_eq!(stats.late.get(), 1, "the full pass counts what it finds");
    stop.cancel();
    assert!(task.await.unwrap().is_clean());
}
