use uuid::Uuid;

use crate::database::statements;

statements!(
    "shipping",
    /// What shipping says to a database.
    pub trait Statements {
        /// Hands a sub-order to the carrier: once.
        fn insert_shipment(&mut self, sub_order: Uuid, order: Uuid, merchant: &str) -> Changed;
        /// Notes that the carrier was there. No row is changed where that was noted before.
        fn deliver_shipment(&mut self, sub_order: Uuid) -> Changed;
    }
);
