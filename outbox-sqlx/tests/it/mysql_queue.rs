//! What is particular to the durable queue on MySQL and MariaDB: whom its locks keep waiting, and what a crash can undo.

use std::time::Duration;

use outbox_core::{Message, Publisher, Subscriber};
use outbox_sqlx::queue::SqlQueue;
use sqlx::{Executor, MySqlPool};

use crate::databases::mysql;
use crate::mysql::{outsider, wait_until_waiting};

/// Shorter than a member waits for a lock, and longer than anything that waits for none.
const SOON: Duration = Duration::from_secs(8);

fn messages(count: u32) -> Vec<Message> {
    (0..count)
        .map(|n| {
            Message::builder("t")
                .key(format!("k{n}"))
                .json(&n)
                .unwrap()
                .build()
                .unwrap()
        })
        .collect()
}

async fn publish(queue: &SqlQueue, messages: &[Message]) {
    for answer in queue.publisher().publish(messages).await {
        answer.unwrap();
    }
}

async fn number(pool: &MySqlPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// Waits until a query gives a number.
async fn wait_number(pool: &MySqlPool, sql: &'static str, expected: i64) {
    let wait = async {
        while number(pool, sql).await != expected {
            // A table tells nobody when it changes.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, wait)
        .await
        .unwrap_or_else(|_| panic!("{sql} does not become {expected}"));
}

/// Who appends holds the queues' rows; a group frees and takes queues without them.
#[tokio::test]
async fn a_takeover_waits_for_nobody_who_appends() {
    let Some(pool) = mysql().await else { return };
    let queue = SqlQueue::builder(pool.clone())
        .lease(Duration::from_secs(4))
        .build()
        .unwrap();
    let mut subscriber = queue.subscribe("g", ["t"]).await.unwrap();
    wait_number(
        &pool,
        "SELECT COUNT(*) FROM outbox_group_queue WHERE owner IS NOT NULL",
        8,
    )
    .await;
    let mut appending = outsider(&pool).await;
    appending.execute("BEGIN").await.unwrap();
    appending
        .execute("UPDATE outbox_queue SET next_offset = next_offset + 1 ORDER BY id")
        .await
        .unwrap();
    let mut somebody = outsider(&pool).await;
    somebody
        .execute("UPDATE outbox_group_queue SET owner = 'gone' WHERE queue_id = 3")
        .await
        .unwrap();
    somebody
        .execute("UPDATE outbox_group SET changes = changes + 1")
        .await
        .unwrap();
    wait_number(
        &pool,
        "SELECT COUNT(*) FROM outbox_group_queue WHERE owner <> 'gone' AND queue_id = 3 AND epoch = 2",
        1,
    )
    .await;
    appending.execute("ROLLBACK").await.unwrap();
    subscriber.close().await.unwrap();
}

/// Who takes a queue over waits for what its owner is just writing down, and so finds all of it.
#[tokio::test]
async fn a_takeover_waits_for_the_settlement_under_way() {
    let Some(pool) = mysql().await else { return };
    let queue = SqlQueue::new(pool.clone());
    queue.declare_topic("t", 1).await.unwrap();
    publish(&queue, &messages(1)).await;
    let mut subscriber = queue.subscribe("g", ["t"]).await.unwrap();
    let mut deliveries = subscriber.receive(1).await.unwrap();
    // In the settlement's way, behind its lock of the place.
    let mut obstacle = outsider(&pool).await;
    obstacle.execute("BEGIN").await.unwrap();
    obstacle
        .execute(
            "INSERT INTO outbox_group_retry (group_id, queue_id, queue_offset, message_id, payload, headers, created_at, attempts)
             SELECT g.group_id, g.queue_id, 0, '', '', '{}', UTC_TIMESTAMP(6), 1 FROM outbox_group_queue g",
        )
        .await
        .unwrap();
    let failing =
        tokio::spawn(async move { deliveries.pop().unwrap().retry(Duration::ZERO, "not yet").await });
    wait_until_waiting(&pool).await;
    let mut taker = outsider(&pool).await;
    taker.execute("SET innodb_lock_wait_timeout = 1").await.unwrap();
    let taken = taker
        .execute("UPDATE outbox_group_queue SET epoch = epoch + 1")
        .await;
    let refused = taken.unwrap_err().into_database_error().unwrap();
    assert_eq!(
        refused.downcast_ref::<sqlx::mysql::MySqlDatabaseError>().number(),
        1205
    );
    obstacle.execute("ROLLBACK").await.unwrap();
    failing.await.unwrap().unwrap();
    subscriber.close().await.unwrap();
}

/// Retention that waits for a group that registers sees that group's place, and not those of when it began to wait.
#[tokio::test]
async fn retention_sees_a_group_that_registered_while_it_waited() {
    let Some(pool) = mysql().await else { return };
    let queue = SqlQueue::new(pool.clone());
    queue.declare_topic("t", 1).await.unwrap();
    publish(&queue, &messages(10)).await;
    let mut registering = outsider(&pool).await;
    registering.execute("BEGIN").await.unwrap();
    registering
        .execute("INSERT INTO outbox_group (name) VALUES ('g')")
        .await
        .unwrap();
    registering
        .execute("SELECT id FROM outbox_queue LOCK IN SHARE MODE")
        .await
        .unwrap();
    registering
        .execute("INSERT INTO outbox_group_queue (group_id, queue_id, read_offset) SELECT g.id, q.id, 4 FROM outbox_group g, outbox_queue q")
        .await
        .unwrap();
    let purge = tokio::spawn({
        let queue = queue.clone();
        async move { queue.purge(Duration::ZERO, |_| {}).await }
    });
    wait_until_waiting(&pool).await;
    registering.execute("COMMIT").await.unwrap();
    assert_eq!(purge.await.unwrap().unwrap().messages, 4);
    assert_eq!(
        number(&pool, "SELECT MIN(queue_offset) FROM outbox_queue_message").await,
        4
    );
    assert_eq!(number(&pool, "SELECT first_offset FROM outbox_queue").await, 4);
}

/// A member commits something after it has read and before it hands out: with that, what it has read is on the disk.
#[tokio::test]
async fn what_is_handed_out_is_on_the_disk() {
    let Some(pool) = mysql().await else { return };
    let flushes = "SELECT CAST(SUM(flushes) AS SIGNED) FROM outbox_flush";
    let queue = SqlQueue::new(pool.clone());
    let mut subscriber = queue.subscribe("g", ["t"]).await.unwrap();
    wait_number(
        &pool,
        "SELECT COUNT(*) FROM outbox_group_queue WHERE owner IS NOT NULL",
        8,
    )
    .await;
    let before = number(&pool, flushes).await;
    publish(&queue, &messages(1)).await;
    let deliveries = tokio::time::timeout(SOON, subscriber.receive(1))
        .await
        .unwrap()
        .unwrap();
    assert!(number(&pool, flushes).await > before);
    for delivery in deliveries {
        delivery.ack().await.unwrap();
    }
    subscriber.close().await.unwrap();
}

/// Publishers of batches that meet in many queues, groups that are made, topics that grow, retention: nobody is the
/// victim of a deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_no_deadlocks() {
    let Some(pool) = mysql().await else { return };
    let queue = SqlQueue::new(pool.clone());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let queue = queue.clone();
        tasks.spawn(async move {
            for _ in 0..30 {
                publish(&queue, &messages(20)).await;
            }
        });
    }
    for group in ["a", "b", "c"] {
        let queue = queue.clone();
        tasks.spawn(async move {
            for _ in 0..5 {
                let mut subscriber = queue.subscribe(group, ["t"]).await.unwrap();
                queue.pause(group).await.unwrap();
                queue.resume(group).await.unwrap();
                for delivery in subscriber.receive(50).await.unwrap() {
                    delivery.ack().await.unwrap();
                }
                queue
                    .seek(group, "t", outbox_core::group::Start::Beginning)
                    .await
                    .unwrap();
                subscriber.close().await.unwrap();
            }
        });
    }
    let operator = queue.clone();
    tasks.spawn(async move {
        operator.declare_topic("t", 8).await.unwrap();
        for queues in 9..14 {
            operator.grow_topic("t", queues).await.unwrap();
            operator.purge(Duration::ZERO, |_| {}).await.unwrap();
        }
    });
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}
