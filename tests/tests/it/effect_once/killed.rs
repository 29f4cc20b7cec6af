//! Consumers in processes of their own, killed at each step between a delivery and its ack, and frozen past their leases.

use std::time::Duration;

use outbox_core::{Message, Publisher as _};
use outbox_sqlx::queue::SqlQueue;
use outbox_test_harness::{ChildProcess, RedisOptions, requirement};
use outbox_tests::{Backend, Effects, TOPIC, on_pool};

use crate::support::{Kind, SOON, World};

/// Of the queue's members: how long a killed one keeps others waiting.
const LEASE: Duration = Duration::from_secs(1);
/// Of the locks.
const LOCK_LEASE: Duration = Duration::from_secs(2);

const STEPS: [&str; 6] = [
    "before-lock",
    "after-lock",
    "after-ledger-row",
    "after-effect",
    "after-commit",
    "before-ack",
];

const MESSAGES: usize = 20;
const QUEUES: u32 = 4;

/// A world with the ledger, effects, and messages of which one has the key `fatal`.
async fn prepared(kind: Kind) -> Option<(World, SqlQueue, Vec<Message>)> {
    let world = World::new(kind).await?;
    on_pool!(&world.backend, pool => {
        idempotency::migrate(pool).await.unwrap();
        make_effects(pool).await;
    });
    let queue = world.backend.queue(LEASE).unwrap();
    queue.declare_topic(TOPIC, QUEUES).await.unwrap();
    let messages: Vec<Message> = (0..MESSAGES)
        .map(|n| {
            let key = if n == MESSAGES / 2 {
                "fatal".to_owned()
            } else {
                format!("k{}", n % 5)
            };
            Message::builder(TOPIC)
                .key(key)
                .payload(n.to_string(), "text/plain")
                .build()
                .unwrap()
        })
        .collect();
    for answer in queue.publisher().publish(&messages).await {
        answer.unwrap();
    }
    Some((world, queue, messages))
}

async fn make_effects<DB: Effects>(pool: &sqlx::Pool<DB>) {
    DB::make_effects(pool).await.unwrap();
}

async fn effects(backend: &Backend, group: &str) -> std::collections::HashMap<outbox_core::MessageId, usize> {
    async fn of<DB: Effects>(
        pool: &sqlx::Pool<DB>,
        group: &str,
    ) -> std::collections::HashMap<outbox_core::MessageId, usize> {
        DB::effects(pool, group).await.unwrap()
    }
    on_pool!(backend, pool => of(pool, group).await)
}

async fn assert_once(world: &World, group: &str, messages: &[Message]) {
    let effects = effects(&world.backend, group).await;
    let double = effects.values().filter(|&&times| times > 1).count();
    let lost = messages
        .iter()
        .filter(|message| !effects.contains_key(&message.id()))
        .count();
    println!(
        "group={group} messages={} effects={} lost={lost} double={double}",
        messages.len(),
        effects.values().sum::<usize>()
    );
    assert_eq!((lost, double, effects.len()), (0, 0, messages.len()), "{group}");
}

fn spawn(world: &World, redis: &str, group: &str, more: &[&str]) -> ChildProcess {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fault-guard"));
    let lock_lease = LOCK_LEASE.as_millis().to_string();
    command
        .args([
            "--database",
            &world.url,
            "--redis",
            redis,
            "--group",
            group,
            "--lock-lease-ms",
            &lock_lease,
        ])
        .args(more);
    let mut consumer = ChildProcess::spawn(command).unwrap();
    consumer.line_where(SOON, |line| line == "ready").unwrap();
    consumer
}

on_each! {
    async fn killed_at_each_step(kind: Kind) {
        let Some(redis) = requirement::private_redis(&RedisOptions::new()) else { return };
        let Some((world, queue, messages)) = prepared(kind).await else { return };
        // SQLite has one writer, whose death in the middle of a transaction is over at once; all can die side by side.
        let mut dying: Vec<ChildProcess> = STEPS.iter().map(|step| spawn(&world, &redis.url(), step, &["--die", step])).collect();
        for (step, consumer) in STEPS.iter().zip(&mut dying) {
            let status = consumer.wait_timeout(SOON).unwrap();
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{step}: {}", consumer.log_tail());
        }
        let died = std::time::Instant::now();
        for step in STEPS {
            let mut successor = spawn(&world, &redis.url(), step, &[]);
            world.wait_handled(&queue, step, SOON).await;
            let recovery = died.elapsed();
            successor.terminate().unwrap();
            let told = successor.line_where(SOON, |line| line.starts_with("stopped")).unwrap();
            println!("{step}: at rest {recovery:?} after the deaths; the successor {told}");
            assert_once(&world, step, &messages).await;
        }
        // Locks of the dead end with their leases; what is left are marks.
        let mut client = redis.client().unwrap();
        let begun = std::time::Instant::now();
        loop {
            let names = client.run(&["KEYS", "*"]).unwrap();
            let locks = names.lines().filter(|name| client_value(&mut redis.client().unwrap(), name).starts_with('L')).count();
            if locks == 0 {
                break;
            }
            assert!(begun.elapsed() < LOCK_LEASE + Duration::from_secs(5), "{locks} locks are still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn client_value(client: &mut outbox_test_harness::redis::RedisClient, name: &str) -> String {
    client.run(&["GET", name]).unwrap_or_default()
}

/// Frozen in its handler, with its transaction open: another member takes the queue over, and waits at the ledger's row for
/// as long as the database lets the frozen one's session be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_past_its_leases_and_continued() {
    let Some(redis) = requirement::private_redis(&RedisOptions::new()) else {
        return;
    };
    let Some((world, queue, messages)) = prepared(Kind::Postgres).await else {
        return;
    };
    let until = world.scratch.path().join("go-on");
    let until = until.to_str().unwrap();
    let mut frozen = spawn(
        &world,
        &redis.url(),
        "g",
        &["--hold-key", "fatal", until, "--idle-in-transaction-ms", "3000"],
    );
    frozen.line_where(SOON, |line| line == "holding").unwrap();
    frozen.freeze().unwrap();
    let successor = spawn(&world, &redis.url(), "g", &[]);
    let begun = std::time::Instant::now();
    world.wait_handled(&queue, "g", SOON).await;
    println!("at rest {:?} after the freeze", begun.elapsed());
    assert!(
        begun.elapsed() > LOCK_LEASE / 2,
        "the frozen one's transaction was in the way"
    );
    assert_once(&world, "g", &messages).await;
    std::fs::write(until, "").unwrap();
    frozen.thaw();
    // It finds its session gone, and its delivery another's.
    crate::support::terminate_consumer(frozen);
    crate::support::terminate_consumer(successor);
    assert_once(&world, "g", &messages).await;
}

/// Frozen as above and continued before its session is ended: it commits, and who took over finds that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_and_continued_while_its_successor_waits() {
    let Some(redis) = requirement::private_redis(&RedisOptions::new()) else {
        return;
    };
    let Some((world, queue, messages)) = prepared(Kind::Postgres).await else {
        return;
    };
    let until = world.scratch.path().join("go-on");
    let until = until.to_str().unwrap();
    let mut frozen = spawn(&world, &redis.url(), "g", &["--hold-key", "fatal", until]);
    frozen.line_where(SOON, |line| line == "holding").unwrap();
    frozen.freeze().unwrap();
    let mut successor = spawn(&world, &redis.url(), "g", &[]);
    // The frozen one's lease has run out, and its queues are the successor's.
    world
        .wait_count(
            "SELECT count(*) FROM outbox_group_queue WHERE epoch > 1",
            QUEUES.into(),
            SOON,
        )
        .await;
    std::fs::write(until, "").unwrap();
    frozen.thaw();
    world.wait_handled(&queue, "g", SOON).await;
    assert_once(&world, "g", &messages).await;
    successor.terminate().unwrap();
    println!(
        "{}",
        successor
            .line_where(SOON, |line| line.starts_with("stopped"))
            .unwrap()
    );
    crate::support::terminate_consumer(frozen);
    assert_once(&world, "g", &messages).await;
}
