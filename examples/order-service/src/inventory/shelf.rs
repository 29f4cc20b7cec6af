//! Stock items in a database.

use super::statements::{Statements, StockRow};
use super::stock::StockItem;

/// Reads one and keeps everybody else from changing it until the transaction ends.
pub(super) async fn lock(
    connection: &mut impl Statements,
    merchant: &str,
    sku: &str,
) -> Result<Option<StockItem>, sqlx::Error> {
    let row = connection.lock_stock(merchant, sku).await?;
    Ok(row.map(|row| item(merchant, sku, row)))
}

/// Writes one that was locked.
pub(super) async fn save(connection: &mut impl Statements, item: &StockItem) -> Result<(), sqlx::Error> {
    connection
        .update_stock(
            item.on_hand,
            item.available,
            item.reserved,
            item.sold,
            &item.merchant,
            &item.sku,
        )
        .await?;
    Ok(())
}

pub(super) fn item(merchant: &str, sku: &str, (on_hand, available, reserved, sold): StockRow) -> StockItem {
    StockItem {
        merchant: merchant.to_owned(),
        sku: sku.to_owned(),
        on_hand,
        available,
        reserved,
        sold,
    }
}
