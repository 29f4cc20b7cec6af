//! Dropping any of our futures at any of its polls leaves no pooled connection in a transaction, and the
//! messages of a transaction are all there or not at all.

use std::time::Duration;

use outbox_core::Message;
use outbox_sqlx::{Outbox, OutboxError, dead};
use sqlx::Executor;

use crate::begin::poll_times;
use crate::databases::{distant_postgres_pool, outsider};

#[tokio::test]
async fn a_scope_dropped_at_any_poll_on_postgres() {
    let Some(pool) = distant_postgres_pool(1).await else {
        return;
    };
    pool.execute("CREATE TABLE business (n int)").await.unwrap();
    let outbox = Outbox::new();
    let mut outside = outsider(&pool).await;
    for polls in 1..200 {
        let scope = outbox.transaction(&pool, async |tx| {
            sqlx::query("INSERT INTO business VALUES ($1)")
                .bind(polls)
                .execute(&mut **tx)
                .await
                .unwrap();
            outbox
                .publish_ordered(tx, Message::builder("t").key(polls.to_string()))
                .await?;
            outbox
                .publish_all(tx, (0..2).map(|_| Message::builder("t").key(polls.to_string())))
                .await?;
            Ok::<_, OutboxError>(())
        });
        let finished = poll_times(Box::pin(scope).as_mut(), polls as u32).await;
        // The next statement through the pool is committed by itself.
        tokio::time::timeout(
            Duration::from_secs(10),
            sqlx::query("INSERT INTO business VALUES (-$1)")
                .bind(polls)
                .execute(&pool),
        )
        .await
        .unwrap()
        .unwrap();
        let (business, messages, witness): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM business WHERE n = $1), \
                    (SELECT count(*) FROM outbox WHERE message_key = $1::text), \
                    (SELECT count(*) FROM business WHERE n = -$1)",
        )
        .bind(polls)
        .fetch_one(&mut outside)
        .await
        .unwrap();
        assert_eq!(
            witness, 1,
            "dropped after {polls} polls: the pool is in a transaction"
        );
        assert_eq!(messages, business * 3, "dropped after {polls} polls: torn");
        if finished {
            assert_eq!(business, 1);
            // Six statements at least, each of which has to be waited for.
            assert!(polls > 6, "only {polls} polls were tried");
            return;
        }
    }
    panic!("the scope never finishes");
}

#[tokio::test]
async fn a_scope_dropped_at_any_poll_on_sqlite() {
    let pool = crate::databases::sqlite().await;
    pool.execute("CREATE TABLE business (n int)").await.unwrap();
    let outbox = Outbox::new();
    // The driver's thread may answer before the task looks, so that a scope is through after two polls or after many:
    // it is begun until enough of them were dropped on their way.
    const DROPS: usize = 30;
    const ROUNDS: usize = 20_000;
    let (mut finished, mut dropped) = (0, 0);
    for round in 0..ROUNDS {
        let n = i64::try_from(round).unwrap();
        let polls = u32::try_from(2 + round % 16).unwrap();
        let scope = outbox.transaction(&pool, async |tx| {
            sqlx::query("INSERT INTO business VALUES ($1)")
                .bind(n)
                .execute(&mut **tx)
                .await
                .unwrap();
            outbox
                .publish_all(tx, (0..3).map(|_| Message::builder("t").key(n.to_string())))
                .await?;
            Ok::<_, OutboxError>(())
        });
        let through = poll_times(Box::pin(scope).as_mut(), polls).await;
        // On one connection: a stray transaction would refuse this BEGIN.
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let (business, messages): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM business WHERE n = $1), (SELECT count(*) FROM outbox WHERE message_key = $2)",
        )
        .bind(n)
        .bind(n.to_string())
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        assert_eq!(messages, business * 3, "dropped after {polls} polls: torn");
        tx.rollback().await.unwrap();
        if through {
            assert_eq!(business, 1);
            finished += 1;
        } else {
            dropped += 1;
        }
        if finished > 0 && dropped >= DROPS {
            return;
        }
    }
    panic!("of {ROUNDS} scopes {dropped} were dropped on their way, {finished} came through");
}

#[tokio::test]
async fn a_redrive_dropped_at_any_poll_on_postgres() {
    let Some(pool) = distant_postgres_pool(1).await else {
        return;
    };
    let mut outside = outsider(&pool).await;
    for polls in 1..200 {
        pool.execute("TRUNCATE outbox_dead, outbox").await.unwrap();
        crate::dead::bury(
            &pool,
            &[(1, "t", Some("k"), "skipped"), (2, "t", Some("k"), "skipped")],
        )
        .await;
        let finished = poll_times(Box::pin(dead::redrive_key(&pool, "t", "k", "me")).as_mut(), polls).await;
        pool.execute("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('w', 'w', 0)")
            .await
            .unwrap();
        let (dead, back, witness): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM outbox_dead), (SELECT count(*) FROM outbox), (SELECT count(*) FROM outbox_parked)",
        )
        .fetch_one(&mut outside)
        .await
        .unwrap();
        assert_eq!(
            witness, 1,
            "dropped after {polls} polls: the pool is in a transaction"
        );
        assert!(
            dead + back == 2 && dead != 1,
            "dropped after {polls} polls: {dead} dead, {back} back"
        );
        if finished {
            assert_eq!(back, 2);
            return;
        }
        pool.execute("DELETE FROM outbox_parked").await.unwrap();
    }
    panic!("the redrive never finishes");
}
