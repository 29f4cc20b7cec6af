use uuid::Uuid;

use crate::database::statements;

statements!(
    "payment",
    /// What payment says to a database, and what its stand-in for a payment provider does.
    pub trait Statements {
        /// Writes down what came of a try to pay: captured, or refused for a reason.
        fn insert_payment(
            &mut self,
            payment: Uuid,
            order: Uuid,
            amount: i64,
            state: &str,
            reason: Option<&str>,
        ) -> Changed;
        /// Writes down a refund: once.
        fn insert_refund(&mut self, refund: Uuid, payment: Uuid, sub_order: Uuid, amount: i64) -> Changed;
        /// Adds a refund to what went back of a payment. The schema refuses more than was captured.
        fn add_refund(&mut self, amount: i64, payment: Uuid) -> Changed;

        /// The provider's: does something under a key. No row is changed where it was done before.
        fn insert_operation(
            &mut self,
            key: Uuid,
            charge: Uuid,
            kind: &str,
            amount: i64,
            outcome: &str,
        ) -> Changed;
        /// The provider's: what came of it.
        fn operation_outcome(&mut self, key: Uuid) -> One<(String,)>;
    }
);
