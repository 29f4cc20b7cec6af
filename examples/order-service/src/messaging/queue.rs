//! What messages travel through: the durable queue in the service's own database, a queue in memory, or a message broker.
//! A service of your own has one of the three, and uses it directly.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use outbox_brokers::{Broker, Ordering};
use outbox_core::memory::MemoryQueue;
use outbox_core::{Publisher, Subscriber};
use outbox_sqlx::queue::{QueueDatabase, QueueError, SqlQueue};
use serde::{Serialize, Serializer};
use sqlx::Pool;
use tokio::time::timeout;

use crate::database::Database;

/// How long a handler may take. Shorter than three quarters of the lease, so that it ends before somebody else may get
/// the message.
pub const HANDLER_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a killed process keeps its part of the durable queue from others, and from its own next start.
const LEASE: Duration = Duration::from_secs(6);
/// How many messages a member of a group reads ahead. What was in the hands of a process that died is handled one at a time
/// by the next one, in case it was what killed it, so this is kept small.
const PREFETCH: usize = 64;
/// Queues of a topic that nobody listens to yet: as many members of a group could share it.
const OPTIONAL_QUEUES: u32 = 8;

/// Which queue there is to be.
#[derive(Clone, PartialEq, Eq)]
pub enum QueueKind {
    /// The durable queue, in the database of the orders.
    Database,
    /// A queue that is forgotten with the process.
    Memory,
    /// A message broker, at this URL. It may hold a password.
    Broker(String),
}

impl QueueKind {
    /// Reads what was said on the command line.
    ///
    /// # Errors
    /// It is none of the three; says what it may be, and not what it was, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "database" => Ok(Self::Database),
            "memory" => Ok(Self::Memory),
            url if url.contains("://") => Ok(Self::Broker(url.to_owned())),
            _ => Err("must be database, memory or the URL of a broker, such as nats://localhost".to_owned()),
        }
    }

    /// The same with names of their own for everything in a broker, unless the URL names some.
    pub fn under(self, prefix: &str) -> Self {
        match self {
            Self::Broker(url) if !url.contains("prefix=") => {
                let sign = if url.contains('?') { '&' } else { '?' };
                Self::Broker(format!("{url}{sign}prefix={prefix}"))
            }
            other => other,
        }
    }

    /// The whole of it, for another process.
    pub fn argument(&self) -> &str {
        match self {
            Self::Database => "database",
            Self::Memory => "memory",
            Self::Broker(url) => url,
        }
    }
}

/// Without what a URL may hold: its scheme says which broker.
impl fmt::Display for QueueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Broker(url) => url.split("://").next().unwrap_or_default(),
            other => other.argument(),
        })
    }
}

impl fmt::Debug for QueueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for QueueKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A queue. Clones are handles of the same one.
#[derive(Debug, Clone)]
pub enum Queue {
    /// In the database.
    Database(SqlQueue),
    /// In this process.
    Memory(MemoryQueue),
    /// Elsewhere.
    Broker(Arc<dyn Broker>),
}

impl Queue {
    /// The queue of this kind, in `database` if it is in one.
    ///
    /// # Errors
    /// A setting that can't be, or a broker that can't be reached.
    pub async fn new(kind: &QueueKind, database: &Database) -> anyhow::Result<Self> {
        Ok(match kind {
            QueueKind::Database => Self::Database(database.queue()?),
            QueueKind::Memory => Self::Memory(MemoryQueue::new()),
            QueueKind::Broker(url) => Self::Broker(outbox_brokers::connect(url).await?),
        })
    }

    /// What the relay delivers to.
    pub fn publisher(&self) -> Arc<dyn Publisher> {
        match self {
            Self::Database(queue) => Arc::new(queue.publisher()),
            Self::Memory(queue) => Arc::new(queue.publisher()),
            Self::Broker(broker) => broker.publisher(),
        }
    }

    /// What a consumer of `group` receives from.
    ///
    /// # Errors
    /// The database can't be reached, or the queue is closed.
    pub async fn subscribe(
        &self,
        group: &'static str,
        topics: &[&'static str],
    ) -> anyhow::Result<Box<dyn Subscriber>> {
        Ok(match self {
            Self::Database(queue) => Box::new(queue.subscribe(group, topics.iter().copied()).await?),
            Self::Memory(queue) => Box::new(queue.subscribe(group, topics.iter().copied())?),
            Self::Broker(broker) => broker.subscribe(group, topics, Ordering::PerKey).await?,
        })
    }

    /// Prepares for a topic that only `group` hears, which may never come. In the database its messages lie on the disk
    /// until retention removes them; in memory they would be kept for the first group until the memory is full, unless the
    /// topic says so. A broker may refuse what nobody hears, so the group is made there: its messages wait for it.
    ///
    /// # Errors
    /// The topic is there already, and other than that; or the broker can't be reached.
    pub async fn expect_no_group(&self, topic: &'static str, group: &'static str) -> anyhow::Result<()> {
        match self {
            Self::Database(_) => {}
            Self::Memory(queue) => queue.declare_optional_topic(topic, OPTIONAL_QUEUES)?,
            Self::Broker(broker) => {
                let mut member = broker.subscribe(group, &[topic], Ordering::PerKey).await?;
                member.close().await?;
            }
        }
        Ok(())
    }

    /// Waits until this process may end without a loss, at most so long, and returns whether it may. What is in memory
    /// has to be handled by `groups` first; what is elsewhere is handled by another process or after the next
    /// start.
    pub async fn safe_to_leave(&self, groups: &[&str], limit: Duration) -> bool {
        match self {
            Self::Database(_) | Self::Broker(_) => true,
            Self::Memory(queue) => {
                let idle = async {
                    for group in groups {
                        queue.wait_idle(group).await;
                    }
                };
                timeout(limit, idle).await.is_ok()
            }
        }
    }
}

/// The durable queue in the database of `pool`.
pub(crate) fn durable<DB: QueueDatabase>(pool: Pool<DB>) -> Result<SqlQueue, QueueError> {
    SqlQueue::builder(pool)
        .lease(LEASE)
        .prefetch_rows(PREFETCH)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_broker_and_shows_no_password() {
        let kind = QueueKind::parse("nats://user:s3cret@localhost?queues=4").unwrap();
        assert_eq!(kind.to_string(), "nats");
        assert_eq!(format!("{kind:?}"), "nats");
        let own = kind.under("demo-1");
        assert_eq!(
            own.argument(),
            "nats://user:s3cret@localhost?queues=4&prefix=demo-1"
        );
        assert_eq!(own.clone().under("demo-2"), own);
        let error = QueueKind::parse("kafka").unwrap_err();
        assert!(error.contains("database, memory or the URL"), "{error}");
    }
}
