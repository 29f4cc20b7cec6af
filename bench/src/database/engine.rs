use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use outbox_core::relay::RelayStore;
use outbox_core::{Message, MessageId};
use outbox_sqlx::{Outbox, OutboxDatabase, OutboxError};
use sqlx::{Pool, Transaction};

/// What every scenario needs of a database, so that it is written once for all of them.
pub(crate) trait Engine: OutboxDatabase {
    /// How many clients a comparison of publishing has by default.
    const CLIENTS: u32;

    /// A pool as both sides of a comparison use it. Connections aren't tested before each use: the additional
    /// round trip would hide a part of what our side costs.
    fn pool(url: &str, connections: u32) -> impl Future<Output = Result<Pool<Self>>> + Send;

    /// Makes the benchmark's own tables.
    fn make_tables(pool: &Pool<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Empties all tables, and lets the server write to disk what it still has to, so that each measurement
    /// begins in the same state.
    fn empty(pool: &Pool<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Loads a backlog of `messages` over `keys` keys, with the shards that the library would give them.
    fn load(pool: &Pool<Self>, messages: u64, keys: u64) -> impl Future<Output = Result<()>> + Send;

    /// Vacuums and analyses the outbox and writes to disk what is still to be written.
    fn settle_down(pool: &Pool<Self>) -> impl Future<Output = Result<()>> + Send;

    /// The highest id in the outbox, 0 of none.
    fn highest(pool: &Pool<Self>) -> impl Future<Output = Result<i64>> + Send;

    /// Removes what lies above this id, and the dead rows it leaves.
    fn cut(pool: &Pool<Self>, above: i64) -> impl Future<Output = Result<()>> + Send;

    /// How many messages are in the outbox.
    fn pending(pool: &Pool<Self>) -> impl Future<Output = Result<i64>> + Send;

    /// Begins a transaction as code written by hand does.
    fn begin_by_hand(
        pool: &Pool<Self>,
    ) -> impl Future<Output = sqlx::Result<Transaction<'static, Self>>> + Send;

    /// The business row.
    fn insert_order(
        tx: &mut Transaction<'static, Self>,
        customer: &str,
        total: i64,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// [`Outbox::publish`].
    fn publish(
        outbox: &Outbox,
        tx: &mut Transaction<'static, Self>,
        message: Message,
    ) -> impl Future<Output = Result<MessageId, OutboxError>> + Send;

    /// [`Outbox::publish_all`].
    fn publish_all(
        outbox: &Outbox,
        tx: &mut Transaction<'static, Self>,
        messages: Vec<Message>,
    ) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// An order and its message in [`Outbox::transaction`]. Returns when the body had ended and the commit began.
    fn order_in_scope(
        outbox: &Outbox,
        pool: &Pool<Self>,
        customer: &str,
        total: i64,
        message: Message,
    ) -> impl Future<Output = Result<Duration>> + Send;

    /// What a relay in this process reads from.
    fn relay_store(url: &str) -> impl Future<Output = Result<Box<dyn RelayStore>>> + Send;
}

/// How many relays own shards, and the least and the most shards of one.
pub(crate) type Shares = (i64, i64, i64);

/// What is needed beside that where several processes relay one database.
pub(crate) trait Shared: Engine {
    /// [`Engine::load`], in whatever transaction the connection is in.
    fn load_into(
        connection: &mut Self::Connection,
        messages: u64,
        keys: u64,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Who owns the shards.
    fn shares(pool: &Pool<Self>) -> impl Future<Output = Result<Shares>> + Send;
}

/// What an order says beside its customer and total.
pub(super) const ORDER_DETAIL: &str =
    "2 x coffee beans 1 kg, 1 x paper filters, gift wrapped; deliver to the back door after six";

/// Makes the outbox's tables and the benchmark's own.
pub(super) async fn make_tables<E: Engine>(url: &str) -> Result<()> {
    let pool = E::pool(url, 1).await?;
    outbox_sqlx::migrate(&pool)
        .await
        .context("making the outbox's tables")?;
    E::make_tables(&pool).await?;
    pool.close().await;
    Ok(())
}
