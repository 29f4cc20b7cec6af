//! The statements of orders on SQLite.

use outbox_core::Event;
use serde_json::json;
use sqlx::{Result, SqliteConnection};

use super::Answer;
use super::rows::{OrderRow, PendingRow, SummaryRow};
use super::statements::Statements;
use crate::events::StockRequested;
use crate::ids::{OrderId, SubOrderId};
use crate::orders::Order;

const INSERT_ORDER: &str = include_str!("../../../sql/sqlite/orders/insert_order.sql");
const INSERT_SUB_ORDER: &str = include_str!("../../../sql/sqlite/orders/insert_sub_order.sql");
const INSERT_LINE: &str = include_str!("../../../sql/sqlite/orders/insert_line.sql");
const ANSWER_SUB_ORDER: &str = include_str!("../../../sql/sqlite/orders/answer_sub_order.sql");
const SETTLE_ORDER: &str = include_str!("../../../sql/sqlite/orders/settle_order.sql");
const FIND_ORDER: &str = include_str!("../../../sql/sqlite/orders/find_order.sql");
const NEWEST_ORDERS: &str = include_str!("../../../sql/sqlite/orders/newest_orders.sql");
const PENDING_SUB_ORDERS: &str = include_str!("../../../sql/sqlite/orders/pending_sub_orders.sql");
const REQUESTS_ON_THEIR_WAY: &str = include_str!("../../../sql/sqlite/orders/requests_on_their_way.sql");

impl Statements for SqliteConnection {
    async fn insert_order(&mut self, order: &Order) -> Result<()> {
        sqlx::query(INSERT_ORDER)
            .bind(order.id.0)
            .bind(&order.buyer)
            .bind(order.placed_amount)
            .execute(&mut *self)
            .await?;
        for sub_order in &order.sub_orders {
            sqlx::query(INSERT_SUB_ORDER)
                .bind(sub_order.id.0)
                .bind(order.id.0)
                .bind(&sub_order.merchant)
                .bind(sub_order.amount)
                .execute(&mut *self)
                .await?;
            for (position, line) in (0_i32..).zip(&sub_order.lines) {
                sqlx::query(INSERT_LINE)
                    .bind(sub_order.id.0)
                    .bind(position)
                    .bind(&line.sku)
                    .bind(line.quantity)
                    .bind(line.unit_price)
                    .execute(&mut *self)
                    .await?;
            }
        }
        Ok(())
    }

    /// Nothing: this transaction is the only one that writes.
    async fn lock_order(&mut self, _order: OrderId) -> Result<()> {
        Ok(())
    }

    async fn answer_sub_order(
        &mut self,
        order: OrderId,
        sub_order: SubOrderId,
        answer: &Answer,
    ) -> Result<bool> {
        let (state, reason) = answer.columns();
        let answered = sqlx::query(ANSWER_SUB_ORDER)
            .bind(order.0)
            .bind(sub_order.0)
            .bind(state)
            .bind(reason)
            .execute(self)
            .await?;
        Ok(answered.rows_affected() == 1)
    }

    async fn settle_order(&mut self, order: OrderId) -> Result<()> {
        sqlx::query(SETTLE_ORDER).bind(order.0).execute(self).await?;
        Ok(())
    }

    async fn find_order(&mut self, order: OrderId) -> Result<Vec<OrderRow>> {
        sqlx::query_as(FIND_ORDER).bind(order.0).fetch_all(self).await
    }

    async fn newest_orders(&mut self, limit: u32) -> Result<Vec<SummaryRow>> {
        sqlx::query_as(NEWEST_ORDERS).bind(limit).fetch_all(self).await
    }

    async fn pending_sub_orders(&mut self, after: SubOrderId, limit: u32) -> Result<Vec<PendingRow>> {
        sqlx::query_as(PENDING_SUB_ORDERS)
            .bind(after.0)
            .bind(limit)
            .fetch_all(self)
            .await
    }

    async fn requests_on_their_way(&mut self, keys: Vec<String>) -> Result<Vec<String>> {
        sqlx::query_scalar(REQUESTS_ON_THEIR_WAY)
            .bind(StockRequested::TOPIC)
            .bind(json!(keys).to_string())
            .fetch_all(self)
            .await
    }
}
