use uuid::Uuid;

use crate::database::statements;

/// on hand, available, reserved, sold
pub(super) type StockRow = (i64, i64, i64, i64);

/// merchant, article, quantity
pub(super) type ReservationLineRow = (String, String, i64);

statements!(
    "inventory",
    /// What inventory says to a database.
    pub trait Statements {
        /// Notes that a sub-order was answered: once.
        fn insert_reservation(&mut self, sub_order: Uuid, order: Uuid, merchant: &str) -> Changed;
        /// Turns this transaction's reservation into a refusal.
        fn refuse_reservation(&mut self, reason: &str, sub_order: Uuid) -> Changed;
        /// Notes for whom stock was set aside.
        fn insert_reservation_line(
            &mut self,
            sub_order: Uuid,
            position: i32,
            merchant: &str,
            sku: &str,
            quantity: i64,
        ) -> Changed;
        /// Ends a reservation. No row is changed where it is not reserved.
        fn end_reservation(&mut self, state: &str, sub_order: Uuid) -> Changed;
        /// What was set aside for a sub-order, by article.
        fn reservation_lines(&mut self, sub_order: Uuid) -> All<ReservationLineRow>;
        /// Makes a row for an article that is not known, with nothing of it.
        fn insert_stock(&mut self, merchant: &str, sku: &str) -> Changed;
        /// Reads a stock item, and lets nobody else change it until the transaction ends.
        fn lock_stock(&mut self, merchant: &str, sku: &str) -> Optional<StockRow>;
        /// Writes a stock item that was locked.
        fn update_stock(
            &mut self,
            on_hand: i64,
            available: i64,
            reserved: i64,
            sold: i64,
            merchant: &str,
            sku: &str,
        ) -> Changed;
        /// What there is.
        fn find_stock(&mut self, merchant: &str, sku: &str) -> Optional<StockRow>;
    }
);
