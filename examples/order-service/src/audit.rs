//! The books, audited: what has to be true of a service at rest, whatever happened to it on the way.

use sqlx::{ColumnIndex, Decode, Row, Type};

use crate::database::Database;
use crate::store_error::StoreError;

const AUDIT: [&str; 3] = [
    include_str!("../sql/mysql/audit.sql"),
    include_str!("../sql/postgres/audit.sql"),
    include_str!("../sql/sqlite/audit.sql"),
];
const PROGRESS: [&str; 3] = [
    include_str!("../sql/mysql/progress.sql"),
    include_str!("../sql/postgres/progress.sql"),
    include_str!("../sql/sqlite/progress.sql"),
];

/// A row of numbers: its fields are named as the columns of the statement.
macro_rules! numbers {
    ($(#[$meta:meta])* $name:ident = $sql:ident { $($(#[$doc:meta])* $field:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name { $($(#[$doc])* pub $field: i64,)+ }

        impl $name {
            /// Asks the database.
            ///
            /// # Errors
            /// The database can't be read.
            pub async fn of(database: &Database) -> Result<Self, StoreError> {
                let [mysql, postgres, sqlite] = $sql;
                Ok(match database {
                    Database::MySql(pools) => Self::read(&sqlx::query(mysql).fetch_one(&pools.read).await?)?,
                    Database::Postgres(pools) => Self::read(&sqlx::query(postgres).fetch_one(&pools.read).await?)?,
                    Database::Sqlite(pools) => Self::read(&sqlx::query(sqlite).fetch_one(&pools.read).await?)?,
                })
            }

            fn read<R: Row>(row: &R) -> sqlx::Result<Self>
            where
                for<'name> &'name str: ColumnIndex<R>,
                for<'row> i64: Decode<'row, R::Database> + Type<R::Database>,
            {
                Ok(Self { $($field: row.try_get(stringify!($field))?,)+ })
            }
        }
    };
}

numbers! {
    /// What the tables of all modules say, at one moment. The differences among it mean something at rest only. Amounts are
    /// in cents.
    Audit = AUDIT {
        /// Main orders.
        orders,
        /// Those that wait for an answer of inventory.
        pending,
        /// Those that wait to be paid: no fault, while there is time.
        awaiting_payment,
        /// Those that wait for an answer of payment.
        paying,
        /// Those that wait to be delivered.
        paid,
        /// Those that are delivered.
        completed,
        /// Those that were closed without being paid.
        cancelled,
        /// Of those, the ones that could have been paid.
        unpaid_closed,
        /// Orders of which at least one sub-order is refused, completed or not.
        refused,
        /// Sub-orders of all orders.
        sub_orders,
        /// Sub-orders that inventory has answered.
        answered,
        /// Units of all articles: in the warehouse, set aside or not, and sold.
        units,
        /// Units that are set aside or sold, and for nobody: an effect that was applied more than once.
        taken_twice,
        /// Units that a buyer was told he has, and that are neither set aside nor sold.
        not_taken,
        /// Articles with `available + reserved` other than `on_hand`.
        unbalanced_stock,
        /// Main orders whose amounts are not the sums of their sub-orders.
        unbalanced_orders,
        /// Sub-orders whose state is not what their order, inventory and shipping have.
        contradictions,
        /// Captured, as orders have it.
        captured,
        /// Captured, as payment has it.
        captured_by_payment,
        /// Captured, as the payment provider has it.
        captured_by_provider,
        /// Given back, as orders have it.
        refunded,
        /// Given back, as payment has it.
        refunded_by_payment,
        /// Given back, as the payment provider has it.
        refunded_by_provider,
        /// Charges beyond the one by which an order was paid: somebody was charged twice, or for nothing.
        charges_repeated,
        /// Orders that count as paid and were not charged.
        paid_without_charge,
        /// Payments of which orders, payment or the provider say something else than was given back, or too much.
        unbalanced_refunds,
        /// Sub-orders for which a refund was asked and not made.
        refunds_open,
        /// Loyalty points of all buyers.
        points,
        /// Points that all completed orders are good for.
        points_earned,
        /// Messages that were committed.
        messages,
        /// Of those, the ones that a group that has to has not handled. Timers and events for whoever wants to know are
        /// not among them.
        unhandled,
        /// Timers that have not been handled: no fault, while they run.
        timers,
        /// Events that loyalty has not heard: no fault, where that group is not there or came later.
        unheard_by_loyalty,
        /// Sub-orders that were not handed to shipping in the order in which that was asked.
        shipped_out_of_order,
        /// Messages that were handled, as their sender knows.
        confirmed,
        /// Messages that were delivered and are waiting to be confirmed.
        unconfirmed,
        /// Dead letters, of the outbox and of the groups.
        dead,
    }
}

numbers! {
    /// How far it is, for a look every now and then.
    Progress = PROGRESS {
        /// Main orders that are neither completed nor cancelled.
        open_orders,
        /// Messages that somebody has to handle, each counted once per group; where loyalty takes part.
        to_handle,
        /// Of those, the ones that were handled.
        handled,
        /// Messages that are to be delivered or confirmed.
        waiting,
        /// Sub-orders for which a refund was asked and not made.
        refunds_open,
    }
}

impl Audit {
    /// What is wrong with the books of a service at rest, in words; nothing, if all is well. Orders that wait to be paid,
    /// and their timers, are no fault.
    pub fn findings(&self) -> Vec<String> {
        let differs = |what: &str, amounts: [i64; 3]| {
            let [orders, payment, provider] = amounts;
            (orders != payment || payment != provider).then(|| {
                format!(
                    "{what}: {orders} by orders, {payment} by payment, {provider} by the payment provider"
                )
            })
        };
        let counts = [
            (self.pending, "orders wait for an answer"),
            (self.paying, "orders wait for an answer of payment"),
            (self.paid, "paid orders were not delivered"),
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
                "orders whose amounts are not the sums of their sub-orders",
            ),
            (
                self.contradictions,
                "sub-orders are not what their order, inventory or shipping say",
            ),
            (
                self.charges_repeated,
                "charges were made more than once or for nothing",
            ),
            (
                self.paid_without_charge,
                "orders count as paid and were not charged",
            ),
            (
                self.unbalanced_refunds,
                "payments gave back something else than was noted",
            ),
            (self.refunds_open, "refunds were asked for and not made"),
            (
                (self.points - self.points_earned).max(0),
                "loyalty points more than were earned",
            ),
            (
                self.unhandled,
                "messages were not handled by everybody who has to",
            ),
            (
                self.shipped_out_of_order,
                "shipments were asked for in another order",
            ),
            (self.dead, "messages are dead letters"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count != 0);
        let amounts = [
            differs(
                "captured",
                [self.captured, self.captured_by_payment, self.captured_by_provider],
            ),
            differs(
                "refunded",
                [self.refunded, self.refunded_by_payment, self.refunded_by_provider],
            ),
        ];
        counts
            .map(|(count, what)| format!("{count} {what}"))
            .chain(amounts.into_iter().flatten())
            .collect()
    }
}
