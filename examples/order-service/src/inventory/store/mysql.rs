//! Inventory's statements on MySQL and MariaDB.

use outbox_core::MessageId;
use sqlx::{Error, MySqlConnection, Result};

use super::rows::{ReservationRow, StockRow};
use super::statements::Statements;
use crate::events::{StockLine, StockRequested};
use crate::ids::SubOrderId;

const INSERT_RESERVATION: &str = include_str!("../../../sql/mysql/inventory/insert_reservation.sql");
const FIND_RESERVATION: &str = include_str!("../../../sql/mysql/inventory/find_reservation.sql");
const REFUSE_RESERVATION: &str = include_str!("../../../sql/mysql/inventory/refuse_reservation.sql");
const TAKE_STOCK: &str = include_str!("../../../sql/mysql/inventory/take_stock.sql");
const INSERT_RESERVATION_LINE: &str =
    include_str!("../../../sql/mysql/inventory/insert_reservation_line.sql");
const PUT_STOCK: &str = include_str!("../../../sql/mysql/inventory/put_stock.sql");
const PUT_STOCK_DONE: &str = include_str!("../../../sql/mysql/inventory/put_stock_done.sql");
const FIND_STOCK: &str = include_str!("../../../sql/mysql/inventory/find_stock.sql");

impl Statements for MySqlConnection {
    async fn claim(&mut self, message: MessageId, request: &StockRequested) -> Result<bool> {
        let claimed = sqlx::query(INSERT_RESERVATION)
            .bind(request.sub_order_id.0)
            .bind(request.order_id.0)
            .bind(message.0)
            .bind(&request.merchant)
            .execute(self)
            .await;
        match claimed {
            Ok(_) => Ok(true),
            // The statement alone was undone, and the transaction goes on.
            Err(Error::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn find_reservation(&mut self, sub_order: SubOrderId) -> Result<ReservationRow> {
        sqlx::query_as(FIND_RESERVATION)
            .bind(sub_order.0)
            .fetch_one(self)
            .await
    }

    async fn refuse(&mut self, sub_order: SubOrderId, reason: &str) -> Result<()> {
        sqlx::query(REFUSE_RESERVATION)
            .bind(reason)
            .bind(sub_order.0)
            .execute(self)
            .await?;
        Ok(())
    }

    async fn take_stock(&mut self, merchant: &str, line: &StockLine) -> Result<bool> {
        let quantity = i64::from(line.quantity);
        let taken = sqlx::query(TAKE_STOCK)
            .bind(quantity)
            .bind(quantity)
            .bind(merchant)
            .bind(&line.sku)
            .bind(quantity)
            .execute(self)
            .await?;
        Ok(taken.rows_affected() == 1)
    }

    async fn insert_reservation_line(
        &mut self,
        request: &StockRequested,
        position: i32,
        line: &StockLine,
    ) -> Result<()> {
        sqlx::query(INSERT_RESERVATION_LINE)
            .bind(request.sub_order_id.0)
            .bind(position)
            .bind(&request.merchant)
            .bind(&line.sku)
            .bind(i64::from(line.quantity))
            .execute(self)
            .await?;
        Ok(())
    }

    async fn put_stock(&mut self, merchant: &str, sku: &str, on_hand: i64) -> Result<Option<StockRow>> {
        sqlx::query(PUT_STOCK)
            .bind(merchant)
            .bind(sku)
            .bind(on_hand)
            .bind(on_hand)
            .execute(&mut *self)
            .await?;
        sqlx::query_as(PUT_STOCK_DONE)
            .bind(merchant)
            .bind(sku)
            .bind(on_hand)
            .fetch_optional(self)
            .await
    }

    async fn find_stock(&mut self, merchant: &str, sku: &str) -> Result<Option<StockRow>> {
        sqlx::query_as(FIND_STOCK)
            .bind(merchant)
            .bind(sku)
            .fetch_optional(self)
            .await
    }
}
