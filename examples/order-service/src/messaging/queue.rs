//! What messages travel through: the durable queue in the service's own database, or a queue in memory. A service of
//! your own has one of the two, and uses it directly.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use outbox_core::memory::MemoryQueue;
use outbox_core::{Publisher, Subscriber};
use outbox_sqlx::queue::{QueueDatabase, QueueError, SqlQueue};
use serde::Serialize;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum QueueKind {
    /// The durable queue, in the database of the orders
    Database,
    /// A queue that is forgotten with the process
    Memory,
}

impl fmt::Display for QueueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Database => "database",
            Self::Memory => "memory",
        })
    }
}

/// A queue. Clones are handles of the same one.
#[derive(Debug, Clone)]
pub enum Queue {
    /// In the database.
    Database(SqlQueue),
    /// In this process.
    Memory(MemoryQueue),
}

impl Queue {
    /// The queue of this kind, in `database` if it is in one.
    ///
    /// # Errors
    /// A setting that can't be.
    pub fn new(kind: QueueKind, database: &Database) -> Result<Self, QueueError> {
        match kind {
            QueueKind::Database => database.queue().map(Self::Database),
            QueueKind::Memory => Ok(Self::Memory(MemoryQueue::new())),
        }
    }

    /// What the relay delivers to.
    pub fn publisher(&self) -> Arc<dyn Publisher> {
        match self {
            Self::Database(queue) => Arc::new(queue.publisher()),
            Self::Memory(queue) => Arc::new(queue.publisher()),
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
        let topics = topics.iter().copied();
        Ok(match self {
            Self::Database(queue) => Box::new(queue.subscribe(group, topics).await?),
            Self::Memory(queue) => Box::new(queue.subscribe(group, topics)?),
        })
    }

    /// Prepares for a topic without any group. In the database its messages lie on the disk until retention removes
    /// them; in memory they would be kept for the first group until the memory is full, unless the topic says so.
    ///
    /// # Errors
    /// The topic is there already, and other than that.
    pub fn expect_no_group(&self, topic: &'static str) -> anyhow::Result<()> {
        if let Self::Memory(queue) = self {
            queue.declare_optional_topic(topic, OPTIONAL_QUEUES)?;
        }
        Ok(())
    }

    /// Waits until this process may end without a loss, at most so long, and returns whether it may. What is in memory
    /// has to be handled by `groups` first; what is in the database is handled by another process or after the next
    /// start.
    pub async fn safe_to_leave(&self, groups: &[&str], limit: Duration) -> bool {
        match self {
            Self::Database(_) => true,
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
