//! What the orders module asks of its database, and how it is done: the transactions (`transactions`), and their
//! statements in each database's SQL.
//!
//! A service has one database. Keep the transactions and that database's file; drop the others, and with them the traits:
//! `DB` and `Statements` are there to have the transactions once for all three.

mod mysql;
mod postgres;
mod rows;
mod sqlite;
mod statements;
mod transactions;

use async_trait::async_trait;

pub use transactions::SqlOrders;

use super::{Order, OrderSummary};
use crate::ids::{OrderId, SubOrderId};
use crate::store_error::StoreError;

/// What inventory said about a sub-order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// All of it is set aside.
    Reserved,
    /// Nothing of it is.
    Refused {
        /// Why.
        reason: String,
    },
}

/// What one page of [`OrderStore::ask_again`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// How many requests were sent.
    pub requests: u64,
    /// The last sub-order of the page; `None`: there are no more.
    pub last: Option<SubOrderId>,
}

/// The orders of one database. Every method that writes is one transaction, messages included.
#[async_trait]
pub trait OrderStore: Send + Sync + 'static {
    /// Writes a new order, and tells everybody ([`OrderPlaced`](crate::events::OrderPlaced)) and inventory
    /// ([`StockRequested`](crate::events::StockRequested), per sub-order).
    async fn place(&self, order: &Order) -> Result<(), StoreError>;

    /// Notes the answer to a sub-order, once, and settles the order when it was the last one. Returns whether it
    /// was news: of any number of answers to a sub-order the first counts.
    async fn answer(
        &self,
        order: OrderId,
        sub_order: SubOrderId,
        answer: &Answer,
    ) -> Result<bool, StoreError>;

    /// One order with everything in it.
    async fn find(&self, id: OrderId) -> Result<Option<Order>, StoreError>;

    /// The newest orders.
    async fn newest(&self, limit: u32) -> Result<Vec<OrderSummary>, StoreError>;

    /// Asks inventory again about those of the next sub-orders without an answer, at most `limit` behind `after` in
    /// the order of their ids, whose request is not in the outbox any more.
    async fn ask_again(&self, after: SubOrderId, limit: u32) -> Result<Asked, StoreError>;
}
