//! The books, audited: what has to be true of a service at rest, whatever happened to it on the way.

use crate::database::Database;
use crate::store_error::StoreError;

const MYSQL: &str = include_str!("../sql/mysql/audit.sql");
const POSTGRES: &str = include_str!("../sql/postgres/audit.sql");
const SQLITE: &str = include_str!("../sql/sqlite/audit.sql");

/// What the tables of both modules say, at one moment. The differences among it mean something at rest only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// Main orders.
    pub orders: i64,
    /// Those that wait for an answer.
    pub pending: i64,
    /// Those of which at least one sub-order is reserved, and none is pending.
    pub completed: i64,
    /// Those of which at least one sub-order is refused, so also some of the completed ones.
    pub refused: i64,
    /// Sub-orders of all orders.
    pub sub_orders: i64,
    /// Sub-orders that inventory has answered.
    pub answered: i64,
    /// Units of all articles, set aside or not.
    pub on_hand: i64,
    /// Units that are set aside and for nobody: an effect that was applied more than once.
    pub taken_twice: i64,
    /// Units that a buyer was told he has, and that are not set aside.
    pub not_taken: i64,
    /// Articles with `available + reserved` other than `on_hand`.
    pub unbalanced_stock: i64,
    /// Main orders whose amounts are not the sums of their sub-orders.
    pub unbalanced_orders: i64,
    /// Sub-orders whose state is not what inventory decided.
    pub contradictions: i64,
}

impl Audit {
    /// Takes the books.
    ///
    /// # Errors
    /// The database can't be read.
    pub async fn of(database: &Database) -> Result<Self, StoreError> {
        type Row = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);
        let row: Row = match database {
            Database::MySql(pools) => sqlx::query_as(MYSQL).fetch_one(&pools.read).await?,
            Database::Postgres(pools) => sqlx::query_as(POSTGRES).fetch_one(&pools.read).await?,
            Database::Sqlite(pools) => sqlx::query_as(SQLITE).fetch_one(&pools.read).await?,
        };
        Ok(Self {
            orders: row.0,
            pending: row.1,
            completed: row.2,
            refused: row.3,
            sub_orders: row.4,
            answered: row.5,
            on_hand: row.6,
            taken_twice: row.7,
            not_taken: row.8,
            unbalanced_stock: row.9,
            unbalanced_orders: row.10,
            contradictions: row.11,
        })
    }

    /// How many messages these rows were committed with, where nothing was asked twice: one per order, one request
    /// per sub-order, and one answer to each.
    pub fn messages(&self) -> i64 {
        self.orders + self.sub_orders + self.answered
    }

    /// What is wrong with the books of a service at rest, in words; nothing, if all is well.
    pub fn findings(&self) -> Vec<String> {
        [
            (self.pending, "orders wait for an answer"),
            (
                self.sub_orders - self.answered,
                "sub-orders were not answered by inventory",
            ),
            (self.taken_twice, "units of stock were taken more than once"),
            (self.not_taken, "units were promised and not set aside"),
            (
                self.unbalanced_stock,
                "articles where available + reserved is not on_hand",
            ),
            (
                self.unbalanced_orders,
                "orders whose amount is not the sum of their sub-orders",
            ),
            (
                self.contradictions,
                "sub-orders were told something else than inventory decided",
            ),
        ]
        .into_iter()
        .filter(|(count, _)| *count != 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect()
    }
}
