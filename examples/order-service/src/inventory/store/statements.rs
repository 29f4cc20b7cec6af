//! What inventory's transactions say to a database: a method per file of `sql/<database>/inventory/`.

use outbox_core::MessageId;
use sqlx::Result;

use super::rows::{ReservationRow, StockRow};
use crate::events::{StockLine, StockRequested};
use crate::ids::SubOrderId;

/// The statements of inventory, in one database's SQL.
pub trait Statements: Send {
    /// Claims the answer to a request. `false`: there is an answer already.
    fn claim(
        &mut self,
        message: MessageId,
        request: &StockRequested,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// What was answered.
    fn find_reservation(
        &mut self,
        sub_order: SubOrderId,
    ) -> impl Future<Output = Result<ReservationRow>> + Send;

    /// Turns this transaction's reservation into a refusal.
    fn refuse(&mut self, sub_order: SubOrderId, reason: &str) -> impl Future<Output = Result<()>> + Send;

    /// Sets stock aside. `false`: there is not enough.
    fn take_stock(&mut self, merchant: &str, line: &StockLine) -> impl Future<Output = Result<bool>> + Send;

    /// Notes for whom stock was set aside.
    fn insert_reservation_line(
        &mut self,
        request: &StockRequested,
        position: i32,
        line: &StockLine,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Sets how much there is. `None`: more than that is reserved.
    fn put_stock(
        &mut self,
        merchant: &str,
        sku: &str,
        on_hand: i64,
    ) -> impl Future<Output = Result<Option<StockRow>>> + Send;

    /// What there is.
    fn find_stock(
        &mut self,
        merchant: &str,
        sku: &str,
    ) -> impl Future<Output = Result<Option<StockRow>>> + Send;
}
