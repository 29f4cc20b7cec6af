use std::future::Future;
use std::task::Poll;
use std::time::Duration;

use outbox_core::Message;
use outbox_sqlx::{Outbox, OutboxError};
use sqlx::{Executor, MySqlConnection, PgConnection, SqliteConnection};

use crate::databases::on_each;

/// What applications have: an error type of their own.
#[derive(Debug)]
enum AppError {
    Outbox(OutboxError),
    Refused,
}

impl From<OutboxError> for AppError {
    fn from(error: OutboxError) -> Self {
        Self::Outbox(error)
    }
}

fn bad() -> outbox_core::MessageBuilder {
    Message::builder("not a topic")
}

fn good() -> outbox_core::MessageBuilder {
    Message::builder("t").key("k")
}

macro_rules! assert_rows {
    ($pool:expr, $rows:expr) => {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(&$pool)
            .await
            .unwrap();
        assert_eq!(rows, $rows);
    };
}

on_each! {
    async fn commits_wakes_and_returns_the_value(pool) {
        let outbox = Outbox::new();
        let waker = outbox.waker();
        let id = outbox
            .transaction(&pool, async |tx| {
                let id = outbox.publish(tx, good()).await?;
                Ok::<_, AppError>(id)
            })
            .await
            .unwrap();
        assert_rows!(pool, 1);
        tokio::time::timeout(Duration::from_secs(1), waker.notified()).await.unwrap();
        let stored: uuid::Uuid = sqlx::query_scalar("SELECT message_id FROM outbox").fetch_one(&pool).await.unwrap();
        assert_eq!(stored, id.0);
    }
}

on_each! {
    /// Web frameworks ask for handlers that are Send; the closure borrows what the handler has.
    async fn can_be_spawned_with_a_closure_that_borrows(pool) {
        let handler = {
            let pool = pool.clone();
            async move {
                let outbox = Outbox::new();
                let keys = vec!["a".to_owned(), "b".to_owned()];
                let (outbox, keys) = (&outbox, &keys);
                outbox
                    .transaction(&pool, async |tx| {
                        for key in keys {
                            outbox.publish(tx, Message::builder("t").key(key.as_str())).await?;
                        }
                        Ok::<_, AppError>(keys.len())
                    })
                    .await
            }
        };
        assert_eq!(tokio::spawn(handler).await.unwrap().unwrap(), 2);
        assert_rows!(pool, 2);
    }
}

on_each! {
    async fn an_error_rolls_back(pool) {
        let outbox = Outbox::new();
        let answer = outbox
            .transaction(&pool, async |tx| {
                outbox.publish(tx, good()).await?;
                Err::<(), _>(AppError::Refused)
            })
            .await;
        assert!(matches!(answer, Err(AppError::Refused)));
        assert_rows!(pool, 0);
    }
}

on_each! {
    async fn a_swallowed_publish_error_can_not_commit(pool) {
        let outbox = Outbox::new();
        let answer = outbox
            .transaction(&pool, async |tx| {
                outbox.publish(tx, good()).await?;
                let _ = outbox.publish(tx, bad()).await;
                let _ = outbox.publish_all(tx, [good()]).await;
                Ok::<_, AppError>(())
            })
            .await;
        assert!(matches!(answer, Err(AppError::Outbox(OutboxError::Message(_)))), "{answer:?}");
        assert_rows!(pool, 0);
        // The next one is not concerned.
        outbox.transaction(&pool, async |tx| outbox.publish(tx, good()).await).await.unwrap();
        assert_rows!(pool, 1);
    }
}

/// Deep in application code, which passes bare connections around.
trait Helper {
    fn careless(&mut self, outbox: &Outbox) -> impl Future<Output = ()> + Send;
}

impl Helper for PgConnection {
    async fn careless(&mut self, outbox: &Outbox) {
        let _ = outbox.publish(self, bad()).await;
    }
}

impl Helper for MySqlConnection {
    async fn careless(&mut self, outbox: &Outbox) {
        let _ = outbox.publish(self, bad()).await;
    }
}

impl Helper for SqliteConnection {
    async fn careless(&mut self, outbox: &Outbox) {
        let _ = outbox.publish(self, bad()).await;
    }
}

on_each! {
    async fn nor_one_swallowed_deep_inside(pool) {
        let outbox = Outbox::new();
        let answer = outbox
            .transaction(&pool, async |tx| {
                outbox.publish(tx, good()).await?;
                tx.careless(&outbox).await;
                Ok::<_, OutboxError>(())
            })
            .await;
        assert!(matches!(answer, Err(OutboxError::Message(_))), "{answer:?}");
        assert_rows!(pool, 0);
    }
}

on_each! {
    async fn a_cancelled_publish_can_not_commit(pool) {
        let outbox = Outbox::new();
        for _ in 0..1000 {
            let mut cancelled = false;
            let answer = outbox
                .transaction(&pool, async |tx| {
                    let mut publish = Box::pin(outbox.publish(tx, good()));
                    // Polled once, then dropped: its statement may be on its way.
                    cancelled = std::future::poll_fn(|cx| Poll::Ready(publish.as_mut().poll(cx).is_pending())).await;
                    Ok::<_, OutboxError>(())
                })
                .await;
            if cancelled {
                assert!(matches!(answer, Err(OutboxError::PublishCancelled)), "{answer:?}");
                assert_rows!(pool, 0);
                return;
            }
            // SQLite's thread was faster than the poll.
            answer.unwrap();
            sqlx::query("DELETE FROM outbox").execute(&pool).await.unwrap();
        }
        panic!("no publish could be cancelled");
    }
}

/// An inner scope's failure is the inner transaction's.
#[tokio::test]
async fn scopes_nest() {
    let Some(pool) = crate::databases::postgres().await else {
        return;
    };
    let outbox = Outbox::new();
    outbox
        .transaction(&pool, async |tx| {
            let inner = outbox
                .transaction(&pool, async |tx| outbox.publish(tx, bad()).await)
                .await;
            assert!(inner.is_err());
            outbox.publish(tx, good()).await
        })
        .await
        .unwrap();
    assert_rows!(pool, 1);
}

/// sqlx alone: COMMIT after a swallowed failure answers Ok, and nothing was committed.
#[tokio::test]
async fn postgres_commits_nothing_and_says_ok_without_us() {
    let Some(pool) = crate::databases::postgres().await else {
        return;
    };
    let outbox = Outbox::new();
    let mut tx = outbox.begin(&pool).await.unwrap();
    outbox.publish(&mut tx, good()).await.unwrap();
    let _ = (&mut *tx).execute("SELECT 1 / 0").await;
    tx.commit().await.expect(
        "sqlx or Postgres now tells that nothing was committed: the question before our commit can go",
    );
    assert_rows!(pool, 0);
}

#[tokio::test]
async fn a_swallowed_failure_of_any_statement_can_not_look_committed_on_postgres() {
    let Some(pool) = crate::databases::postgres_pool(1).await else {
        return;
    };
    let outbox = Outbox::new();
    let answer = outbox
        .transaction(&pool, async |tx| {
            outbox.publish(tx, good()).await?;
            let _ = (&mut **tx).execute("SELECT 1 / 0").await;
            Ok::<_, OutboxError>(())
        })
        .await;
    assert!(
        matches!(answer, Err(OutboxError::TransactionAborted)),
        "{answer:?}"
    );
    assert_rows!(pool, 0);
}

/// On SQLite a failed statement leaves the transaction as it was, and committing the rest is right.
#[tokio::test]
async fn a_swallowed_failure_of_a_statement_is_the_applications_business_on_sqlite() {
    let pool = crate::databases::sqlite().await;
    let outbox = Outbox::new();
    outbox
        .transaction(&pool, async |tx| {
            outbox.publish(tx, good()).await?;
            let _ = (&mut **tx).execute("SELECT nonsense").await;
            Ok::<_, OutboxError>(())
        })
        .await
        .unwrap();
    assert_rows!(pool, 1);
}

/// SQLite gives a transaction up by itself when the disk is full, for example. What is published after that
/// would be committed at once, on its own.
#[tokio::test]
async fn nothing_is_published_after_sqlite_gave_the_transaction_up() {
    let pool = crate::databases::sqlite().await;
    sqlx::query("CREATE TABLE business (n INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)")
        .execute(&pool)
        .await
        .unwrap();
    let outbox = Outbox::new();
    let answer = outbox
        .transaction(&pool, async |tx| {
            (&mut **tx)
                .execute("INSERT INTO business VALUES (1)")
                .await
                .unwrap();
            // This conflict rolls the whole transaction back, and sqlx does not notice.
            let _ = (&mut **tx).execute("INSERT INTO business VALUES (1)").await;
            let _ = outbox.publish(tx, good()).await;
            Ok::<_, OutboxError>(())
        })
        .await;
    assert!(
        matches!(answer, Err(OutboxError::TransactionAborted)),
        "{answer:?}"
    );
    assert_rows!(pool, 0);
    // And the connection is fit for use.
    outbox
        .transaction(&pool, async |tx| outbox.publish(tx, good()).await)
        .await
        .unwrap();
    assert_rows!(pool, 1);
}

#[tokio::test]
async fn a_commit_that_the_database_refused_was_rolled_back() {
    let Some(pool) = crate::databases::postgres().await else {
        return;
    };
    pool.execute("CREATE TABLE one (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        .await
        .unwrap();
    let outbox = Outbox::new();
    let answer = outbox
        .transaction(&pool, async |tx| {
            outbox.publish(tx, good()).await?;
            (&mut **tx)
                .execute("INSERT INTO one VALUES (1), (1)")
                .await
                .unwrap();
            Ok::<_, OutboxError>(())
        })
        .await;
    assert!(
        matches!(
            answer,
            Err(OutboxError::Database {
                doing: "committing",
                ..
            })
        ),
        "{answer:?}"
    );
    assert_rows!(pool, 0);
}

/// The connection dies while the commit is under way: nobody can know.
#[tokio::test]
async fn a_commit_without_an_answer_is_unknown() {
    let Some(pool) = crate::databases::postgres().await else {
        return;
    };
    pool.execute(
        "CREATE TABLE fuse (n int);
         CREATE FUNCTION burn() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER burn AFTER INSERT ON fuse DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION burn()",
    )
    .await
    .unwrap();
    let outbox = Outbox::new();
    let answer = outbox
        .transaction(&pool, async |tx| {
            outbox.publish(tx, good()).await?;
            (&mut **tx).execute("INSERT INTO fuse VALUES (1)").await.unwrap();
            Ok::<_, OutboxError>(())
        })
        .await;
    let error = answer.unwrap_err();
    assert!(matches!(error, OutboxError::CommitUnknown { .. }), "{error:?}");
    assert!(!error.is_retryable());
    assert!(error.to_string().contains("unknown"));
}

#[tokio::test]
async fn serialization_failures_and_deadlocks_are_retryable() {
    let Some(pool) = crate::databases::postgres().await else {
        return;
    };
    pool.execute("CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)")
        .await
        .unwrap();
    let outbox = Outbox::new();
    let answer = outbox
        .transaction(&pool, async |tx| {
            (&mut **tx)
                .execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                .await
                .unwrap();
            let _: i32 = sqlx::query_scalar("SELECT n FROM counter")
                .fetch_one(&mut **tx)
                .await
                .unwrap();
            let other = outbox
                .transaction(&pool, async |tx| {
                    (&mut **tx)
                        .execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                        .await
                        .unwrap();
                    let _: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
                        .fetch_one(&mut **tx)
                        .await
                        .unwrap();
                    (&mut **tx).execute("UPDATE counter SET n = 1").await.unwrap();
                    Ok::<_, OutboxError>(())
                })
                .await;
            other.unwrap();
            outbox.publish(tx, good()).await
        })
        .await;
    let error = answer.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_rows!(pool, 0);
}

/// As in an axum handler: the future is Send and 'static.
#[tokio::test(flavor = "multi_thread")]
async fn the_scope_runs_in_a_spawned_task() {
    async fn handler(outbox: Outbox, pool: sqlx::SqlitePool, order: String) -> Result<String, AppError> {
        let id = outbox
            .transaction(&pool, async |tx| {
                sqlx::query("INSERT INTO orders VALUES ($1)")
                    .bind(&order)
                    .execute(&mut **tx)
                    .await
                    .map_err(|_| AppError::Refused)?;
                Ok::<_, AppError>(
                    outbox
                        .publish(tx, Message::builder("t").key(order.as_str()))
                        .await?,
                )
            })
            .await?;
        Ok(id.to_string())
    }
    async fn postgres_handler(outbox: Outbox, pool: sqlx::PgPool) -> Result<(), OutboxError> {
        outbox
            .transaction(&pool, async |tx| outbox.publish(tx, good()).await.map(drop))
            .await
    }
    let pool = crate::databases::sqlite().await;
    pool.execute("CREATE TABLE orders (id TEXT)").await.unwrap();
    tokio::spawn(handler(Outbox::new(), pool.clone(), "o".into()))
        .await
        .unwrap()
        .unwrap();
    assert_rows!(pool, 1);
    if let Some(pool) = crate::databases::postgres().await {
        tokio::spawn(postgres_handler(Outbox::new(), pool.clone()))
            .await
            .unwrap()
            .unwrap();
        assert_rows!(pool, 1);
    }
}
