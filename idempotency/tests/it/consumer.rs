//! Messages that come more than once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use idempotency::consumer::{IdempotentConsumer, IdempotentHandler, NoOutbox};
use idempotency::lock::MemoryLock;
use idempotency::{Idempotency, IdempotencyError, LedgerDatabase, Retention};
use outbox_core::consumer::{BatchHandler, Consumer, HandleError, Handler};
use outbox_core::memory::MemoryQueue;
use outbox_core::retry::RetryPolicy;
use outbox_core::{Acknowledge, Delivery, Enqueue, Message, MessageId, Order, Publisher, ReceiveError};
use outbox_sqlx::Outbox;
use sqlx::{Connection as _, Executor, PgConnection};
use tokio_util::sync::CancellationToken;
use transaction_scope::ScopedTransaction;

use crate::databases::{Waiting, effect, effects, on_each, postgres, rows};

const GROUP: &str = "inventory";
const TOPIC: &str = "orders.placed";

/// Does what the message's key says.
#[derive(Clone, Default)]
struct Journal {
    calls: Arc<AtomicU32>,
}

/// A key of which the handler fails, after its effect.
const POISON: &str = "poison";
/// A key whose first call meets a serialization failure, after its effect.
const UNDONE: &str = "undone";

macro_rules! journal {
    ($database:ty) => {
        #[async_trait]
        impl<O> IdempotentHandler<$database, O> for Journal
        where
            O: Enqueue<ScopedTransaction<$database>> + Send + Sync,
        {
            async fn handle(
                &self,
                message: &Message,
                tx: &mut ScopedTransaction<$database>,
                outbox: &O,
            ) -> Result<(), HandleError> {
                let call = self.calls.fetch_add(1, Ordering::Relaxed);
                let key = message.key().unwrap_or_default();
                tx.execute(effect(key)).await?;
                match key {
                    POISON => return Err(HandleError::permanent("on purpose")),
                    // As Postgres says it.
                    UNDONE if call == 0 => {
                        tx.execute(
                            "DO $$ BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '40001'; END $$",
                        )
                        .await?;
                    }
                    "publish" => {
                        let follow_up = [Message::builder("stock.reserved").key(key).build()?];
                        outbox.enqueue(tx, &follow_up, Order::Inserted).await?;
                    }
                    _ => {}
                }
                Ok(())
            }
        }
    };
}
journal!(sqlx::Sqlite);
journal!(sqlx::Postgres);
journal!(sqlx::MySql);

pub(crate) struct Unheard;

#[async_trait]
impl Acknowledge for Unheard {
    async fn ack(self: Box<Self>) -> Result<(), ReceiveError> {
        Ok(())
    }
    async fn retry(self: Box<Self>, _: Duration, _: &str) -> Result<(), ReceiveError> {
        Ok(())
    }
    async fn dead(self: Box<Self>, _: &str) -> Result<(), ReceiveError> {
        Ok(())
    }
}

fn message(key: &str) -> Message {
    Message::builder(TOPIC).key(key).build().unwrap()
}

fn deliver(message: &Message) -> Delivery {
    Delivery::new(message.clone(), 1, 0, 0, Box::new(Unheard))
}

async fn guard<DB: LedgerDatabase>(pool: &sqlx::Pool<DB>) -> Idempotency<DB> {
    Idempotency::builder(pool.clone()).build().await.unwrap()
}

on_each! {
    async fn a_redelivered_message_takes_effect_once(pool) {
        outbox_sqlx::migrate(pool).await.unwrap();
        for locked in [false, true] {
            let mut builder = Idempotency::builder(pool.clone());
            if locked {
                builder = builder.lock(Arc::new(MemoryLock::new()));
            }
            let guard = builder.build().await.unwrap();
            let journal = Journal::default();
            let consumer = guard.consumer(GROUP, Outbox::new(), journal.clone()).unwrap();
            let message = message("publish");
            for _ in 0..3 {
                consumer.handle(&deliver(&message)).await.unwrap();
            }
            assert_eq!(journal.calls.load(Ordering::Relaxed), 1);
            assert_eq!(rows!(pool, message.id()), 1);
            let decisions = guard.decisions();
            let expected = if locked { (1, 2, 0) } else { (1, 0, 2) };
            assert_eq!((decisions.first, decisions.duplicate_mark, decisions.duplicate_ledger), expected);
            // Another group has effects of its own.
            let other = guard.consumer("billing", NoOutbox, journal.clone()).unwrap();
            let refused = other.handle(&deliver(&message)).await.unwrap_err();
            assert!(refused.to_string().contains("has no outbox"), "{refused}");
        }
        let messages: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM outbox").fetch_one(pool).await.unwrap();
        assert_eq!((effects!(pool, "publish"), messages), (2, 2));
    }
}

on_each! {
    async fn a_batch_drops_what_was_handled_and_what_is_in_it_twice(pool) {
        for locked in [false, true] {
            let mut builder = Idempotency::builder(pool.clone());
            if locked {
                builder = builder.lock(Arc::new(MemoryLock::new()));
            }
            let guard = builder.build().await.unwrap();
            let journal = Journal::default();
            let consumer = guard.consumer(GROUP, NoOutbox, journal.clone()).unwrap();
            let key = format!("batch-{locked}");
            let messages: Vec<Message> = (0..20).map(|_| message(&key)).collect();
            consumer.handle(&deliver(&messages[3])).await.unwrap();
            consumer.handle(&deliver(&messages[7])).await.unwrap();
            let twice: Vec<Delivery> = messages.iter().chain(&messages[..5]).map(deliver).collect();
            for _ in 0..2 {
                consumer.handle_batch(&twice).await.unwrap();
                assert_eq!(effects!(pool, key), 20);
                assert_eq!(journal.calls.load(Ordering::Relaxed), 20);
            }
            for message in &messages {
                assert_eq!(rows!(pool, message.id()), 1);
            }
            let decisions = guard.decisions();
            let duplicates = if locked { (22, 0) } else { (0, 22) };
            assert_eq!(decisions.first, 20);
            assert_eq!((decisions.duplicate_mark, decisions.duplicate_ledger), duplicates);
        }
    }
}

on_each! {
    async fn in_a_batch_expired_rows_are_taken_over(pool) {
        let guard = guard(pool).await;
        let consumer = guard.consumer(GROUP, NoOutbox, Journal::default()).unwrap();
        let messages: Vec<Message> = (0..6).map(|_| message("again")).collect();
        let batch: Vec<Delivery> = messages.iter().map(deliver).collect();
        consumer.handle_batch(&batch[..3]).await.unwrap();
        crate::databases::expire_all!(pool);
        consumer.handle_batch(&batch).await.unwrap();
        assert_eq!(effects!(pool, "again"), 9);
        consumer.handle_batch(&batch).await.unwrap();
        assert_eq!(effects!(pool, "again"), 9);
    }
}

on_each! {
    /// Of all or none: what was claimed by a batch that failed is claimed by nobody.
    async fn a_batch_that_fails_is_handled_one_by_one(pool) {
        let guard = guard(pool).await;
        let queue = MemoryQueue::new();
        let subscriber = queue.subscribe(GROUP, [TOPIC]).unwrap();
        let journal = Journal::default();
        let handler = guard.consumer(GROUP, NoOutbox, journal.clone()).unwrap();
        let consumer = Consumer::batch_builder(subscriber, handler).batch_messages(32).build().unwrap();
        let mut messages: Vec<Message> = (0..10).map(|_| message("sound")).collect();
        messages.insert(4, message(POISON));
        queue.publisher().publish(&messages).await;
        let stop = CancellationToken::new();
        let running = tokio::spawn(consumer.run(stop.clone()));
        queue.wait_idle(GROUP).await;
        stop.cancel();
        running.await.unwrap();
        assert_eq!((effects!(pool, "sound"), effects!(pool, POISON)), (10, 0));
        assert_eq!(rows!(pool, messages[4].id()), 0);
        let dead = queue.dead_letters(GROUP);
        assert_eq!(dead.len(), 1);
    }
}

on_each! {
    async fn a_message_older_than_the_ledger_remembers_is_refused(pool) {
        let keeps = Duration::from_secs(86_400);
        let guard = Idempotency::builder(pool.clone()).retention(Retention::of(keeps)).build().await.unwrap();
        let consumer = guard.consumer(GROUP, NoOutbox, Journal::default()).unwrap();
        let made = |age: Duration| {
            Message::restore(TOPIC, MessageId::new(), SystemTime::now() - age).key("old").build().unwrap()
        };
        let (old, young) = (made(keeps + Duration::from_secs(60)), made(keeps - Duration::from_secs(60)));
        let batched = consumer.handle_batch(&[deliver(&young), deliver(&old)]).await;
        for refused in [consumer.handle(&deliver(&old)).await, batched] {
            let refused = refused.unwrap_err();
            assert!(refused.is_permanent(), "{refused}");
            let cause = refused.cause().downcast_ref::<IdempotencyError>();
            assert!(matches!(cause, Some(IdempotencyError::TooOld { keeps: k, .. }) if *k == keeps), "{refused}");
        }
        assert_eq!(effects!(pool, "old"), 0);
        consumer.handle(&deliver(&young)).await.unwrap();
        assert_eq!(effects!(pool, "old"), 1);
    }
}

/// Runs a consumer whose messages have one attempt, until all are handled or dead; `meanwhile` is in between.
async fn run_with_one_attempt<DB, H>(
    consumer: IdempotentConsumer<DB, NoOutbox, H>,
    messages: &[Message],
    meanwhile: impl Future<Output = ()>,
) -> usize
where
    DB: LedgerDatabase,
    H: IdempotentHandler<DB, NoOutbox>,
{
    let queue = MemoryQueue::new();
    let subscriber = queue.subscribe(GROUP, [TOPIC]).unwrap();
    let consumer = Consumer::builder(subscriber, consumer)
        .retry(RetryPolicy::DEFAULT.with_max_attempts(1))
        .build()
        .unwrap();
    queue.publisher().publish(messages).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(consumer.run(stop.clone()));
    meanwhile.await;
    tokio::time::timeout(Duration::from_secs(60), queue.wait_idle(GROUP))
        .await
        .unwrap();
    stop.cancel();
    running.await.unwrap();
    queue.dead_letters(GROUP).len()
}

/// Another's transaction is no failure of the message's.
#[tokio::test]
async fn a_busy_key_costs_no_attempt_on_postgres() {
    let Some(pool) = postgres().await else { return };
    let guard = Idempotency::builder(pool.clone())
        .lock_timeout(Duration::from_millis(50))
        .build()
        .await
        .unwrap();
    let message = message("held");
    let mut holder = PgConnection::connect_with(&pool.connect_options()).await.unwrap();
    holder.execute("BEGIN").await.unwrap();
    sqlx::query(
        "INSERT INTO idempotency_ledger (scope, idempotency_key, expires_at) VALUES ($1, $2, '2099-01-01')",
    )
    .bind(GROUP)
    .bind(message.id().to_string())
    .execute(&mut holder)
    .await
    .unwrap();
    let consumer = guard.consumer(GROUP, NoOutbox, Journal::default()).unwrap();
    let meanwhile = async {
        pool.wait_until_waiting(1).await;
        let again = async {
            while guard.decisions().busy < 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), again)
            .await
            .unwrap();
        holder.execute("ROLLBACK").await.unwrap();
    };
    let dead = run_with_one_attempt(consumer, std::slice::from_ref(&message), meanwhile).await;
    assert_eq!((dead, effects!(&pool, "held")), (0, 1));
}

/// Nor is a transaction that the database undid, wherever in the handler it said so.
#[tokio::test]
async fn what_the_database_undid_costs_no_attempt_on_postgres() {
    let Some(pool) = postgres().await else { return };
    let guard = guard(&pool).await;
    let journal = Journal::default();
    let consumer = guard.consumer(GROUP, NoOutbox, journal.clone()).unwrap();
    let dead = run_with_one_attempt(consumer, &[message(UNDONE)], async {}).await;
    assert_eq!((dead, effects!(&pool, UNDONE)), (0, 1));
    assert_eq!(journal.calls.load(Ordering::Relaxed), 2);
}

/// What does fail has its one attempt.
#[tokio::test]
async fn a_failure_of_the_handlers_costs_an_attempt_on_postgres() {
    let Some(pool) = postgres().await else { return };
    let guard = guard(&pool).await;
    let consumer = guard.consumer(GROUP, NoOutbox, Journal::default()).unwrap();
    let dead = run_with_one_attempt(consumer, &[message(POISON)], async {}).await;
    assert_eq!((dead, effects!(&pool, POISON)), (1, 0));
}

#[tokio::test]
async fn a_group_that_can_not_be_a_scope_is_refused() {
    let pool = transaction_scope::sqlite::open("sqlite::memory:").await.unwrap();
    idempotency::migrate(&pool).await.unwrap();
    let refused = guard(&pool)
        .await
        .consumer("g".repeat(201), NoOutbox, Journal::default());
    assert!(matches!(
        refused,
        Err(IdempotencyError::Name {
            input: "scope",
            bytes: 201,
            ..
        })
    ));
}
