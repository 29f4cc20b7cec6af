use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use foldhash::HashMap;
use outbox_core::{Capabilities, Due, Message, PublishError, Publisher};
use sqlx::{Connection as _, Pool};

use super::append::{Appended, Delayed, Router};
use super::backend::Backend;
use super::database::QueueDatabase;
use super::error::QueueError;
use super::topics::{self, Topic};
use crate::sql_store::DueMicros;

/// Most messages that one `publish` may bring.
const MAX_BATCH: usize = 1_000;
/// How often a batch is routed anew because a topic has grown in between.
pub(super) const ROUTE_ATTEMPTS: usize = 5;
/// The longest delay that any of the databases can keep.
const MAX_DELAY: Duration = Duration::from_secs(1_000 * 365 * 86_400);

/// The topics that were used, so that a batch is one statement.
#[derive(Debug, Default)]
pub(super) struct TopicCache(RwLock<HashMap<Arc<str>, Arc<Topic>>>);

impl TopicCache {
    fn get(&self, name: &str) -> Option<Arc<Topic>> {
        let topics = self.0.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).cloned()
    }

    fn put(&self, topic: Topic) -> Arc<Topic> {
        let topic = Arc::new(topic);
        let mut topics = self.0.write().unwrap_or_else(PoisonError::into_inner);
        topics.insert(Arc::clone(&topic.name), Arc::clone(&topic));
        topic
    }

    pub(super) fn forget(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Appends to a [`SqlQueue`](super::SqlQueue). Clones append to the same one.
///
/// A batch is appended in one transaction, as a whole and in its order. A message that is out of bounds is refused
/// alone. An unreachable database is [`Unavailable`](outbox_core::PublishErrorKind::Unavailable) for the whole batch,
/// which may have been appended nevertheless.
#[derive(Clone)]
pub struct SqlPublisher {
    appender: Arc<dyn Appender>,
}

/// What a publisher needs of a backend, of whichever database.
#[async_trait]
pub(super) trait Appender: Send + Sync {
    /// Appends all of it, or nothing.
    async fn append(&self, batch: &[&Message]) -> Result<(), QueueError>;

    /// Whether the message may be appended.
    fn check(&self, message: &Message) -> Result<(), String>;

    /// Whether the database can be reached.
    async fn ping(&self) -> Result<(), sqlx::Error>;
}

impl SqlPublisher {
    pub(super) fn new(appender: Arc<dyn Appender>) -> Self {
        Self { appender }
    }
}

#[async_trait]
impl Publisher for SqlPublisher {
    fn name(&self) -> &str {
        "sql"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_max_batch(MAX_BATCH)
            .with_max_in_flight(1)
            .with_atomic_batches(true)
            .with_ordered_retry(true)
            .with_max_delay(Some(MAX_DELAY))
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        if batch.len() > MAX_BATCH {
            let error = PublishError::refused(format!(
                "a batch of {} messages, at most {MAX_BATCH} are allowed",
                batch.len()
            ));
            return vec![Err(error); batch.len()];
        }
        let mut answers: Vec<Result<(), PublishError>> = batch
            .iter()
            .map(|message| self.appender.check(message).map_err(PublishError::invalid))
            .collect();
        let good: Vec<&Message> = batch
            .iter()
            .zip(&answers)
            .filter_map(|(message, answer)| answer.is_ok().then_some(message))
            .collect();
        if good.is_empty() {
            return answers;
        }
        if let Err(error) = self.appender.append(&good).await {
            let error = PublishError::unavailable(error.to_string()).with_source(error);
            for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
                *answer = Err(error.clone());
            }
        }
        answers
    }

    async fn probe(&self) -> Result<(), PublishError> {
        self.appender
            .ping()
            .await
            .map_err(|error| PublishError::unavailable(error.to_string()).with_source(error))
    }
}

impl fmt::Debug for SqlPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlPublisher").finish_non_exhaustive()
    }
}

#[async_trait]
impl<DB: QueueDatabase> Appender for Backend<DB> {
    async fn append(&self, batch: &[&Message]) -> Result<(), QueueError> {
        for _ in 0..ROUTE_ATTEMPTS {
            let topics = self.topics_of(batch).await?;
            if append(&self.pool, &topics, batch).await? {
                self.announce();
                count(batch);
                return Ok(());
            }
            self.topics.forget();
        }
        Err(QueueError::Database {
            doing: "appending (the topic grows all the time)",
            source: Arc::new(sqlx::Error::PoolTimedOut),
        })
    }

    fn check(&self, message: &Message) -> Result<(), String> {
        message
            .check(&self.config.limits)
            .map_err(|error| error.to_string())?;
        DueMicros::of(message.due())
            .map(drop)
            .map_err(|error| error.to_string())
    }

    async fn ping(&self) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        connection.ping().await
    }
}

impl<DB: QueueDatabase> Backend<DB> {
    /// The topics of a batch, made where they are new.
    async fn topics_of(&self, batch: &[&Message]) -> Result<HashMap<Arc<str>, Arc<Topic>>, QueueError> {
        let runs = batch.chunk_by(|a, b| Arc::ptr_eq(a.shared_topic(), b.shared_topic()));
        let names: BTreeSet<&Arc<str>> = runs.filter_map(|run| Some(run.first()?.shared_topic())).collect();
        let mut found = HashMap::default();
        for name in names {
            let topic = match self.topics.get(name) {
                Some(topic) => topic,
                None => self.topics.put(self.topic(name).await?),
            };
            found.insert(Arc::clone(name), topic);
        }
        Ok(found)
    }

    /// The topic, made where it is new.
    pub(super) async fn topic(&self, name: &Arc<str>) -> Result<Topic, QueueError> {
        let mut connection = self
            .pool
            .acquire()
            .await
            .map_err(QueueError::database("connecting"))?;
        let found = topics::find::<DB>(&mut connection, name)
            .await
            .map_err(QueueError::database("looking for a topic"))?;
        drop(connection);
        match found {
            Some(topic) => Ok(topic),
            None => topics::ensure(&self.pool, name, self.config.queues_per_topic).await,
        }
    }
}

/// Appends a batch in one transaction. False when a topic has grown meanwhile; then nothing was appended.
async fn append<DB: QueueDatabase>(
    pool: &Pool<DB>,
    topics: &HashMap<Arc<str>, Arc<Topic>>,
    batch: &[&Message],
) -> Result<bool, QueueError> {
    let routed = Routed::of(topics, batch)?;
    if routed.delayed.is_empty() && DB::APPENDS_ALONE {
        let failed = || QueueError::database("appending");
        let mut connection = pool.acquire().await.map_err(failed())?;
        return DB::append(&mut connection, &routed.appended)
            .await
            .map_err(failed());
    }
    let mut tx = DB::begin_own(pool).await?;
    if !routed.write::<DB>(&mut tx).await? {
        return Ok(false);
    }
    DB::commit(tx).await?;
    Ok(true)
}

/// A batch with each message's queue: what is due now, and what waits.
pub(super) struct Routed<'a> {
    appended: Vec<Appended<'a>>,
    delayed: Vec<Delayed<'a>>,
}

impl<'a> Routed<'a> {
    /// Messages of topics that are not in the list are left out.
    pub(super) fn of(
        topics: &HashMap<Arc<str>, Arc<Topic>>,
        batch: &[&'a Message],
    ) -> Result<Self, QueueError> {
        let mut router = Router::default();
        let mut routed = Self {
            appended: Vec::with_capacity(batch.len()),
            delayed: Vec::new(),
        };
        for &message in batch {
            let Some(topic) = topics.get(message.topic()) else {
                continue;
            };
            let due = DueMicros::of(message.due())?;
            if due.is_now() || is_past(message.due()) {
                routed.appended.extend(router.route(topic, message));
            } else {
                routed.delayed.push(Delayed {
                    topic: topic.id,
                    due,
                    message,
                });
            }
        }
        Ok(routed)
    }

    /// Writes it in the caller's transaction. False when a topic has grown meanwhile; then the transaction must be rolled
    /// back.
    pub(super) async fn write<DB: QueueDatabase>(
        &self,
        connection: &mut DB::Connection,
    ) -> Result<bool, QueueError> {
        let failed = || QueueError::database("appending");
        if !self.appended.is_empty() && !DB::append(connection, &self.appended).await.map_err(failed())? {
            return Ok(false);
        }
        if !self.delayed.is_empty() {
            DB::delay(connection, &self.delayed).await.map_err(failed())?;
        }
        Ok(true)
    }
}

/// Counts what was appended, by topic: most batches are runs of one.
pub(super) fn count(batch: &[&Message]) {
    for run in batch.chunk_by(|a, b| Arc::ptr_eq(a.shared_topic(), b.shared_topic())) {
        if let Some(message) = run.first() {
            metrics::counter!("outbox_queue_appended_total", "topic" => Arc::clone(message.shared_topic()))
                .increment(run.len() as u64);
        }
    }
}

/// Whether a point in time has gone by; whoever appends looks at its own clock, and only to save a detour.
fn is_past(due: Due) -> bool {
    matches!(due, Due::At(time) if time.elapsed().is_ok())
}
