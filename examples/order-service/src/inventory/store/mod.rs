//! What the inventory module asks of its database, and how it is done: the transactions (`transactions`), and their
//! statements in each database's SQL. What to copy of it is said at the store of orders.

mod mysql;
mod postgres;
mod rows;
mod sqlite;
mod statements;
mod transactions;

use async_trait::async_trait;
use outbox_core::MessageId;
use serde::{Deserialize, Serialize};

pub use transactions::SqlInventory;

use crate::events::StockRequested;
use crate::store_error::StoreError;

/// What a merchant has of an article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockItem {
    /// Whose.
    pub merchant: String,
    /// The merchant's name for the article.
    pub sku: String,
    /// What lies in the warehouse.
    pub on_hand: i64,
    /// Of these, what may still be promised.
    pub available: i64,
    /// Of these, what is set aside for sub-orders.
    pub reserved: i64,
}

/// The inventory of one database. Every method that writes is one transaction, messages included.
#[async_trait]
pub trait InventoryStore: Send + Sync + 'static {
    /// Sets all lines of a request aside, or none of them, and answers with
    /// [`StockReserved`](crate::events::StockReserved) or [`StockRefused`](crate::events::StockRefused).
    ///
    /// **Once.** Queues deliver at least once, so the same request may come again, at any time, even at the same
    /// time. The first statement of the transaction inserts the reservation, whose primary key is the sub-order: a
    /// second transaction waits there for the first one and then finds its row, and changes no stock.
    /// That is enough here because the effect has a row of its own with a natural key. Where it has none (a
    /// counter, a mail), the ledger of the `idempotency` crate is the general form of this row.
    ///
    /// The *same message* again needs no answer: the answer was committed with the reservation. *Another message*
    /// about the same sub-order (`message` differs from the stored one) means that somebody asks because he has
    /// heard nothing, and gets the answer that was given then.
    async fn reserve(&self, message: MessageId, request: &StockRequested) -> Result<(), StoreError>;

    /// Says how much there is of an article in all. `None`: more than that is reserved already, and nothing was
    /// changed.
    async fn put_stock(
        &self,
        merchant: &str,
        sku: &str,
        on_hand: i64,
    ) -> Result<Option<StockItem>, StoreError>;

    /// What there is of an article.
    async fn find_stock(&self, merchant: &str, sku: &str) -> Result<Option<StockItem>, StoreError>;
}
