//! Orders on SQLite.

use async_trait::async_trait;
use outbox_core::Event;
use outbox_sqlx::Outbox;
use sqlx::SqliteConnection;

use super::{Answer, Asked, OrderStore, rows};
use crate::database::SqlitePools;
use crate::events::StockRequested;
use crate::ids::{OrderId, SubOrderId};
use crate::orders::{Order, OrderSummary};
use crate::store_error::StoreError;

const INSERT_ORDER: &str = include_str!("../../../sql/sqlite/orders/insert_order.sql");
const INSERT_SUB_ORDER: &str = include_str!("../../../sql/sqlite/orders/insert_sub_order.sql");
const INSERT_LINE: &str = include_str!("../../../sql/sqlite/orders/insert_line.sql");
const ANSWER_SUB_ORDER: &str = include_str!("../../../sql/sqlite/orders/answer_sub_order.sql");
const SETTLE_ORDER: &str = include_str!("../../../sql/sqlite/orders/settle_order.sql");
const FIND_ORDER: &str = include_str!("../../../sql/sqlite/orders/find_order.sql");
const NEWEST_ORDERS: &str = include_str!("../../../sql/sqlite/orders/newest_orders.sql");
const REQUESTS_ON_THEIR_WAY: &str = include_str!("../../../sql/sqlite/orders/requests_on_their_way.sql");
const PENDING_SUB_ORDERS: &str = include_str!("../../../sql/sqlite/orders/pending_sub_orders.sql");

/// [`OrderStore`] on SQLite.
#[derive(Debug)]
pub struct SqliteOrders {
    pools: SqlitePools,
    outbox: Outbox,
}

impl SqliteOrders {
    /// The orders in the database of `pools`, which tell what happens through `outbox`.
    pub fn new(pools: SqlitePools, outbox: Outbox) -> Self {
        Self { pools, outbox }
    }

    async fn insert(connection: &mut SqliteConnection, order: &Order) -> sqlx::Result<()> {
        sqlx::query(INSERT_ORDER)
            .bind(order.id.0)
            .bind(&order.buyer)
            .bind(order.placed_amount)
            .execute(&mut *connection)
            .await?;
        for sub_order in &order.sub_orders {
            sqlx::query(INSERT_SUB_ORDER)
                .bind(sub_order.id.0)
                .bind(order.id.0)
                .bind(&sub_order.merchant)
                .bind(sub_order.amount)
                .execute(&mut *connection)
                .await?;
            for (position, line) in (0_i32..).zip(&sub_order.lines) {
                sqlx::query(INSERT_LINE)
                    .bind(sub_order.id.0)
                    .bind(position)
                    .bind(&line.sku)
                    .bind(line.quantity)
                    .bind(line.unit_price)
                    .execute(&mut *connection)
                    .await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl OrderStore for SqliteOrders {
    async fn place(&self, order: &Order) -> Result<(), StoreError> {
        self.outbox
            .transaction(&self.pools.write, async |tx| {
                Self::insert(tx, order).await?;
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
        // No lock on the order, as Postgres needs it: this transaction is the only one that writes.
        self.outbox
            .transaction(&self.pools.write, async |tx| {
                let (state, reason) = answer.columns();
                let answered = sqlx::query(ANSWER_SUB_ORDER)
                    .bind(order.0)
                    .bind(sub_order.0)
                    .bind(state)
                    .bind(reason)
                    .execute(&mut **tx)
                    .await?;
                if answered.rows_affected() == 0 {
                    return Ok(false);
                }
                // The place to tell the world that an order is complete: publish here, in this transaction.
                sqlx::query(SETTLE_ORDER).bind(order.0).execute(&mut **tx).await?;
                Ok(true)
            })
            .await
    }

    async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        rows::order(
            sqlx::query_as(FIND_ORDER)
                .bind(id.0)
                .fetch_all(&self.pools.read)
                .await?,
        )
    }

    async fn newest(&self, limit: u32) -> Result<Vec<OrderSummary>, StoreError> {
        let found = sqlx::query_as(NEWEST_ORDERS)
            .bind(limit)
            .fetch_all(&self.pools.read)
            .await?;
        found.into_iter().map(rows::summary).collect()
    }

    async fn ask_again(&self, after: SubOrderId, limit: u32) -> Result<Asked, StoreError> {
        self.outbox
            .transaction(&self.pools.write, async |tx| {
                let found = sqlx::query_as(PENDING_SUB_ORDERS)
                    .bind(after.0)
                    .bind(limit)
                    .fetch_all(&mut **tx)
                    .await?;
                let pending = rows::Pending::new(found)?;
                let on_their_way: Vec<String> = sqlx::query_scalar(REQUESTS_ON_THEIR_WAY)
                    .bind(StockRequested::TOPIC)
                    .bind(serde_json::json!(pending.keys()).to_string())
                    .fetch_all(&mut **tx)
                    .await?;
                let (asked, requests) = pending.without(&on_their_way);
                self.outbox.publish_all(tx, requests).await?;
                Ok(asked)
            })
            .await
    }
}
