//! What the transactions of orders say to a database: a method per file of `sql/<database>/orders/`.

use sqlx::Result;

use super::Answer;
use super::rows::{OrderRow, PendingRow, SummaryRow};
use crate::ids::{OrderId, SubOrderId};
use crate::orders::Order;

/// The statements of orders, in one database's SQL.
pub trait Statements: Send {
    /// Writes an order with all that belongs to it.
    fn insert_order(&mut self, order: &Order) -> impl Future<Output = Result<()>> + Send;

    /// Lets one answer after the other change an order.
    fn lock_order(&mut self, order: OrderId) -> impl Future<Output = Result<()>> + Send;

    /// Notes an answer. `false`: there was one before.
    fn answer_sub_order(
        &mut self,
        order: OrderId,
        sub_order: SubOrderId,
        answer: &Answer,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Brings a main order in line with its sub-orders.
    fn settle_order(&mut self, order: OrderId) -> impl Future<Output = Result<()>> + Send;

    /// An order, a row per line.
    fn find_order(&mut self, order: OrderId) -> impl Future<Output = Result<Vec<OrderRow>>> + Send;

    /// The newest orders.
    fn newest_orders(&mut self, limit: u32) -> impl Future<Output = Result<Vec<SummaryRow>>> + Send;

    /// The next sub-orders without an answer, a row per line.
    fn pending_sub_orders(
        &mut self,
        after: SubOrderId,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<PendingRow>>> + Send;

    /// Those of these keys whose request is still in the outbox.
    fn requests_on_their_way(
        &mut self,
        keys: Vec<String>,
    ) -> impl Future<Output = Result<Vec<String>>> + Send;
}
