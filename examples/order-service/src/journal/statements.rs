use uuid::Uuid;

use crate::database::statements;

/// message, sub-order, topic, name, trace, when (microseconds since 1970)
pub(super) type SentRow = (Uuid, Option<Uuid>, String, String, Option<String>, i64);

/// message, group, attempt, when (microseconds since 1970)
pub(super) type HandledRow = (Uuid, String, i64, i64);

statements!(
    "journal",
    /// What the journal says to a database.
    pub trait Statements {
        /// Notes messages that are sent: `[[message, order, sub-order, topic, name, trace], …]`.
        fn insert_sent(&mut self, entries: &str) -> Changed;
        /// Notes that a group has handled a message.
        fn insert_handled(&mut self, message: Uuid, group: &str, attempt: i64) -> Changed;
        /// The messages of an order, in the order in which they were sent.
        fn sent_of_order(&mut self, order: Uuid) -> All<SentRow>;
        /// Who has handled the messages of an order.
        fn handled_of_order(&mut self, order: Uuid) -> All<HandledRow>;
        /// Grows whenever something was sent or handled.
        fn position(&mut self) -> One<(i64,)>;
    }
);
