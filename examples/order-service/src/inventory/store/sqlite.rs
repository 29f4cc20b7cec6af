//! Inventory on SQLite.

use async_trait::async_trait;
use outbox_core::MessageId;
use outbox_sqlx::{Outbox, OutboxError};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use super::rows::{answer, in_lock_order, short_of, stock_item};
use super::{InventoryStore, StockItem};
use crate::database::SqlitePools;
use crate::events::StockRequested;
use crate::store_error::StoreError;

const INSERT_RESERVATION: &str = include_str!("../../../sql/sqlite/inventory/insert_reservation.sql");
const INSERT_RESERVATION_LINE: &str =
    include_str!("../../../sql/sqlite/inventory/insert_reservation_line.sql");
const REFUSE_RESERVATION: &str = include_str!("../../../sql/sqlite/inventory/refuse_reservation.sql");
const FIND_RESERVATION: &str = include_str!("../../../sql/sqlite/inventory/find_reservation.sql");
const TAKE_STOCK: &str = include_str!("../../../sql/sqlite/inventory/take_stock.sql");
const PUT_STOCK: &str = include_str!("../../../sql/sqlite/inventory/put_stock.sql");
const FIND_STOCK: &str = include_str!("../../../sql/sqlite/inventory/find_stock.sql");

/// [`InventoryStore`] on SQLite.
#[derive(Debug)]
pub struct SqliteInventory {
    pools: SqlitePools,
    outbox: Outbox,
}

impl SqliteInventory {
    /// The inventory in the database of `pools`, which answers through `outbox`.
    pub fn new(pools: SqlitePools, outbox: Outbox) -> Self {
        Self { pools, outbox }
    }

    /// Takes all that is asked for, or refuses and says why.
    async fn decide(
        connection: &mut SqliteConnection,
        request: &StockRequested,
    ) -> sqlx::Result<Option<String>> {
        let refused = Self::take(connection, request).await?;
        if let Some(reason) = &refused {
            sqlx::query(REFUSE_RESERVATION)
                .bind(request.sub_order_id.0)
                .bind(reason)
                .execute(connection)
                .await?;
        }
        Ok(refused)
    }

    /// Takes every line; or nothing, and says what is short.
    async fn take(
        connection: &mut SqliteConnection,
        request: &StockRequested,
    ) -> sqlx::Result<Option<String>> {
        // A savepoint: what was taken for the first lines is given back when a later one is short.
        let mut lines = connection.begin().await?;
        for (position, line) in in_lock_order(request) {
            let quantity = i64::from(line.quantity);
            let taken = sqlx::query(TAKE_STOCK)
                .bind(&request.merchant)
                .bind(&line.sku)
                .bind(quantity)
                .execute(&mut *lines)
                .await?;
            if taken.rows_affected() == 0 {
                lines.rollback().await?;
                return Ok(Some(short_of(line)));
            }
            sqlx::query(INSERT_RESERVATION_LINE)
                .bind(request.sub_order_id.0)
                .bind(position)
                .bind(&request.merchant)
                .bind(&line.sku)
                .bind(quantity)
                .execute(&mut *lines)
                .await?;
        }
        lines.commit().await?;
        Ok(None)
    }
}

#[async_trait]
impl InventoryStore for SqliteInventory {
    async fn reserve(&self, message: MessageId, request: &StockRequested) -> Result<(), StoreError> {
        let sub_order = request.sub_order_id.0;
        self.outbox
            .transaction(&self.pools.write, async |tx| {
                let claimed = sqlx::query(INSERT_RESERVATION)
                    .bind(sub_order)
                    .bind(request.order_id.0)
                    .bind(message.0)
                    .bind(&request.merchant)
                    .execute(&mut **tx)
                    .await?;
                let refused = if claimed.rows_affected() == 1 {
                    Self::decide(tx, request).await?
                } else {
                    let (asked_by, refused): (Uuid, Option<String>) = sqlx::query_as(FIND_RESERVATION)
                        .bind(sub_order)
                        .fetch_one(&mut **tx)
                        .await?;
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
        let row = sqlx::query_as(PUT_STOCK)
            .bind(merchant)
            .bind(sku)
            .bind(on_hand)
            .fetch_optional(&self.pools.write)
            .await?;
        Ok(row.map(stock_item))
    }

    async fn find_stock(&self, merchant: &str, sku: &str) -> Result<Option<StockItem>, StoreError> {
        let row = sqlx::query_as(FIND_STOCK)
            .bind(merchant)
            .bind(sku)
            .fetch_optional(&self.pools.read)
            .await?;
        Ok(row.map(stock_item))
    }
}
