use crate::database::statements;

statements!(
    "loyalty",
    /// What loyalty says to a database.
    pub trait Statements {
        /// Adds points to a buyer's.
        fn add_points(&mut self, buyer: &str, points: i64) -> Changed;
        /// A buyer's points.
        fn find_points(&mut self, buyer: &str) -> Optional<(i64,)>;
    }
);
