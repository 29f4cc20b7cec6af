//! Orders on Postgres.

use async_trait::async_trait;
use outbox_core::Event;
use outbox_sqlx::Outbox;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Answer, Asked, OrderStore, rows};
use crate::events::StockRequested;
use crate::ids::{OrderId, SubOrderId};
use crate::orders::{Line, Order, OrderSummary};
use crate::store_error::StoreError;

const INSERT_ORDER: &str = include_str!("../../../sql/postgres/orders/insert_order.sql");
const INSERT_SUB_ORDERS: &str = include_str!("../../../sql/postgres/orders/insert_sub_orders.sql");
const INSERT_LINES: &str = include_str!("../../../sql/postgres/orders/insert_lines.sql");
const LOCK_ORDER: &str = include_str!("../../../sql/postgres/orders/lock_order.sql");
const ANSWER_SUB_ORDER: &str = include_str!("../../../sql/postgres/orders/answer_sub_order.sql");
const SETTLE_ORDER: &str = include_str!("../../../sql/postgres/orders/settle_order.sql");
const FIND_ORDER: &str = include_str!("../../../sql/postgres/orders/find_order.sql");
const NEWEST_ORDERS: &str = include_str!("../../../sql/postgres/orders/newest_orders.sql");
const REQUESTS_ON_THEIR_WAY: &str = include_str!("../../../sql/postgres/orders/requests_on_their_way.sql");
const PENDING_SUB_ORDERS: &str = include_str!("../../../sql/postgres/orders/pending_sub_orders.sql");

/// [`OrderStore`] on Postgres.
#[derive(Debug)]
pub struct PostgresOrders {
    pool: PgPool,
    outbox: Outbox,
}

impl PostgresOrders {
    /// The orders in the database of `pool`, which tell what happens through `outbox`.
    pub fn new(pool: PgPool, outbox: Outbox) -> Self {
        Self { pool, outbox }
    }

    async fn insert(connection: &mut PgConnection, order: &Order) -> sqlx::Result<()> {
        sqlx::query(INSERT_ORDER)
            .bind(order.id.0)
            .bind(&order.buyer)
            .bind(order.placed_amount)
            .execute(&mut *connection)
            .await?;

        // A statement per table and not per row: each costs a round trip, inside of a transaction that holds locks.
        let sub_orders = &order.sub_orders;
        sqlx::query(INSERT_SUB_ORDERS)
            .bind(order.id.0)
            .bind(column(sub_orders, |part| part.id.0))
            .bind(column(sub_orders, |part| part.merchant.as_str()))
            .bind(column(sub_orders, |part| part.amount))
            .execute(&mut *connection)
            .await?;

        let lines: Vec<(Uuid, i32, &Line)> = sub_orders
            .iter()
            .flat_map(|part| {
                (0..)
                    .zip(&part.lines)
                    .map(|(position, line)| (part.id.0, position, line))
            })
            .collect();
        sqlx::query(INSERT_LINES)
            .bind(column(&lines, |(sub_order, _, _)| *sub_order))
            .bind(column(&lines, |(_, position, _)| *position))
            .bind(column(&lines, |(_, _, line)| line.sku.as_str()))
            .bind(column(&lines, |(_, _, line)| i64::from(line.quantity)))
            .bind(column(&lines, |(_, _, line)| line.unit_price))
            .execute(&mut *connection)
            .await?;
        Ok(())
    }
}

/// One column of many rows: an array of Postgres.
fn column<'a, T, U>(rows: &'a [T], value: impl Fn(&'a T) -> U) -> Vec<U> {
    rows.iter().map(value).collect()
}

#[async_trait]
impl OrderStore for PostgresOrders {
    async fn place(&self, order: &Order) -> Result<(), StoreError> {
        self.outbox
            .transaction(&self.pool, async |tx| {
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
        self.outbox
            .transaction(&self.pool, async |tx| {
                sqlx::query(LOCK_ORDER).bind(order.0).execute(&mut **tx).await?;

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
                .fetch_all(&self.pool)
                .await?,
        )
    }

    async fn newest(&self, limit: u32) -> Result<Vec<OrderSummary>, StoreError> {
        let found = sqlx::query_as(NEWEST_ORDERS)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        found.into_iter().map(rows::summary).collect()
    }

    async fn ask_again(&self, after: SubOrderId, limit: u32) -> Result<Asked, StoreError> {
        self.outbox
            .transaction(&self.pool, async |tx| {
                let found = sqlx::query_as(PENDING_SUB_ORDERS)
                    .bind(after.0)
                    .bind(i64::from(limit))
                    .fetch_all(&mut **tx)
                    .await?;
                let pending = rows::Pending::new(found)?;
                let on_their_way: Vec<String> = sqlx::query_scalar(REQUESTS_ON_THEIR_WAY)
                    .bind(StockRequested::TOPIC)
                    .bind(pending.keys())
                    .fetch_all(&mut **tx)
                    .await?;
                let (asked, requests) = pending.without(&on_their_way);
                self.outbox.publish_all(tx, requests).await?;
                Ok(asked)
            })
            .await
    }
}
