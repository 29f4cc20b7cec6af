//! The statements of orders on MySQL and MariaDB.

use outbox_core::Event;
use serde_json::{Value, json};
use sqlx::{MySqlConnection, Result};

use super::Answer;
use super::rows::{OrderRow, PendingRow, SummaryRow};
use super::statements::Statements;
use crate::events::StockRequested;
use crate::ids::{OrderId, SubOrderId};
use crate::orders::Order;

const INSERT_ORDER: &str = include_str!("../../../sql/mysql/orders/insert_order.sql");
const INSERT_SUB_ORDERS: &str = include_str!("../../../sql/mysql/orders/insert_sub_orders.sql");
const INSERT_LINES: &str = include_str!("../../../sql/mysql/orders/insert_lines.sql");
const LOCK_ORDER: &str = include_str!("../../../sql/mysql/orders/lock_order.sql");
const ANSWER_SUB_ORDER: &str = include_str!("../../../sql/mysql/orders/answer_sub_order.sql");
const SETTLE_ORDER: &str = include_str!("../../../sql/mysql/orders/settle_order.sql");
const FIND_ORDER: &str = include_str!("../../../sql/mysql/orders/find_order.sql");
const NEWEST_ORDERS: &str = include_str!("../../../sql/mysql/orders/newest_orders.sql");
const PENDING_SUB_ORDERS: &str = include_str!("../../../sql/mysql/orders/pending_sub_orders.sql");
const REQUESTS_ON_THEIR_WAY: &str = include_str!("../../../sql/mysql/orders/requests_on_their_way.sql");

impl Statements for MySqlConnection {
    async fn insert_order(&mut self, order: &Order) -> Result<()> {
        sqlx::query(INSERT_ORDER)
            .bind(order.id.0)
            .bind(&order.buyer)
            .bind(order.placed_amount)
            .bind(order.placed_amount)
            .execute(&mut *self)
            .await?;

        // A statement per table and not per row: each costs a round trip, inside of a transaction that holds locks.
        let sub_orders = order.sub_orders.iter();
        let sub_orders = sub_orders.map(|part| json!([part.id.0.simple(), part.merchant, part.amount]));
        sqlx::query(INSERT_SUB_ORDERS)
            .bind(order.id.0)
            .bind(list(sub_orders))
            .execute(&mut *self)
            .await?;

        let lines = order.lines().map(|(sub_order, position, line)| {
            json!([
                sub_order.0.simple(),
                position,
                line.sku,
                line.quantity,
                line.unit_price
            ])
        });
        sqlx::query(INSERT_LINES).bind(list(lines)).execute(self).await?;
        Ok(())
    }

    async fn lock_order(&mut self, order: OrderId) -> Result<()> {
        sqlx::query(LOCK_ORDER).bind(order.0).execute(self).await?;
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
            .bind(state)
            .bind(reason)
            .bind(sub_order.0)
            .bind(order.0)
            .execute(self)
            .await?;
        Ok(answered.rows_affected() == 1)
    }

    async fn settle_order(&mut self, order: OrderId) -> Result<()> {
        sqlx::query(SETTLE_ORDER)
            .bind(order.0)
            .bind(order.0)
            .bind(order.0)
            .bind(order.0)
            .execute(self)
            .await?;
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

/// Many rows in one parameter, for JSON_TABLE.
fn list(rows: impl Iterator<Item = Value>) -> String {
    Value::Array(rows.collect()).to_string()
}
