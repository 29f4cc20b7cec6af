use std::fmt;
use std::future::Future;
use std::slice;
use std::sync::Arc;

use outbox_core::{
    Enqueue, Headers, IntoMessage, Limits, Message, MessageError, MessageId, Order, TraceContext, Wake,
};
use sqlx::{Pool, Transaction};
use tracing::Instrument;
use transaction_scope::{Attempt, ScopedTransaction};

use crate::database::OutboxDatabase;
use crate::error::OutboxError;
use crate::sql_store::SqlStore;

pub(crate) type TraceSource = Arc<dyn Fn() -> Option<TraceContext> + Send + Sync>;

/// Publishes messages inside the application's own transactions.
///
/// One value serves every database and every table of a service; keep it in the application's state. A
/// clone is cheap and shares everything.
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use outbox_core::Message;
/// use outbox_sqlx::{Outbox, OutboxError};
///
/// let pool = outbox_sqlx::sqlite::open("sqlite::memory:").await?;
/// outbox_sqlx::migrate(&pool).await?;
/// let outbox = Outbox::new();
///
/// let mut tx = outbox.begin(&pool).await?;
/// // … the business rows, in this same transaction …
/// let order = Message::builder("orders.placed").key("order-7").json(&990)?;
/// let id = outbox.publish(&mut tx, order).await?;
/// tx.commit().await.map_err(OutboxError::from_commit)?;
/// outbox.wake();
/// # let _ = id;
/// # Ok::<(), OutboxError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A pool is refused by the compiler, because it would commit the message apart from the business rows.
/// The error of a failed publish must not be swallowed: on SQLite the transaction could still be committed
/// without its message. [`Outbox::transaction`] makes that impossible.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    store: SqlStore,
    wake: Wake,
    /// Names the span that creates a message to those who handle it.
    trace: Option<TraceSource>,
    /// Tells relays in other processes.
    #[cfg(feature = "postgres")]
    notifier: Option<crate::postgres::Notifier>,
}

impl Outbox {
    /// An outbox with the default [`Limits`] and a [`Wake`] of its own.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// An outbox to be configured.
    pub fn builder() -> OutboxBuilder {
        OutboxBuilder::default()
    }

    /// Writes one message as part of `tx`: it will be delivered if and only if `tx` commits.
    ///
    /// Messages of one topic and key are delivered in the order they were inserted. That is the order of
    /// their commits when the key's writers are serialised before they publish: lock the aggregate's row
    /// first, then publish. Writers without a row to lock use [`Outbox::publish_ordered`].
    ///
    /// # Errors
    /// The message is out of bounds (nothing was written), `tx` is a connection outside of a transaction,
    /// or the database refused. After an error the transaction must be rolled back.
    pub fn publish<'a, Tx>(
        &'a self,
        tx: &'a mut Tx,
        message: impl IntoMessage,
    ) -> impl Future<Output = Result<MessageId, OutboxError>> + Send
    where
        Tx: ?Sized + Send,
        SqlStore: Enqueue<Tx, Error = OutboxError>,
    {
        self.write_one(tx, message.into_message(), Order::Inserted)
    }

    /// Like [`Outbox::publish`], and locks the message's key to the end of the transaction, so that the
    /// order of the key's messages is the order of their commits.
    ///
    /// Postgres: an advisory lock that other ordered publishes of this key wait for. SQLite: nothing more
    /// than [`Outbox::publish`], because it has one writer at a time.
    ///
    /// # Errors
    /// As for [`Outbox::publish`].
    pub fn publish_ordered<'a, Tx>(
        &'a self,
        tx: &'a mut Tx,
        message: impl IntoMessage,
    ) -> impl Future<Output = Result<MessageId, OutboxError>> + Send
    where
        Tx: ?Sized + Send,
        SqlStore: Enqueue<Tx, Error = OutboxError>,
    {
        self.write_one(tx, message.into_message(), Order::KeyLocked)
    }

    /// Writes many messages in few statements, all of them or none, in their order. At most
    /// [`Limits::BATCH_MESSAGES`].
    ///
    /// # Errors
    /// As for [`Outbox::publish`]. When one message is out of bounds, none was written.
    pub fn publish_all<'a, Tx, M>(
        &'a self,
        tx: &'a mut Tx,
        messages: impl IntoIterator<Item = M>,
    ) -> impl Future<Output = Result<Vec<MessageId>, OutboxError>> + Send
    where
        Tx: ?Sized + Send,
        M: IntoMessage,
        SqlStore: Enqueue<Tx, Error = OutboxError>,
    {
        self.write_all(tx, collect(messages), Order::Inserted)
    }

    /// Like [`Outbox::publish_all`], with the keys locked as [`Outbox::publish_ordered`] does: all at
    /// once, in one sorted order.
    ///
    /// A transaction that calls this (or the ordered publish) several times takes its locks in several
    /// steps, and then two transactions can deadlock; the database ends one of them with an error that is
    /// [retryable](OutboxError::is_retryable).
    ///
    /// # Errors
    /// As for [`Outbox::publish_all`].
    pub fn publish_all_ordered<'a, Tx, M>(
        &'a self,
        tx: &'a mut Tx,
        messages: impl IntoIterator<Item = M>,
    ) -> impl Future<Output = Result<Vec<MessageId>, OutboxError>> + Send
    where
        Tx: ?Sized + Send,
        M: IntoMessage,
        SqlStore: Enqueue<Tx, Error = OutboxError>,
    {
        self.write_all(tx, collect(messages), Order::KeyLocked)
    }

    /// Begins a transaction. Safe to drop at any time, which sqlx 0.9.0's own `pool.begin()` is not:
    /// cancelled after its second poll it leaves a connection of the pool inside a transaction, and later
    /// statements through the pool are lost.
    ///
    /// SQLite: `BEGIN IMMEDIATE`, because a transaction that reads first and writes later is refused at
    /// once, whatever the busy timeout, when somebody else wrote in between.
    ///
    /// # Errors
    /// The pool has no connection to give, or the database refused. SQLite: [`OutboxError::MemoryPool`].
    pub async fn begin<DB: OutboxDatabase>(
        &self,
        pool: &Pool<DB>,
    ) -> Result<Transaction<'static, DB>, OutboxError> {
        Ok(DB::begin(pool).await?)
    }

    /// Runs `body` inside a transaction, which is committed only when `body` returned Ok, no publish in it
    /// failed or was cancelled, and no statement whose error was swallowed had made the database give it
    /// up. Then the relay is woken.
    ///
    /// Dropping the future rolls back; dropping it (or losing the connection) during the commit leaves the
    /// outcome unknown.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use outbox_core::Message;
    /// # use outbox_sqlx::{Outbox, OutboxError};
    /// # let pool = outbox_sqlx::sqlite::open("sqlite::memory:").await?;
    /// # outbox_sqlx::migrate(&pool).await?;
    /// # let outbox = Outbox::new();
    /// let id = outbox
    ///     .transaction(&pool, async |tx| {
    ///         // … sqlx::query("INSERT INTO orders …").execute(&mut **tx).await? …
    ///         outbox.publish(tx, Message::builder("orders.placed").json(&990)?).await
    ///     })
    ///     .await?;
    /// # let _ = id;
    /// # Ok::<(), OutboxError>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What `body` returned; else the error of a publish that failed inside, though `body` swallowed it;
    /// else [`OutboxError::TransactionAborted`]; all these were rolled back.
    /// [`OutboxError::CommitUnknown`] when COMMIT was not answered.
    pub async fn transaction<DB, T, E, F>(&self, pool: &Pool<DB>, body: F) -> Result<T, E>
    where
        DB: OutboxDatabase,
        F: AsyncFnOnce(&mut ScopedTransaction<DB>) -> Result<T, E>,
        E: From<OutboxError>,
    {
        let failed = |error| E::from(OutboxError::from(error));
        let ended = transaction_scope::scope_with(DB::begin(pool), failed, body).await;
        // Also when the outcome is unknown, and when it was rolled back: looking once too often is harmless.
        self.wake();
        ended
    }

    /// Tells the relays that something was committed, so that they read at once. Never needed: a relay
    /// that hears nothing polls.
    pub fn wake(&self) {
        self.shared.wake.wake();
        self.notify();
    }

    /// The signal that a relay in this process listens to.
    pub fn waker(&self) -> Wake {
        self.shared.wake.clone()
    }

    fn notify(&self) {
        #[cfg(feature = "postgres")]
        if let Some(notifier) = &self.shared.notifier {
            notifier.signal();
        }
    }

    async fn write_one<Tx>(
        &self,
        tx: &mut Tx,
        message: Result<Message, MessageError>,
        order: Order,
    ) -> Result<MessageId, OutboxError>
    where
        Tx: ?Sized + Send,
        SqlStore: Enqueue<Tx, Error = OutboxError>,
    {
        let attempt = Attempt::start();
        let written: Result<_, OutboxError> = async {
            let mut message = message?;
            let span = tracing::info_span!(
                "create",
                otel.name = %format_args!("create {}", message.topic()),
                otel.kind = "producer",
                messaging.operation.name = "create",
                messaging.destination.name = message.topic(),
                messaging.message.id = %message.id(),
            );
            self.add_trace(&span, slice::from_mut(&mut message));
            self.shared
                .store
                .enqueue(tx, slice::from_ref(&message), order)
                .instrument(span)
                .await?;
            Ok(message.id())
        }
        .await;
        let id = attempt.finish(written)?;
        self.arm();
        Ok(id)
    }

    async fn write_all<Tx>(
        &self,
        tx: &mut Tx,
        messages: Result<Vec<Message>, MessageError>,
        order: Order,
    ) -> Result<Vec<MessageId>, OutboxError>
    where
        Tx: ?Sized + Send,
        SqlStore: Enqueue<Tx, Error = OutboxError>,
    {
        let attempt = Attempt::start();
        let written: Result<_, OutboxError> = async {
            let mut messages = messages?;
            if messages.is_empty() {
                return Ok(Vec::new());
            }
            let span = tracing::info_span!(
                "create",
                otel.name = "create batch",
                otel.kind = "producer",
                messaging.operation.name = "create",
                messaging.batch.message_count = messages.len(),
            );
            self.add_trace(&span, &mut messages);
            self.shared
                .store
                .enqueue(tx, &messages, order)
                .instrument(span)
                .await?;
            Ok(messages.iter().map(Message::id).collect())
        }
        .await;
        let ids: Vec<_> = attempt.finish(written)?;
        if !ids.is_empty() {
            self.arm();
        }
        Ok(ids)
    }

    /// A message that already says which trace it belongs to keeps it: whoever forwards one is not its creator.
    fn add_trace(&self, span: &tracing::Span, messages: &mut [Message]) {
        let Some(source) = &self.shared.trace else { return };
        let Some(trace) = span.in_scope(|| source()) else {
            return;
        };
        for message in messages {
            if message.headers().get(Headers::TRACEPARENT).is_none() {
                trace.write_to(message.headers_mut());
            }
        }
    }

    /// Something was written that may be committed soon.
    fn arm(&self) {
        self.shared.wake.arm();
        self.notify();
    }
}

/// For guards and other code that is generic over what publishes. As [`Outbox::publish_all`], with the order that is asked
/// for.
impl<Tx> Enqueue<Tx> for Outbox
where
    Tx: ?Sized + Send,
    SqlStore: Enqueue<Tx, Error = OutboxError>,
{
    type Error = OutboxError;

    async fn enqueue(&self, tx: &mut Tx, messages: &[Message], order: Order) -> Result<(), OutboxError> {
        self.write_all(tx, Ok(messages.to_vec()), order).await.map(drop)
    }

    fn committed(&self) {
        self.wake();
    }
}

/// At most one more than are allowed, so that a stream without end is refused too.
fn collect<M: IntoMessage>(messages: impl IntoIterator<Item = M>) -> Result<Vec<Message>, MessageError> {
    messages
        .into_iter()
        .take(Limits::BATCH_MESSAGES + 1)
        .map(IntoMessage::into_message)
        .collect()
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("store", &self.shared.store)
            .finish_non_exhaustive()
    }
}

/// Builds an [`Outbox`].
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct OutboxBuilder {
    limits: Limits,
    wake: Wake,
    trace: Option<TraceSource>,
    #[cfg(feature = "postgres")]
    notifier: Option<crate::postgres::Notifier>,
}

impl OutboxBuilder {
    /// What a message may weigh. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The signal to a relay in this process. Default: one of its own, see [`Outbox::waker`].
    pub fn wake(mut self, wake: Wake) -> Self {
        self.wake = wake;
        self
    }

    /// Asked at each publish, inside of the span that creates the message, for that span's W3C trace
    /// context; it is stored with messages that have none. Default: none is stored.
    pub fn trace_context(
        mut self,
        source: impl Fn() -> Option<TraceContext> + Send + Sync + 'static,
    ) -> Self {
        self.trace = Some(Arc::new(source));
        self
    }

    /// Tells relays in other processes, at most once in a few milliseconds and never from inside a
    /// business transaction. Default: they poll.
    #[cfg(feature = "postgres")]
    pub fn notifier(mut self, notifier: crate::postgres::Notifier) -> Self {
        self.notifier = Some(notifier);
        self
    }

    /// The outbox.
    pub fn build(self) -> Outbox {
        Outbox {
            shared: Arc::new(Shared {
                store: SqlStore::new(self.limits),
                wake: self.wake,
                trace: self.trace,
                #[cfg(feature = "postgres")]
                notifier: self.notifier,
            }),
        }
    }
}

impl fmt::Debug for OutboxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxBuilder")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
