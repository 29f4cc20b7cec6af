//! A step in another system, before the transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use idempotency::Idempotency;
use idempotency::consumer::PreparedHandler;
use idempotency::lock::{Acquired, Lock, LockKey, MemoryLock};
use outbox_core::consumer::{HandleError, Handler};
use outbox_core::{Confirm, Delivery, Enqueue, Message};
use outbox_sqlx::Outbox;
use sqlx::Executor;
use transaction_scope::ScopedTransaction;

use crate::consumer::Unheard;
use crate::databases::{effect, effects, on_each, rows};

pub(crate) const GROUP: &str = "payment";

/// Notes what it does: the other system's work by the pool, and its own in the transaction.
pub(crate) struct Charge<DB: sqlx::Database> {
    pool: sqlx::Pool<DB>,
    prepared: Arc<AtomicU32>,
    error: fn() -> HandleError,
    /// So many of the first steps fail, and so many of the second.
    first_fails: AtomicU32,
    second_fails: AtomicU32,
}

impl<DB: sqlx::Database> Charge<DB> {
    pub(crate) fn new(pool: &sqlx::Pool<DB>, first_fails: u32, second_fails: u32) -> Self {
        Self {
            pool: pool.clone(),
            prepared: Arc::default(),
            error: || HandleError::retryable("on purpose"),
            first_fails: first_fails.into(),
            second_fails: second_fails.into(),
        }
    }

    fn fails(&self, left: &AtomicU32) -> Result<(), HandleError> {
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match taken {
            Ok(_) => Err((self.error)()),
            Err(_) => Ok(()),
        }
    }
}

macro_rules! charge {
    ($database:ty) => {
        #[async_trait]
        impl<O> PreparedHandler<$database, O> for Charge<$database>
        where
            O: Enqueue<ScopedTransaction<$database>> + Send + Sync,
        {
            type Prepared = u32;

            async fn prepare(&self, _: &Message) -> Result<u32, HandleError> {
                let times = self.prepared.fetch_add(1, Ordering::Relaxed) + 1;
                // Commits by itself, whatever becomes of the message. On SQLite, and wherever the pool has one connection, this
                // would wait for ever if the transaction were open.
                tokio::time::timeout(Duration::from_secs(10), self.pool.execute(effect("asked"))).await??;
                self.fails(&self.first_fails)?;
                Ok(times)
            }

            async fn handle(
                &self,
                _: &Message,
                times: u32,
                tx: &mut ScopedTransaction<$database>,
                _: &O,
            ) -> Result<(), HandleError> {
                tx.execute(effect("answered")).await?;
                self.fails(&self.second_fails)?;
                assert_eq!(
                    times,
                    self.prepared.load(Ordering::Relaxed),
                    "what this attempt prepared"
                );
                Ok(())
            }
        }
    };
}
charge!(sqlx::Sqlite);
charge!(sqlx::Postgres);
charge!(sqlx::MySql);

pub(crate) fn message() -> Message {
    let confirm = Confirm::by([GROUP], Duration::from_secs(60)).to("confirmed");
    let message = Message::builder("payments").confirm_by(confirm).unwrap();
    message.build().unwrap()
}

pub(crate) fn deliver(message: &Message) -> Delivery {
    Delivery::new(message.clone(), 1, 0, 0, Box::new(Unheard))
}

on_each! {
    async fn a_failed_step_is_made_again_and_writes_nothing(pool) {
        outbox_sqlx::migrate(pool).await.unwrap();
        let guard = Idempotency::builder(pool.clone()).build().await.unwrap();
        let charge = Charge::new(pool, 1, 1);
        let prepared = Arc::clone(&charge.prepared);
        let consumer = guard.prepared_consumer(GROUP, Outbox::new(), charge).unwrap();
        let message = message();
        for attempts in 1..3 {
            let error = consumer.handle(&deliver(&message)).await.unwrap_err();
            assert!(!error.is_permanent() && !error.is_not_now(), "{error:?}");
            let outside: i64 = sqlx::query_scalar("SELECT count(*) FROM effect WHERE name = 'asked'")
                .fetch_one(pool).await.unwrap();
            assert_eq!(outside, attempts, "it is not undone");
            assert_eq!(rows!(pool, message.id()), 0);
        }
        consumer.handle(&deliver(&message)).await.unwrap();
        let answered: i64 = sqlx::query_scalar("SELECT count(*) FROM effect WHERE name = 'answered'")
            .fetch_one(pool).await.unwrap();
        assert_eq!((answered, rows!(pool, message.id())), (1, 1));
        assert_eq!(prepared.load(Ordering::Relaxed), 3);
    }
}

/// The lock of a message is free; it is left so.
async fn assert_free(lock: &MemoryLock, key: &LockKey) {
    let acquired = lock.acquire(key, Duration::from_secs(10)).await.unwrap();
    let Acquired::Granted(token) = acquired else {
        panic!("{acquired:?}");
    };
    assert!(lock.release(key, token).await.unwrap());
}

on_each! {
    /// A dead letter, or another delivery that costs no attempt: the first step says which, and nobody else.
    async fn what_the_first_step_says_of_its_failure_is_what_comes_out(pool) {
        outbox_sqlx::migrate(pool).await.unwrap();
        let lock = Arc::new(MemoryLock::new());
        let guard = Idempotency::builder(pool.clone()).lock(lock.clone()).build().await.unwrap();
        let permanent: fn() -> HandleError = || HandleError::permanent("no such account");
        let not_now: fn() -> HandleError = || HandleError::not_now(Duration::from_secs(3), "the provider is closed");
        for error in [permanent, not_now] {
            let mut charge = Charge::new(pool, 1, 0);
            charge.error = error;
            let consumer = guard.prepared_consumer(GROUP, Outbox::new(), charge).unwrap();
            let message = message();
            let came_out = consumer.handle(&deliver(&message)).await.unwrap_err();
            let said = |error: &HandleError| (error.is_permanent(), error.is_not_now(), error.to_string());
            assert_eq!(said(&came_out), said(&error()));
            assert_eq!((effects!(pool, "answered"), rows!(pool, message.id())), (0, 0));
            let confirmed: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(pool).await.unwrap();
            assert_eq!(confirmed, 0);
            let key = LockKey::new(guard.namespace(), GROUP, &message.id().to_string());
            assert_free(&lock, &key).await;
            // Whoever gives it back, or mends it and redrives it, has it handled.
            consumer.handle(&deliver(&message)).await.unwrap();
            assert_eq!((effects!(pool, "answered"), rows!(pool, message.id())), (1, 1));
            for table in ["effect", "outbox"] {
                pool.execute(sqlx::AssertSqlSafe(format!("DELETE FROM {table}"))).await.unwrap();
            }
        }
    }
}

on_each! {
    async fn a_duplicate_has_no_effect_and_confirms_again(pool) {
        outbox_sqlx::migrate(pool).await.unwrap();
        for marks in [false, true] {
            pool.execute("DELETE FROM effect").await.unwrap();
            pool.execute("DELETE FROM outbox").await.unwrap();
            let guard = Idempotency::builder(pool.clone())
                .lock(Arc::new(MemoryLock::new()))
                .trust_marks(marks)
                .build().await.unwrap();
            let charge = Charge::new(pool, 0, 0);
            let prepared = Arc::clone(&charge.prepared);
            let consumer = guard.prepared_consumer(GROUP, Outbox::new(), charge).unwrap();
            let message = message();
            for _ in 0..3 {
                consumer.handle(&deliver(&message)).await.unwrap();
            }
            let answered: i64 = sqlx::query_scalar("SELECT count(*) FROM effect WHERE name = 'answered'")
                .fetch_one(pool).await.unwrap();
            let confirmed: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE topic = 'confirmed'")
                .fetch_one(pool).await.unwrap();
            assert_eq!((answered, confirmed), (1, 3));
            // A mark spares the other system the question; the ledger is asked in the transaction, after it.
            assert_eq!(prepared.load(Ordering::Relaxed), if marks { 1 } else { 3 });
        }
    }
}

/// On one connection, which an open transaction would have.
#[tokio::test]
async fn nothing_is_open_while_the_other_system_is_asked() {
    let pool = transaction_scope::sqlite::open("sqlite::memory:").await.unwrap();
    outbox_sqlx::migrate(&pool).await.unwrap();
    idempotency::migrate(&pool).await.unwrap();
    pool.execute("CREATE TABLE effect (name TEXT NOT NULL)")
        .await
        .unwrap();
    let lock = Arc::new(MemoryLock::new());
    let builder = Idempotency::builder(pool.clone()).lock(lock.clone());
    let guard = builder.build().await.unwrap();
    let consumer = guard
        .prepared_consumer(GROUP, Outbox::new(), Charge::new(&pool, 1, 0))
        .unwrap();
    let message = message();
    consumer.handle(&deliver(&message)).await.unwrap_err();
    let key = LockKey::new(guard.namespace(), GROUP, &message.id().to_string());
    // The lock was given back, though the failure came before the transaction.
    assert_free(&lock, &key).await;
    consumer.handle(&deliver(&message)).await.unwrap();
    let effects: Vec<String> = sqlx::query_scalar("SELECT name FROM effect")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(effects, ["asked", "asked", "answered"]);
}
