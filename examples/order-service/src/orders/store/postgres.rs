//! The statements of orders on Postgres.

use outbox_core::Event;
use sqlx::{PgConnection, Result};

use super::Answer;
use super::rows::{OrderRow, PendingRow, SummaryRow};
use super::statements::Statements;
use crate::events::StockRequested;
use crate::ids::{OrderId, SubOrderId};
use crate::orders::Order;

const INSERT_ORDER: &str = include_str!("../../../sql/postgres/orders/insert_order.sql");
const INSERT_SUB_ORDERS: &str = include_str!("../../../sql/postgres/orders/insert_sub_orders.sql");
const INSERT_LINES: &str = include_str!("../../../sql/postgres/orders/insert_lines.sql");
const LOCK_ORDER: &str = include_str!("../../../sql/postgres/orders/lock_order.sql");
const ANSWER_SUB_ORDER: &str = include_str!("../../../sql/postgres/orders/answer_sub_order.sql");
const SETTLE_ORDER: &str = include_str!("../../../sql/postgres/orders/settle_order.sql");
const FIND_ORDER: &str = include_str!("../../../sql/postgres/orders/find_order.sql");
const NEWEST_ORDERS: &str = include_str!("../../../sql/postgres/orders/newest_orders.sql");
const PENDING_SUB_ORDERS: &str = include_str!("../../../sql/postgres/orders/pending_sub_orders.sql");
const REQUESTS_ON_THEIR_WAY: &str = include_str!("../../../sql/postgres/orders/requests_on_their_way.sql");

impl Statements for PgConnection {
    async fn insert_order(&mut self, order: &Order) -> Result<()> {
        sqlx::query(INSERT_ORDER)
            .bind(order.id.0)
            .bind(&order.buyer)
            .bind(order.placed_amount)
            .execute(&mut *self)
            .await?;

        // A statement per table and not per row: each costs a round trip, inside of a transaction that holds locks.
        let sub_orders = &order.sub_orders;
        sqlx::query(INSERT_SUB_ORDERS)
            .bind(order.id.0)
            .bind(column(sub_orders, |part| part.id.0))
            .bind(column(sub_orders, |part| part.merchant.as_str()))
            .bind(column(sub_orders, |part| part.amount))
            .execute(&mut *self)
            .await?;

        let lines: Vec<_> = order.lines().collect();
        sqlx::query(INSERT_LINES)
            .bind(column(&lines, |(sub_order, _, _)| sub_order.0))
            .bind(column(&lines, |(_, position, _)| *position))
            .bind(column(&lines, |(_, _, line)| line.sku.as_str()))
            .bind(column(&lines, |(_, _, line)| i64::from(line.quantity)))
            .bind(column(&lines, |(_, _, line)| line.unit_price))
            .execute(self)
            .await?;
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
        sqlx::query_as(NEWEST_ORDERS)
            .bind(i64::from(limit))
            .fetch_all(self)
            .await
    }

    async fn pending_sub_orders(&mut self, after: SubOrderId, limit: u32) -> Result<Vec<PendingRow>> {
        sqlx::query_as(PENDING_SUB_ORDERS)
            .bind(after.0)
            .bind(i64::from(limit))
            .fetch_all(self)
            .await
    }

    async fn requests_on_their_way(&mut self, keys: Vec<String>) -> Result<Vec<String>> {
        sqlx::query_scalar(REQUESTS_ON_THEIR_WAY)
            .bind(StockRequested::TOPIC)
            .bind(keys)
            .fetch_all(self)
            .await
    }
}

/// One column of many rows: an array of Postgres.
fn column<'a, T, U>(rows: &'a [T], value: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}
