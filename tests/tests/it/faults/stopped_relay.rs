//! On MySQL a locking statement may lock what it only walks over, and the gaps into which others insert. A relay is stopped
//! right after each of its statements was carried out, in the middle of its transactions too, while applications write:
//! they never wait for it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use outbox_core::relay::{Relay, RelayConfig};
use outbox_core::retry::WhenSpent;
use outbox_core::{Confirm, Message, PublishError};
use outbox_sqlx::{MySqlRelayStore, Outbox};
use outbox_tests::{RecordingSink, StatementProxy};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{Connection as _, Executor as _};

use crate::support::{Kind, Running, SOON, World};

/// What the relay is made to say: the beginnings of its statements, one for each file that writes or locks.
const STATEMENTS: [&str; 18] = [
    "INSERT INTO outbox_relay",
    "UPDATE outbox_shard\n   SET owner = CASE",
    "SELECT shard\n  FROM outbox_shard",
    "UPDATE outbox_shard\n   SET owner = ?",
    "UPDATE outbox_flush",
    "SELECT s.shard, s.epoch",
    "SELECT o.id\n  FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted\n STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = wanted.id\n   FOR UPDATE",
    "UPDATE JSON_TABLE",
    "INSERT INTO outbox_parked",
    "INSERT INTO outbox_dead\n       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason)\nSELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at,\n       GREATEST",
    "INSERT INTO outbox_dead\n       (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason)\nSELECT o.id, o.message_id, o.shard, o.topic, o.message_key, o.payload, o.headers, o.created_at, o.attempts",
    "INSERT INTO outbox_archive",
    "INSERT INTO outbox_awaiting",
    "DELETE o\n  FROM JSON_TABLE",
    "SELECT o.id\n  FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT PATH '$')) AS wanted\n STRAIGHT_JOIN outbox o FORCE INDEX (PRIMARY) ON o.id = wanted.id\n STRAIGHT_JOIN outbox_parked",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "COMMIT",
];

/// A writer that waited for the relay would wait as long as the relay is stopped; this is how long its session waits.
const LOCK_WAIT: &str = "SET SESSION innodb_lock_wait_timeout = 1";

fn topics() -> [Message; 5] {
    ["retried", "skipped", "parked", "blocked", "confirmed"].map(|topic| {
        let message = Message::builder(topic).key("k").payload("x", "text/plain");
        let message = match topic {
            "confirmed" => message.confirm_by(Confirm::by(["g"], Duration::from_secs(3_600)).to("t")),
            _ => Ok(message),
        };
        message.unwrap().build().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_never_wait_for_a_relay_that_is_stopped_in_the_middle() {
    let Some(world) = World::new(Kind::MySql).await else {
        return;
    };
    let server: MySqlConnectOptions = world.url.parse().unwrap();
    let proxy = StatementProxy::start(server.get_port()).await.unwrap();
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    sink.answer(|message| match message.topic() {
        "retried" | "skipped" | "parked" | "blocked" => Err(PublishError::refused("no")),
        _ => Ok(()),
    });
    let mut config = RelayConfig::default();
    config.lease = Duration::from_secs(3600);
    config.archive = true;
    let once = config.default_policy.with_max_attempts(1);
    config
        .policies
        .insert("skipped".into(), once.with_when_spent(WhenSpent::Skip));
    config
        .policies
        .insert("parked".into(), once.with_when_spent(WhenSpent::Park));
    config
        .policies
        .insert("blocked".into(), once.with_when_spent(WhenSpent::Block));
    let mut writer = MySqlConnection::connect_with(&server).await.unwrap();
    writer.execute(LOCK_WAIT).await.unwrap();
    let (mut seen, mut slowest, mut writes) = (BTreeSet::new(), Duration::ZERO, 0_u32);
    // Every statement is held once, by whichever relay says it first: one that keeps what it delivered, and one that
    // doesn't.
    for archive in [true, false] {
        config.archive = archive;
        let store = MySqlRelayStore::with_options(server.clone().port(proxy.port()));
        let relay = Relay::new(store, sink.clone(), config.clone()).unwrap();
        let relay = Running::start(relay.with_wake(outbox.waker()));
        let begun = Instant::now();
        loop {
            let held = tokio::time::timeout(Duration::from_secs(2), proxy.held()).await;
            if let Ok(Some(held)) = held {
                let took = write(&mut writer, &outbox, &held.statement).await;
                slowest = slowest.max(took);
                writes += 1;
                seen.insert(held.statement.clone());
                held.go_on();
            } else {
                // Nothing new for a while: it has said what it has to say about what there is.
                break;
            }
            assert!(begun.elapsed() < SOON * 4);
        }
        world
            .wait_count("SELECT COUNT(*) FROM outbox WHERE topic = 'work'", 0, SOON)
            .await;
        relay.stop().await;
    }
    println!(
        "the relay was stopped after {} statements, {writes} times; the slowest transaction beside it took {slowest:?}",
        seen.len()
    );
    let missing: Vec<_> = STATEMENTS
        .iter()
        .filter(|expected| !seen.iter().any(|statement| statement.starts_with(**expected)))
        .collect();
    assert!(missing.is_empty(), "never held: {missing:#?}\nof {seen:#?}");
}

/// Transactions of every kind, all of which have to go through beside a relay that stands still. Returns how long they took.
async fn write(writer: &mut MySqlConnection, outbox: &Outbox, statement: &str) -> Duration {
    let begun = Instant::now();
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let isolation = format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}");
        writer.execute(sqlx::AssertSqlSafe(isolation)).await.unwrap();
        let mut tx = writer.begin().await.unwrap();
        let work = Message::builder("work").key("k").payload("x", "text/plain");
        let written = async {
            outbox.publish(&mut tx, work.clone()).await?;
            outbox.publish_ordered(&mut tx, work.clone()).await?;
            outbox
                .publish(&mut tx, work.clone().delay(Duration::from_millis(1)))
                .await?;
            outbox.publish_all(&mut tx, topics()).await
        };
        if let Err(error) = written.await {
            panic!("a writer could not go on while the relay stood at {statement}: {error:?}");
        }
        tx.commit().await.unwrap();
    }
    begun.elapsed()
}
