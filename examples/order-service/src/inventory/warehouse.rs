use async_trait::async_trait;
use outbox_sqlx::Outbox;

use super::{Statements, StockItem, shelf};
use crate::database::{Pools, ServiceDatabase};
use crate::store_error::StoreError;

/// What merchants can ask of the inventory in a database.
#[async_trait]
pub trait Warehouse: Send + Sync + 'static {
    /// Says how much lies in the warehouse. `None`: more than that is reserved, and nothing was changed.
    async fn put_stock(
        &self,
        merchant: &str,
        sku: &str,
        on_hand: i64,
    ) -> Result<Option<StockItem>, StoreError>;

    /// What there is of an article.
    async fn find_stock(&self, merchant: &str, sku: &str) -> Result<Option<StockItem>, StoreError>;
}

#[async_trait]
impl<DB: ServiceDatabase> Warehouse for Pools<DB> {
    async fn put_stock(
        &self,
        merchant: &str,
        sku: &str,
        on_hand: i64,
    ) -> Result<Option<StockItem>, StoreError> {
        // For the scope of its transactions; nothing is told.
        Outbox::new()
            .transaction(&self.write, async |tx| {
                Statements::insert_stock(&mut **tx, merchant, sku).await?;
                let Some(mut item) = shelf::lock(&mut **tx, merchant, sku).await? else {
                    return Ok(None);
                };
                if !item.put(on_hand) {
                    return Ok(None);
                }
                shelf::save(&mut **tx, &item).await?;
                Ok(Some(item))
            })
            .await
    }

    async fn find_stock(&self, merchant: &str, sku: &str) -> Result<Option<StockItem>, StoreError> {
        let mut connection = self.read.acquire().await?;
        let row = Statements::find_stock(&mut *connection, merchant, sku).await?;
        Ok(row.map(|row| shelf::item(merchant, sku, row)))
    }
}
