#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::consumer::{BatchHandler, HandleError, Handler};
use outbox_core::{Acknowledge, Confirm, Delivery, Message, ReceiveError};
use outbox_sqlx::Outbox;
use sqlx::Sqlite;
use transaction_scope::ScopedTransaction;

use super::IdempotentHandler;
use crate::guard::Idempotency;
use crate::lock::MemoryLock;

struct Unheard;

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

fn deliver(message: &Message) -> Delivery {
    Delivery::new(message.clone(), 1, 0, 0, Box::new(Unheard))
}

/// Fails as often as it is told.
struct Failing(AtomicU32);

#[async_trait]
impl IdempotentHandler<Sqlite, Outbox> for Failing {
    async fn handle(
        &self,
        _: &Message,
        _: &mut ScopedTransaction<Sqlite>,
        _: &Outbox,
    ) -> Result<(), HandleError> {
        let left = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(_) => Err(HandleError::retryable("on purpose")),
            Err(_) => Ok(()),
        }
    }
}

/// In the transaction of the effect; again for each duplicate, whoever finds it; and none for what failed.
#[tokio::test]
async fn every_decision_that_it_is_done_is_confirmed() {
    for lock in [None, Some(MemoryLock::new())] {
        let pool = transaction_scope::sqlite::open("sqlite::memory:").await.unwrap();
        outbox_sqlx::migrate(&pool).await.unwrap();
        crate::migrate(&pool).await.unwrap();
        let mut builder = Idempotency::builder(pool.clone());
        if let Some(lock) = lock {
            builder = builder.lock(std::sync::Arc::new(lock));
        }
        let guard = builder.build().await.unwrap();
        let consumer = guard
            .consumer("group", Outbox::new(), Failing(AtomicU32::new(1)))
            .unwrap();
        let confirmed = async || -> i64 {
            sqlx::query_scalar("SELECT count(*) FROM outbox WHERE topic = 'confirmed'")
                .fetch_one(&pool)
                .await
                .unwrap()
        };
        let asking = |group: &str| {
            let confirm = Confirm::by([group], Duration::from_secs(60)).to("confirmed");
            Message::builder("t")
                .confirm_by(confirm)
                .unwrap()
                .build()
                .unwrap()
        };
        let (asks, silent) = (asking("group"), asking("other-group"));
        consumer.handle(&deliver(&asks)).await.unwrap_err();
        assert_eq!(confirmed().await, 0);
        for expected in 1..4 {
            consumer.handle(&deliver(&asks)).await.unwrap();
            consumer.handle(&deliver(&silent)).await.unwrap();
            assert_eq!(confirmed().await, expected);
        }
        // A duplicate beside a first one, then two duplicates.
        let other = asking("group");
        for expected in [5, 7] {
            let batch = [&asks, &other, &silent].map(deliver);
            consumer.handle_batch(&batch).await.unwrap();
            assert_eq!(confirmed().await, expected);
        }
    }
}
