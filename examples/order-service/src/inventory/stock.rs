//! What a merchant has of an article, and how that changes. No database.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a merchant has of an article. `available + reserved` is `on_hand`, and what was ever put in is `on_hand + sold`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
    /// What has left it for buyers.
    pub sold: i64,
}

impl StockItem {
    /// Sets some aside. `false`: there is not enough, and nothing changed.
    #[must_use]
    pub fn reserve(&mut self, quantity: i64) -> bool {
        if self.available < quantity {
            return false;
        }
        self.available -= quantity;
        self.reserved += quantity;
        true
    }

    /// What was set aside may be promised again.
    pub fn release(&mut self, quantity: i64) {
        self.reserved -= quantity;
        self.available += quantity;
    }

    /// What was set aside has left the warehouse.
    pub fn sell(&mut self, quantity: i64) {
        self.reserved -= quantity;
        self.on_hand -= quantity;
        self.sold += quantity;
    }

    /// Says how much lies in the warehouse. `false`: more than that is reserved, and nothing changed.
    #[must_use]
    pub fn put(&mut self, on_hand: i64) -> bool {
        if on_hand < self.reserved {
            return false;
        }
        self.on_hand = on_hand;
        self.available = on_hand - self.reserved;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(on_hand: i64) -> StockItem {
        StockItem {
            merchant: "m".to_owned(),
            sku: "s".to_owned(),
            on_hand,
            available: on_hand,
            reserved: 0,
            sold: 0,
        }
    }

    #[test]
    fn nothing_is_made_or_lost() {
        let mut item = item(10);
        assert!(item.reserve(7) && !item.reserve(4));
        item.release(2);
        item.sell(5);
        assert_eq!(
            (item.on_hand, item.available, item.reserved, item.sold),
            (5, 5, 0, 5)
        );
        assert!(item.reserve(5) && !item.put(4) && item.put(6));
        assert_eq!((item.on_hand, item.available, item.reserved), (6, 1, 5));
    }
}
