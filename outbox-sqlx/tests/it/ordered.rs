use std::time::Duration;

use outbox_core::Message;
use outbox_sqlx::{Outbox, OutboxError};

use crate::databases::postgres;

fn message(key: &str) -> outbox_core::MessageBuilder {
    Message::builder("t").key(key)
}

/// Why there is an ordered publish: ids are given before the commit.
#[tokio::test]
async fn without_a_lock_commits_overtake_ids() {
    let Some(pool) = postgres().await else { return };
    let outbox = Outbox::new();
    let mut first = outbox.begin(&pool).await.unwrap();
    outbox.publish(&mut first, message("k")).await.unwrap();
    let mut second = outbox.begin(&pool).await.unwrap();
    outbox.publish(&mut second, message("k")).await.unwrap();
    // The higher id is committed and visible while the lower is not.
    second.commit().await.unwrap();
    let visible: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(visible, [2]);
    first.commit().await.unwrap();
}

#[tokio::test]
async fn an_ordered_publish_waits_for_the_one_before() {
    let Some(pool) = postgres().await else { return };
    let outbox = Outbox::new();
    let mut first = outbox.begin(&pool).await.unwrap();
    let a = outbox.publish_ordered(&mut first, message("k")).await.unwrap();
    let second = tokio::spawn({
        let (outbox, pool) = (outbox.clone(), pool.clone());
        async move {
            let mut second = outbox.begin(&pool).await.unwrap();
            let b = outbox.publish_ordered(&mut second, message("k")).await.unwrap();
            second.commit().await.unwrap();
            b
        }
    });
    // Another key does not wait, and neither does the same key in another topic.
    let mut other = outbox.begin(&pool).await.unwrap();
    outbox.publish_ordered(&mut other, message("l")).await.unwrap();
    outbox
        .publish_ordered(&mut other, Message::builder("u").key("k"))
        .await
        .unwrap();
    outbox
        .publish_ordered(&mut other, Message::builder("t"))
        .await
        .unwrap();
    other.rollback().await.unwrap();
    wait_until_somebody_waits(&pool).await;
    assert!(!second.is_finished());
    first.commit().await.unwrap();
    let b = second.await.unwrap();
    let order: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT message_id FROM outbox ORDER BY id")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(order, [a.0, b.0]);
}

async fn wait_until_somebody_waits(pool: &sqlx::PgPool) {
    for _ in 0..500 {
        let waiting: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                .fetch_one(pool)
                .await
                .unwrap();
        if waiting > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody waits for the lock");
}

/// The keys of a batch are locked in one order, whatever theirs is.
#[tokio::test(flavor = "multi_thread")]
async fn batches_of_the_same_keys_do_not_deadlock() {
    let Some(pool) = postgres().await else { return };
    let outbox = Outbox::new();
    let writers: Vec<_> = (0..8)
        .map(|writer: usize| {
            let (outbox, pool) = (outbox.clone(), pool.clone());
            tokio::spawn(async move {
                for round in 0..20 {
                    let mut keys: Vec<usize> = (0..12).collect();
                    keys.rotate_left((writer * 5 + round) % 12);
                    if writer.is_multiple_of(2) {
                        keys.reverse();
                    }
                    outbox
                        .transaction(&pool, async |tx| {
                            outbox
                                .publish_all_ordered(tx, keys.iter().map(|key| message(&key.to_string())))
                                .await
                        })
                        .await?;
                }
                Ok::<_, OutboxError>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn too_many_locks_are_refused() {
    let Some(pool) = postgres().await else { return };
    let outbox = Outbox::new();
    let mut tx = outbox.begin(&pool).await.unwrap();
    let refused = outbox
        .publish_all_ordered(&mut tx, (0..1001).map(|n| message(&n.to_string())))
        .await;
    assert!(
        matches!(
            refused,
            Err(OutboxError::TooManyKeys {
                count: 1001,
                max: 1000
            })
        ),
        "{refused:?}"
    );
    // Many messages of few keys are fine.
    outbox
        .publish_all_ordered(&mut tx, (0..2000).map(|n| message(&(n % 1000).to_string())))
        .await
        .unwrap();
}

/// SQLite: the insert itself needs the only write lock, also where a transaction began without it.
#[tokio::test]
async fn sqlite_orders_by_its_write_lock() {
    let (_folder, pool) = crate::databases::sqlite_file().await;
    let outbox = Outbox::new();
    let mut first = pool.begin().await.unwrap();
    outbox.publish_ordered(&mut first, message("k")).await.unwrap();
    let second = tokio::spawn({
        let (outbox, pool) = (outbox.clone(), pool.clone());
        async move {
            let mut second = outbox.begin(&pool).await.unwrap();
            outbox.publish_ordered(&mut second, message("k")).await.unwrap();
            second.commit().await.unwrap();
        }
    });
    // Something to wait for besides the clock: reads go on meanwhile.
    for _ in 0..20 {
        let _: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(&pool)
            .await
            .unwrap();
    }
    assert!(!second.is_finished());
    first.commit().await.unwrap();
    second.await.unwrap();
    let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox ORDER BY id")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(ids, [1, 2]);
}
