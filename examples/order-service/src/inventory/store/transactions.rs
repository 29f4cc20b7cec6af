//! The transactions of inventory, once for all databases. This is the code to copy.

use async_trait::async_trait;
use outbox_core::{Enqueue, MessageId};
use outbox_sqlx::{Outbox, OutboxDatabase, OutboxError, OutboxTransaction, SqlStore};
use sqlx::Connection;

use super::rows::{answer, in_lock_order, short_of, stock_item};
use super::statements::Statements;
use super::{InventoryStore, StockItem};
use crate::database::Pools;
use crate::events::StockRequested;
use crate::store_error::StoreError;

/// [`InventoryStore`] on a SQL database.
#[derive(Debug)]
pub struct SqlInventory<DB: OutboxDatabase> {
    pools: Pools<DB>,
    outbox: Outbox,
}

impl<DB: OutboxDatabase<Connection: Statements>> SqlInventory<DB> {
    /// The inventory in the database of `pools`, which answers through `outbox`.
    pub fn new(pools: Pools<DB>, outbox: Outbox) -> Self {
        Self { pools, outbox }
    }

    /// Takes all that is asked for, or refuses and says why.
    async fn decide(
        connection: &mut DB::Connection,
        request: &StockRequested,
    ) -> sqlx::Result<Option<String>> {
        let refused = Self::take(connection, request).await?;
        if let Some(reason) = &refused {
            connection.refuse(request.sub_order_id, reason).await?;
        }
        Ok(refused)
    }

    /// Takes every line; or nothing, and says what is short.
    async fn take(connection: &mut DB::Connection, request: &StockRequested) -> sqlx::Result<Option<String>> {
        // A savepoint: what was taken for the first lines is given back when a later one is short.
        let mut lines = connection.begin().await?;
        for (position, line) in in_lock_order(request) {
            if !lines.take_stock(&request.merchant, line).await? {
                lines.rollback().await?;
                return Ok(Some(short_of(line)));
            }
            lines.insert_reservation_line(request, position, line).await?;
        }
        lines.commit().await?;
        Ok(None)
    }
}

#[async_trait]
impl<DB> InventoryStore for SqlInventory<DB>
where
    DB: OutboxDatabase<Connection: Statements>,
    SqlStore: Enqueue<OutboxTransaction<DB>, Error = OutboxError>,
{
    async fn reserve(&self, message: MessageId, request: &StockRequested) -> Result<(), StoreError> {
        self.outbox
            .transaction(&self.pools.write, async |tx| {
                let refused = if tx.claim(message, request).await? {
                    Self::decide(tx, request).await?
                } else {
                    let (asked_by, refused) = tx.find_reservation(request.sub_order_id).await?;
                    if asked_by == message.0 {
                        return Ok(());
                    }
                    refused
                };
                let answer = answer(request, refused).map_err(OutboxError::from)?;
                self.outbox.publish(tx, answer).await?;
                Ok(())
            })
            .await
    }

    async fn put_stock(
        &self,
        merchant: &str,
        sku: &str,
        on_hand: i64,
    ) -> Result<Option<StockItem>, StoreError> {
        let row = self
            .outbox
            .transaction(&self.pools.write, async |tx| {
                Ok::<_, StoreError>(tx.put_stock(merchant, sku, on_hand).await?)
            })
            .await?;
        Ok(row.map(stock_item))
    }

    async fn find_stock(&self, merchant: &str, sku: &str) -> Result<Option<StockItem>, StoreError> {
        let mut connection = self.pools.read.acquire().await?;
        Ok(connection.find_stock(merchant, sku).await?.map(stock_item))
    }
}
