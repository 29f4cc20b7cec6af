use uuid::Uuid;

use crate::database::statements;

/// id, buyer, state, reason, all or nothing, placed amount, amount, captured, refunded, payment id, payment method, overdue
pub(super) type HeadRow = (
    Uuid,
    String,
    String,
    Option<String>,
    bool,
    i64,
    i64,
    i64,
    i64,
    Option<Uuid>,
    Option<String>,
    bool,
);

/// id, merchant, state, reason, amount, paid, refund requested, refunded
pub(super) type PartRow = (Uuid, String, String, Option<String>, i64, i64, i64, i64);

/// sub-order, article, quantity, price
pub(super) type LineRow = (Uuid, String, i64, i64);

/// id, buyer, state, placed amount, amount
pub(super) type SummaryRow = (Uuid, String, String, i64, i64);

statements!(
    "orders",
    /// What orders says to a database.
    pub trait Statements {
        /// Writes a main order.
        fn insert_order(
            &mut self,
            order: Uuid,
            buyer: &str,
            all_or_nothing: bool,
            payment_method: Option<&str>,
            placed_amount: i64,
            amount: i64,
        ) -> Changed;
        /// Writes the sub-orders of an order: `[[id, merchant, amount], …]`.
        fn insert_sub_orders(&mut self, order: Uuid, sub_orders: &str) -> Changed;
        /// Writes the lines of an order: `[[sub-order, position, article, quantity, price], …]`.
        fn insert_lines(&mut self, lines: &str) -> Changed;
        /// Reads a main order, and lets nobody else change it until the transaction ends.
        fn lock_order(&mut self, order: Uuid) -> Optional<HeadRow>;
        /// Reads a main order.
        fn find_order(&mut self, order: Uuid) -> Optional<HeadRow>;
        /// The sub-orders of an order, in the order in which they were named.
        fn sub_orders_of_order(&mut self, order: Uuid) -> All<PartRow>;
        /// The lines of an order's sub-orders, in their order.
        fn lines_of_order(&mut self, order: Uuid) -> All<LineRow>;
        /// Writes a main order that has changed.
        fn update_order(
            &mut self,
            state: &str,
            reason: Option<&str>,
            amount: i64,
            captured_amount: i64,
            refunded_amount: i64,
            payment: Option<Uuid>,
            overdue: bool,
            order: Uuid,
        ) -> Changed;
        /// Starts the time in which an order has to be paid, in microseconds.
        fn start_payment_window(&mut self, window: i64, order: Uuid) -> Changed;
        /// Writes a sub-order that has changed.
        fn update_sub_order(
            &mut self,
            state: &str,
            reason: Option<&str>,
            paid_amount: i64,
            refund_requested: i64,
            refunded_amount: i64,
            sub_order: Uuid,
        ) -> Changed;
        /// The newest orders.
        fn newest_orders(&mut self, limit: i64) -> All<SummaryRow>;
        /// Orders that should have been closed so many microseconds ago.
        fn overdue_orders(&mut self, grace: i64, limit: i64) -> All<(Uuid,)>;
    }
);
