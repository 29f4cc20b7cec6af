use outbox_core::Message;
use outbox_sqlx::{Outbox, OutboxError};
use sqlx::Executor;
use sqlx::sqlite::SqlitePoolOptions;

use crate::databases::sqlite_file;

#[tokio::test]
async fn a_pool_of_several_on_memory_is_refused() {
    for url in ["sqlite::memory:", "sqlite://?mode=memory"] {
        let pool = SqlitePoolOptions::new()
            .max_connections(2)
            .connect(url)
            .await
            .unwrap();
        let error = outbox_sqlx::migrate(&pool).await.unwrap_err();
        assert!(
            matches!(error, OutboxError::MemoryPool { connections: 2 }),
            "{url}: {error:?}"
        );
        assert!(error.to_string().contains("exactly one connection"));
        assert!(matches!(
            Outbox::new().begin(&pool).await,
            Err(OutboxError::MemoryPool { .. })
        ));
        let pool = outbox_sqlx::sqlite::open(url).await.unwrap();
        outbox_sqlx::migrate(&pool).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_url_is_named() {
    let error = outbox_sqlx::sqlite::open("sqlite://x?mode=nonsense")
        .await
        .unwrap_err();
    assert!(matches!(error, OutboxError::Url { .. }), "{error:?}");
    let error = outbox_sqlx::sqlite::open("sqlite:///no/such/folder/x.db")
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            OutboxError::Database {
                doing: "opening the database",
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_file_is_opened_durably() {
    let (_folder, pool) = sqlite_file().await;
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(journal, "wal");
    for (pragma, expected) in [
        ("PRAGMA synchronous", 2),
        ("PRAGMA foreign_keys", 1),
        ("PRAGMA busy_timeout", 10_000),
    ] {
        let value: i64 = sqlx::query_scalar(pragma).fetch_one(&pool).await.unwrap();
        assert_eq!(value, expected, "{pragma}");
    }
}

/// A transaction that has read, then writes, while somebody else wrote in between: refused at once, whatever
/// the busy timeout. That is why ours begin with the write lock.
#[tokio::test]
async fn a_deferred_transaction_is_refused_at_once_and_ours_waits() {
    let (_folder, pool) = sqlite_file().await;
    let outbox = Outbox::new();
    let mut deferred = pool.begin().await.unwrap();
    let _: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
        .fetch_one(&mut *deferred)
        .await
        .unwrap();
    outbox
        .transaction(&pool, async |tx| outbox.publish(tx, Message::builder("t")).await)
        .await
        .unwrap();
    let error = outbox
        .publish(&mut deferred, Message::builder("t"))
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    drop(deferred);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_take_turns() {
    let (_folder, pool) = sqlite_file().await;
    pool.execute("CREATE TABLE business (n INTEGER)").await.unwrap();
    let outbox = Outbox::new();
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (outbox, pool) = (outbox.clone(), pool.clone());
            tokio::spawn(async move {
                for n in 0..25 {
                    outbox
                        .transaction(&pool, async |tx| {
                            let _: i64 = sqlx::query_scalar("SELECT count(*) FROM business")
                                .fetch_one(&mut **tx)
                                .await
                                .unwrap();
                            sqlx::query("INSERT INTO business VALUES (?)")
                                .bind(n)
                                .execute(&mut **tx)
                                .await
                                .unwrap();
                            outbox.publish(tx, Message::builder("t")).await
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
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(rows, 200);
}
