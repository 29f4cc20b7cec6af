//! Inventory's statements on SQLite.

use outbox_core::MessageId;
use sqlx::{Result, SqliteConnection};

use super::rows::{ReservationRow, StockRow};
use super::statements::Statements;
use crate::events::{StockLine, StockRequested};
use crate::ids::SubOrderId;

const INSERT_RESERVATION: &str = include_str!("../../../sql/sqlite/inventory/insert_reservation.sql");
const FIND_RESERVATION: &str = include_str!("../../../sql/sqlite/inventory/find_reservation.sql");
const REFUSE_RESERVATION: &str = include_str!("../../../sql/sqlite/inventory/refuse_reservation.sql");
const TAKE_STOCK: &str = include_str!("../../../sql/sqlite/inventory/take_stock.sql");
const INSERT_RESERVATION_LINE: &str =
    include_str!("../../../sql/sqlite/inventory/insert_reservation_line.sql");
const PUT_STOCK: &str = include_str!("../../../sql/sqlite/inventory/put_stock.sql");
const FIND_STOCK: &str = include_str!("../../../sql/sqlite/inventory/find_stock.sql");

impl Statements for SqliteConnection {
    async fn claim(&mut self, message: MessageId, request: &StockRequested) -> Result<bool> {
        let claimed = sqlx::query(INSERT_RESERVATION)
            .bind(request.sub_order_id.0)
            .bind(request.order_id.0)
            .bind(message.0)
            .bind(&request.merchant)
            .execute(self)
            .await?;
        Ok(claimed.rows_affected() == 1)
    }

    async fn find_reservation(&mut self, sub_order: SubOrderId) -> Result<ReservationRow> {
        sqlx::query_as(FIND_RESERVATION)
            .bind(sub_order.0)
            .fetch_one(self)
            .await
    }

    async fn refuse(&mut self, sub_order: SubOrderId, reason: &str) -> Result<()> {
        sqlx::query(REFUSE_RESERVATION)
            .bind(sub_order.0)
            .bind(reason)
            .execute(self)
            .await?;
        Ok(())
    }

    async fn take_stock(&mut self, merchant: &str, line: &StockLine) -> Result<bool> {
        let quantity = i64::from(line.quantity);
        let taken = sqlx::query(TAKE_STOCK)
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
        sqlx::query_as(PUT_STOCK)
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
