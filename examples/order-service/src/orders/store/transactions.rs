//! The transactions of orders, once for all databases. This is the code to copy.

use async_trait::async_trait;
use outbox_core::Enqueue;
use outbox_sqlx::{Outbox, OutboxDatabase, OutboxError, OutboxTransaction, SqlStore};

use super::statements::Statements;
use super::{Answer, Asked, OrderStore, rows};
use crate::database::Pools;
use crate::ids::{OrderId, SubOrderId};
use crate::orders::{Order, OrderSummary};
use crate::store_error::StoreError;

/// [`OrderStore`] on a SQL database.
#[derive(Debug)]
pub struct SqlOrders<DB: OutboxDatabase> {
    pools: Pools<DB>,
    outbox: Outbox,
}

impl<DB: OutboxDatabase> SqlOrders<DB> {
    /// The orders in the database of `pools`, which tell what happens through `outbox`.
    pub fn new(pools: Pools<DB>, outbox: Outbox) -> Self {
        Self { pools, outbox }
    }
}

#[async_trait]
impl<DB> OrderStore for SqlOrders<DB>
where
    DB: OutboxDatabase<Connection: Statements>,
    SqlStore: Enqueue<OutboxTransaction<DB>, Error = OutboxError>,
{
    async fn place(&self, order: &Order) -> Result<(), StoreError> {
        self.outbox
            .transaction(&self.pools.write, async |tx| {
                tx.insert_order(order).await?;
                self.outbox.publish(tx, order.placed()).await?;
                self.outbox.publish_all(tx, order.stock_requests()).await?;
                Ok(())
            })
            .await
    }

    async fn answer(
        &self,
        order: OrderId,
        sub_order: SubOrderId,
        answer: &Answer,
    ) -> Result<bool, StoreError> {
        self.outbox
            .transaction(&self.pools.write, async |tx| {
                tx.lock_order(order).await?;
                if !tx.answer_sub_order(order, sub_order, answer).await? {
                    return Ok(false);
                }
                // The place to tell the world that an order is complete: publish here, in this transaction.
                tx.settle_order(order).await?;
                Ok(true)
            })
            .await
    }

    async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        let mut connection = self.pools.read.acquire().await?;
        rows::order(connection.find_order(id).await?)
    }

    async fn newest(&self, limit: u32) -> Result<Vec<OrderSummary>, StoreError> {
        let mut connection = self.pools.read.acquire().await?;
        let found = connection.newest_orders(limit).await?;
        found.into_iter().map(rows::summary).collect()
    }

    async fn ask_again(&self, after: SubOrderId, limit: u32) -> Result<Asked, StoreError> {
        self.outbox
            .transaction(&self.pools.write, async |tx| {
                let pending = rows::Pending::new(tx.pending_sub_orders(after, limit).await?)?;
                let on_their_way = tx.requests_on_their_way(pending.keys()).await?;
                let (asked, requests) = pending.without(&on_their_way);
                self.outbox.publish_all(tx, requests).await?;
                Ok(asked)
            })
            .await
    }
}
