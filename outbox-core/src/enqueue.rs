use crate::message::Message;

/// How a message's place in its key's order is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// By insertion. Equal to commit order when the key's writers are serialised before they publish:
    /// "lock the aggregate's row, then publish".
    #[default]
    Inserted,
    /// By a lock on each key, taken before the insert and held to the transaction's end. For writers
    /// that have no row of their own to lock. Several keys are locked in one sorted order.
    KeyLocked,
}

/// Writes messages into the outbox inside somebody's transaction.
///
/// The transaction is a *parameter of the trait*: what implements it can roll back, and nothing else
/// compiles. A pool or a plain connection would commit the message on its own, and then a rolled back
/// order would still be announced.
#[diagnostic::on_unimplemented(
    message = "a message can only be published inside a transaction, and `{Tx}` is none",
    label = "this is not an open transaction",
    note = "begin one (`let mut tx = outbox.begin(&pool).await?`), pass `&mut tx`, then commit it; a pool would commit the message apart from the business rows",
    note = "on a connection that is already in a transaction, pass `&mut *connection`"
)]
pub trait Enqueue<Tx: ?Sized> {
    /// Why it failed.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Inserts `messages`, all of them or none, as part of `tx`.
    ///
    /// # Errors
    /// A message is out of bounds (nothing was written), or the database refused. After an error the
    /// transaction must not be committed: on some databases it still could be, without its messages.
    fn enqueue(
        &self,
        tx: &mut Tx,
        messages: &[Message],
        order: Order,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Told by whoever committed a transaction in which something may have been enqueued, so that a relay in this
    /// process looks at once. Only a hint: a relay that hears nothing polls. Default: nothing.
    fn committed(&self) {}
}
