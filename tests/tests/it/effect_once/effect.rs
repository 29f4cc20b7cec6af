//! What handlers do here, and deliveries that no queue asks about.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use idempotency::consumer::{IdempotentHandler, NoOutbox};
use outbox_core::consumer::HandleError;
use outbox_core::{Acknowledge, Delivery, Message, ReceiveError};
use outbox_tests::Effects;
use sqlx::{PgPool, Postgres};
use transaction_scope::ScopedTransaction;

pub const GROUP: &str = "storm";

/// Takes effect, and counts its runs.
#[derive(Default)]
pub struct Effect {
    pub runs: Arc<AtomicU64>,
    /// How long it takes.
    pub takes: Duration,
}

#[async_trait]
impl IdempotentHandler<Postgres, NoOutbox> for Effect {
    async fn handle(
        &self,
        message: &Message,
        tx: &mut ScopedTransaction<Postgres>,
        _: &NoOutbox,
    ) -> Result<(), HandleError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        Postgres::take_effect(&mut *tx, GROUP, message.id()).await?;
        Ok(())
    }
}

/// A database with the ledger and the effects.
pub async fn ledger(url: &str, consumers: usize) -> PgPool {
    /// For whoever looks.
    const OTHERS: u32 = 2;
    let connections = u32::try_from(consumers).unwrap() + OTHERS;
    let options = sqlx::postgres::PgPoolOptions::new().max_connections(connections);
    let pool = options.connect(url).await.unwrap();
    idempotency::migrate(&pool).await.unwrap();
    Postgres::make_effects(&pool).await.unwrap();
    pool
}

/// The first attempt of a message.
pub fn delivery(message: &Message) -> Delivery {
    Delivery::new(message.clone(), 1, 0, 0, Box::new(NoQueue))
}

struct NoQueue;

#[async_trait]
impl Acknowledge for NoQueue {
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
