use std::time::{Duration, Instant};

use outbox_core::Message;
use outbox_sqlx::Outbox;
use outbox_sqlx::postgres::{NOTIFY_CHANNEL, Notifier};
use sqlx::PgPool;
use sqlx::postgres::PgListener;

use crate::databases::postgres;

async fn listener(pool: &PgPool) -> PgListener {
    let mut listener = PgListener::connect_with(pool).await.unwrap();
    listener.listen(NOTIFY_CHANNEL).await.unwrap();
    listener
}

async fn heard(listener: &mut PgListener, within: Duration) -> bool {
    tokio::time::timeout(within, listener.recv())
        .await
        .is_ok_and(|heard| heard.is_ok())
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_publish_and_a_wake_are_told_and_many_together() {
    let Some(pool) = postgres().await else { return };
    let mut listener = listener(&pool).await;
    let notifier = Notifier::builder((*pool.connect_options()).clone())
        .interval(Duration::from_millis(50))
        .start();
    let outbox = Outbox::builder().notifier(notifier.clone()).build();
    outbox
        .transaction(&pool, async |tx| outbox.publish(tx, Message::builder("t")).await)
        .await
        .unwrap();
    assert!(heard(&mut listener, LONG).await);
    outbox.wake();
    assert!(heard(&mut listener, LONG).await);

    let started = Instant::now();
    let mut told = 0;
    while started.elapsed() < Duration::from_millis(500) {
        notifier.signal();
        told += u32::from(heard(&mut listener, Duration::from_millis(1)).await);
    }
    assert!(
        (1..=11).contains(&told),
        "{told} notifications in half a second, at most one in 50 ms"
    );
}

#[tokio::test]
async fn it_comes_back_after_its_connection_died() {
    let Some(pool) = postgres().await else { return };
    let mut listener = listener(&pool).await;
    let notifier = Notifier::start((*pool.connect_options()).clone());
    notifier.signal();
    assert!(heard(&mut listener, LONG).await);
    // Only the notifier's own session last said NOTIFY.
    let killed: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' AND datname = current_database()",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(killed, 1);
    let started = Instant::now();
    loop {
        notifier.signal();
        if heard(&mut listener, Duration::from_millis(200)).await {
            break;
        }
        assert!(started.elapsed() < LONG);
    }
}

#[tokio::test]
async fn it_ends_with_its_last_clone() {
    let Some(pool) = postgres().await else { return };
    let mut listener = listener(&pool).await;
    let notifier = Notifier::start((*pool.connect_options()).clone());
    let outbox = Outbox::builder().notifier(notifier.clone()).build();
    drop(notifier);
    outbox.wake();
    assert!(heard(&mut listener, LONG).await);
    drop(outbox);
    let started = Instant::now();
    loop {
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' AND datname = current_database()",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        if open == 0 {
            return;
        }
        assert!(started.elapsed() < LONG, "its connection is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A server that is away costs the writers nothing.
#[tokio::test]
async fn an_unreachable_server_disturbs_nobody() {
    let Some(pool) = postgres().await else { return };
    let nowhere = (*pool.connect_options()).clone().port(1);
    let outbox = Outbox::builder().notifier(Notifier::start(nowhere)).build();
    for _ in 0..20 {
        outbox
            .transaction(&pool, async |tx| outbox.publish(tx, Message::builder("t")).await)
            .await
            .unwrap();
    }
}
