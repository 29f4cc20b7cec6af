//! The durable queue: topics, queues, consumer groups, retries and dead letters in the SQL database, with no broker.
//!
//! * A **topic** has some queues (8, or as declared). A key always lands in the same one; messages without a key are
//!   spread. Offsets in a queue are dense and follow the commits of what was appended.
//! * Every **consumer group** sees every message once. Its members, in however many processes, share the queues fairly;
//!   a queue has one member at a time, under a lease. A member that joins gets its share once what is in flight is
//!   finished; one that leaves frees its own at once, and one that dies, when its lease runs out.
//! * **Order**: of a key one message at a time, in the order of the offsets. One that failed moves to the group's retries
//!   with a copy of its content, later ones of its key wait behind it, and nothing else does.
//! * **Delayed** messages get their offset, and with it their place in their key's order, when they are due.
//! * **Dead letters** are kept per group with their error, and can be put back to their old places.
//! * A message that **kills its process** reports no failure. So deaths are counted: after the first one over a
//!   queue few of its messages are out at a time, and from the second one on those one by one, with the attempt counted before.
//! * **Half messages** are invisible until they are committed; see [`SqlQueue::half_messages`].
//! * **Retention** removes what is old *and* behind every group; see [`SqlQueue::purge`].
//! * A topic can **grow**: each new queue takes over a part of one older queue's keys, and a group reads it only once it
//!   has come to that point in the older one, so no key loses its order. (It is linear hashing: with twice the number of
//!   queues the keys are spread evenly again, in between those not split yet have more.)
//!
//! Delivery is at least once: after a crash or a lost lease, what was not written down comes again. The outcomes of a
//! former owner are refused.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use outbox_core::{Message, Publisher, Subscriber};
//! use outbox_sqlx::queue::SqlQueue;
//!
//! let pool = outbox_sqlx::sqlite::open("sqlite::memory:").await?;
//! outbox_sqlx::migrate(&pool).await?;
//!
//! let queue = SqlQueue::new(pool);
//! let mut subscriber = queue.subscribe("shipping", ["orders.placed"]).await?;
//!
//! let message = Message::builder("orders.placed").key("order-7").json(&7)?.build()?;
//! for answer in queue.publisher().publish(&[message]).await {
//!     answer?;
//! }
//!
//! for delivery in subscriber.receive(10).await? {
//!     assert_eq!(delivery.message().key(), Some("order-7"));
//!     delivery.ack().await?;
//! }
//! subscriber.close().await?;
//! assert_eq!(queue.group("shipping").await?.backlog(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// In reading order: one queue as its owner sees it (`owned`), the task of a member (`member`), what it does with the
// database (`members`, `load`, `read`, `settle`, `split`, `promote`), appending (`topics`, `append`, `publisher`),
// half messages (`half`), what operators do (`groups`, `places`, `dead`, `retention`), and what differs between databases (`database`, `statement`).
mod append;
mod backend;
mod config;
mod database;
pub(crate) mod dead;
mod error;
pub(crate) mod groups;
mod half;
mod load;
mod member;
mod members;
#[cfg(feature = "mysql")]
mod mysql;
mod owned;
mod places;
#[cfg(feature = "postgres")]
mod postgres;
mod promote;
mod publisher;
mod read;
mod retention;
mod settle;
mod split;
#[cfg(feature = "sqlite")]
mod sqlite;
pub(crate) mod statement;
mod subscriber;
mod topics;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use outbox_core::group::Start;
use outbox_core::half::{HalfMessages, HalfStore};
use outbox_core::{Limits, Message, MessageId};
use sqlx::Pool;

pub use database::QueueDatabase;
pub use dead::{GroupDeadFilter, GroupDeadLetter, Place};
pub use error::QueueError;
pub use groups::GroupInfo;
pub use half::{LocalRecordError, SqlLocalRecord};
pub use publisher::SqlPublisher;
pub use retention::QueuePurged;
pub use subscriber::SqlSubscriber;
pub use topics::TopicInfo;

use backend::{Backend, QueueBackend};
use config::Config;
use publisher::Appender;

/// A queue in a SQL database; see the [module](self). Clones are handles of the same queue.
///
/// Publishing and what operators do goes through the pool. Each subscriber on Postgres and MySQL has one connection of its
/// own, on Postgres named `outbox-consumer`; on SQLite it lends one of the pool for each call.
#[derive(Clone)]
pub struct SqlQueue {
    backend: Arc<dyn QueueBackend>,
    appender: Arc<dyn Appender>,
    half: Arc<dyn HalfStore>,
}

impl SqlQueue {
    /// The queue in this database (a `PgPool`, a `MySqlPool` for MySQL and MariaDB, or a `SqlitePool`), with the defaults of
    /// [`SqlQueue::builder`]. Its tables are made by [`migrate`](crate::migrate).
    pub fn new<DB: QueueDatabase>(pool: Pool<DB>) -> Self {
        Self::with_config(pool, Config::new())
    }

    /// Sets how many queues a topic has, leases, and how much is read ahead.
    pub fn builder<DB: QueueDatabase>(pool: Pool<DB>) -> SqlQueueBuilder<DB> {
        SqlQueueBuilder {
            pool,
            config: Config::new(),
        }
    }

    fn with_config<DB: QueueDatabase>(pool: Pool<DB>, config: Config) -> Self {
        let backend = Arc::new(Backend::new(pool, config));
        Self {
            backend: Arc::clone(&backend) as Arc<dyn QueueBackend>,
            appender: Arc::clone(&backend) as Arc<dyn Appender>,
            half: backend,
        }
    }

    /// What a relay delivers to.
    pub fn publisher(&self) -> SqlPublisher {
        SqlPublisher::new(Arc::clone(&self.appender))
    }

    /// Half messages of this queue: prepared, and invisible to consumers until they are committed; see
    /// [`outbox_core::half`]. One that is committed is appended by the same transaction that ends it.
    pub fn half_messages(&self) -> HalfMessages {
        HalfMessages::new(Arc::clone(&self.half))
    }

    /// Declares a topic with so many queues: the number of members of a group that can share it. Declaring it again with
    /// the same number changes nothing. A topic that is not declared is made when it is first used.
    ///
    /// # Errors
    /// The name or the number can't be, the topic is there with another number, or the database can't be reached.
    pub async fn declare_topic(
        &self,
        topic: impl Into<Arc<str>> + Send,
        queues: u32,
    ) -> Result<(), QueueError> {
        self.backend.declare(&topic.into(), queues).await
    }

    /// Gives a topic more queues, so that more members can share it. Keys keep their order; what has to be done for that
    /// is told at the [module](self). With as many queues as it has, nothing is changed.
    ///
    /// # Errors
    /// There is no such topic, it has more queues already, or the database can't be reached.
    pub async fn grow_topic(&self, topic: impl Into<Arc<str>> + Send, queues: u32) -> Result<(), QueueError> {
        self.backend.grow(&topic.into(), queues).await
    }

    /// Says how long messages of a topic are kept at least, read or not; `None`: as long as [`SqlQueue::purge`] is told.
    ///
    /// # Errors
    /// There is no such topic, or the database can't be reached.
    pub async fn set_retention(&self, topic: &str, keep: Option<Duration>) -> Result<(), QueueError> {
        self.backend.set_retention(topic, keep).await
    }

    /// All topics, by name.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn topics(&self) -> Result<Vec<TopicInfo>, QueueError> {
        self.backend.topics().await
    }

    /// Joins `group` as a new member for these topics; a group that is new to a topic gets all of its messages that are
    /// still kept ([`Start::Beginning`]). Topics that are not there are made.
    ///
    /// # Errors
    /// The group has no name, there is no topic, or the database can't be reached.
    pub async fn subscribe<T: Into<Arc<str>>>(
        &self,
        group: impl Into<Arc<str>> + Send,
        topics: impl IntoIterator<Item = T> + Send,
    ) -> Result<SqlSubscriber, QueueError> {
        self.subscribe_from(Start::Beginning, group, topics).await
    }

    /// As [`SqlQueue::subscribe`], and says where a group begins that is new to a topic. A group that is known goes on
    /// where it is.
    ///
    /// # Errors
    /// As [`SqlQueue::subscribe`].
    pub async fn subscribe_from<T: Into<Arc<str>>>(
        &self,
        start: Start,
        group: impl Into<Arc<str>> + Send,
        topics: impl IntoIterator<Item = T> + Send,
    ) -> Result<SqlSubscriber, QueueError> {
        let mut topics: Vec<Arc<str>> = topics.into_iter().map(Into::into).collect();
        topics.sort_unstable();
        topics.dedup();
        self.backend.subscribe(group.into(), topics, start).await
    }

    /// All groups and what they have still to do, by name.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn groups(&self) -> Result<Vec<GroupInfo>, QueueError> {
        self.backend.groups(None).await
    }

    /// One group and what it has still to do.
    ///
    /// # Errors
    /// There is no such group, or the database can't be reached.
    pub async fn group(&self, group: &str) -> Result<GroupInfo, QueueError> {
        let mut found = self.backend.groups(Some(group)).await?;
        found.pop().ok_or_else(|| QueueError::UnknownGroup {
            group: group.to_owned(),
        })
    }

    /// Nothing more is handed out to the group, in any process, from at most a second later on. What is in flight is
    /// finished.
    ///
    /// # Errors
    /// There is no such group, or the database can't be reached.
    pub async fn pause(&self, group: &str) -> Result<(), QueueError> {
        self.backend.pause(group, true).await
    }

    /// Lets a paused group go on.
    ///
    /// # Errors
    /// There is no such group, or the database can't be reached.
    pub async fn resume(&self, group: &str) -> Result<(), QueueError> {
        self.backend.pause(group, false).await
    }

    /// Moves the group's place in a topic. What is below it counts as finished, all from there on comes, or comes again;
    /// its retries in the topic are forgotten, its dead letters stay. Deliveries in flight are fenced: their outcomes
    /// count for nothing.
    ///
    /// # Errors
    /// There is no such group or topic, the group does not subscribe to it, or the database can't be reached.
    pub async fn seek(
        &self,
        group: &str,
        topic: impl Into<Arc<str>> + Send,
        to: Start,
    ) -> Result<(), QueueError> {
        self.backend.seek(group, &topic.into(), to).await
    }

    /// Forgets that the group ever subscribed to a topic, with its places, retries and dead letters there, so that it no
    /// longer keeps the topic's messages. For when a service stopped subscribing to it; a member that still does gets
    /// nothing more of it. Whether it was subscribed.
    ///
    /// # Errors
    /// There is no such group or topic, or the database can't be reached.
    pub async fn unsubscribe(
        &self,
        group: &str,
        topic: impl Into<Arc<str>> + Send,
    ) -> Result<bool, QueueError> {
        self.backend.unsubscribe(group, &topic.into()).await
    }

    /// Removes a group with its retries and dead letters: its members are closed, and messages are no longer kept for it.
    /// Whether there was one.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn remove_group(&self, group: &str) -> Result<bool, QueueError> {
        self.backend.remove_group(group).await
    }

    /// At most `limit` dead letters of the group, by their places. The next page is had with
    /// [`GroupDeadFilter::after`].
    ///
    /// # Errors
    /// There is no such group, or the database can't be reached.
    pub async fn dead_letters(
        &self,
        group: &str,
        filter: &GroupDeadFilter,
        limit: u32,
    ) -> Result<Vec<GroupDeadLetter>, QueueError> {
        self.backend.dead_letters(group, filter, limit).await
    }

    /// The message of a dead letter, with payload and headers; `None` when it isn't there any more.
    ///
    /// # Errors
    /// There is no such group, or the database can't be reached.
    pub async fn dead_message(
        &self,
        group: &str,
        letter: &GroupDeadLetter,
    ) -> Result<Option<Message>, QueueError> {
        self.backend.dead_message(group, letter).await
    }

    /// Puts the dead letters of a message back to their old place in their key's order, with their attempts forgotten.
    /// Returns how many there were: more than one if it was published twice. `by` is who did it, for the audit.
    ///
    /// The module [`dead_letters`](crate::dead_letters) does more: by error and age, at a rate, with those of the outbox.
    ///
    /// # Errors
    /// Nobody is named, there is no such group, or the database can't be reached.
    pub async fn redrive(&self, group: &str, message: MessageId, by: &str) -> Result<u64, QueueError> {
        self.backend.redrive(group, message, by).await
    }

    /// As [`SqlQueue::redrive`], all dead letters that the filter finds and that were dead when it began; those of one key
    /// come in their old order. Some hundreds go in one transaction, and `progress` is told how many so far after each.
    ///
    /// # Errors
    /// Nobody is named, there is no such group, or the database can't be reached; those before that are redriven.
    pub async fn redrive_all(
        &self,
        group: &str,
        filter: &GroupDeadFilter,
        by: &str,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<u64, QueueError> {
        self.backend.redrive_all(group, filter, by, &mut progress).await
    }

    /// Throws the dead letters of a message away. Returns how many there were. Who did it and why stays in the audit.
    ///
    /// # Errors
    /// There is no reason or nobody is named, there is no such group, or the database can't be reached.
    pub async fn discard(
        &self,
        group: &str,
        message: MessageId,
        reason: &str,
        by: &str,
    ) -> Result<u64, QueueError> {
        self.backend.discard(group, message, reason, by).await
    }

    /// Removes messages that are older than their topic's retention, or than `keep` where it has none, and that every
    /// group has gone past. A group that is never going to read them keeps them for ever: it is named in the answer, and
    /// [`SqlQueue::remove_group`] is what to do about it. Some hundreds go in one transaction, and `progress` is told
    /// how many so far after each; dropping it is safe at any time.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn purge(
        &self,
        keep: Duration,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<QueuePurged, QueueError> {
        self.backend.purge(keep, &mut progress).await
    }
}

impl fmt::Debug for SqlQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlQueue").finish_non_exhaustive()
    }
}

/// Sets up a [`SqlQueue`].
#[must_use = "a builder does nothing until it is built"]
pub struct SqlQueueBuilder<DB: QueueDatabase> {
    pool: Pool<DB>,
    config: Config,
}

impl<DB: QueueDatabase> SqlQueueBuilder<DB> {
    /// How many queues a topic has that is not declared. Default: 8; 1 to 1,024.
    pub fn queues_per_topic(mut self, queues: u32) -> Self {
        self.config.queues_per_topic = queues;
        self
    }

    /// How long a member's queues stay its own when nothing is heard of it: what a killed process keeps others waiting. A
    /// handler's timeout must be shorter than three quarters of it, which is what is always left of it when a message is
    /// handed out. Default: 45 seconds; 100 ms to 24 hours.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.config.lease = lease;
        self
    }

    /// How long a member waits at most before it looks for messages of other processes, after a silence. Default: 150 ms.
    pub fn idle_poll(mut self, interval: Duration) -> Self {
        self.config.idle_poll = interval;
        self
    }

    /// How long acks wait to be written down together: what comes again of handled messages after a crash. Default: 10 ms;
    /// at most a quarter of the lease.
    pub fn ack_interval(mut self, interval: Duration) -> Self {
        self.config.ack_interval = interval;
        self
    }

    /// How many messages a member reads ahead at most. Default: 2,048.
    pub fn prefetch_rows(mut self, messages: usize) -> Self {
        self.config.prefetch_rows = messages;
        self
    }

    /// From how many bytes of messages in memory on a member reads no more; one read may go beyond it. Default: 16 MiB.
    pub fn prefetch_bytes(mut self, bytes: usize) -> Self {
        self.config.prefetch_bytes = bytes;
        self
    }

    /// How many messages of one queue may be tried again or wait behind such, for one group. From there on the queue stands
    /// still for the group, and says so. Default: 10,000; at least 2,048.
    pub fn retries_max(mut self, messages: usize) -> Self {
        self.config.retries_max = messages;
        self
    }

    /// What may be published. Default: those of [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Tells members in other processes at once when something is appended, and hears of theirs: on Postgres by
    /// notifications, over two connections of its own. On MySQL and SQLite it does nothing. Default: off; they poll.
    pub fn notifications(mut self, yes: bool) -> Self {
        self.config.notifications = yes;
        self
    }

    /// The queue.
    ///
    /// # Panics
    /// With notifications: outside of a tokio runtime.
    ///
    /// # Errors
    /// The first setting that can't be, by name and with its value.
    pub fn build(self) -> Result<SqlQueue, QueueError> {
        self.config.check()?;
        Ok(SqlQueue::with_config(self.pool, self.config))
    }
}

impl<DB: QueueDatabase> fmt::Debug for SqlQueueBuilder<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlQueueBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
