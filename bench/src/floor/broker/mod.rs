//! What the relay's delivery to a broker is compared with: the broker's own client, which has the messages in memory, sends as
//! many at once as our publisher lets out, and waits for each confirmation. The message is the same: payload, headers,
//! properties, and where it goes. And the same client behind the shortest loop that reads an outbox and deletes what was confirmed,
//! without order, retries, leases: what of the difference is the database's.

mod kafka;
mod nats;
mod rabbitmq;
mod redis;
mod rocketmq;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use outbox_core::{Capabilities, Message};
use tokio::task::JoinSet;

use super::drain::{self, BareLoop};
use crate::database::Database;

pub(crate) use kafka::Kafka;
pub(crate) use nats::Nats;
pub(crate) use rabbitmq::RabbitMq;
pub(crate) use redis::Redis;
pub(crate) use rocketmq::RocketMq;

/// As ours places them: eight queues of a topic.
const QUEUES: u32 = 8;

/// A broker's client.
#[async_trait]
pub(crate) trait Client: Send + Sync + 'static {
    /// Sends all, and waits until each is confirmed.
    async fn publish(&self, messages: &[Message]) -> Result<()>;
}

/// How long a client takes for all of these, in batches as large and as many at a time as `window` has them.
pub(crate) async fn publish_all(
    client: Arc<dyn Client>,
    messages: &Arc<Vec<Message>>,
    window: Capabilities,
) -> Result<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..window.max_in_flight {
        let (client, messages, next) = (Arc::clone(&client), Arc::clone(messages), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let at = next.fetch_add(window.max_batch, Ordering::Relaxed);
                if at >= messages.len() {
                    return anyhow::Ok(());
                }
                let end = (at + window.max_batch).min(messages.len());
                client.publish(&messages[at..end]).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.context("a task panicked")??;
    }
    Ok(begun.elapsed())
}

/// How long it takes to deliver a whole outbox with it by hand: pages by mark, as many batches at a time, one DELETE for each. The
/// connection is made before.
pub(crate) async fn relay_all(
    client: Arc<dyn Client>,
    database: &Database,
    messages: u64,
    window: Capabilities,
) -> Result<Duration> {
    let bare = drain::open(database, false).await?;
    // A task of its own, as our relay is.
    tokio::spawn(relay(bare, client, messages, window)).await?
}

async fn relay(
    mut bare: Box<dyn BareLoop>,
    client: Arc<dyn Client>,
    messages: u64,
    window: Capabilities,
) -> Result<Duration> {
    let begun = Instant::now();
    let (mut mark, mut deleted, mut read_all) = (0, 0, false);
    let mut publishing: JoinSet<Result<Vec<i64>>> = JoinSet::new();
    loop {
        if !read_all && publishing.len() < window.max_in_flight {
            let mut rows = bare.page(mark).await.context("the bare loop's SELECT")?;
            match rows.last() {
                Some(last) => mark = last.id,
                None => read_all = true,
            }
            while !rows.is_empty() {
                let batch = rows.drain(..window.max_batch.min(rows.len()));
                let (ids, batch): (Vec<i64>, Vec<Message>) = batch.map(|row| (row.id, row.message())).unzip();
                let client = Arc::clone(&client);
                publishing.spawn(async move { client.publish(&batch).await.map(|()| ids) });
            }
            continue;
        }
        let Some(published) = publishing.join_next().await else {
            break;
        };
        let ids = published.context("a task panicked")??;
        bare.delete(&ids).await.context("the bare loop's DELETE")?;
        deleted += ids.len() as u64;
    }
    ensure!(
        deleted == messages,
        "the bare loop found {deleted} messages instead of {messages}"
    );
    Ok(begun.elapsed())
}

/// The queue of a message. The floor has it looked up, as ours has it computed.
fn queue(message: &Message) -> u32 {
    let key = message.key().unwrap_or_default();
    let hash = outbox_core::group::placement::key_hash(key);
    outbox_core::group::placement::queue_of(hash, QUEUES, QUEUES)
}

/// What our headers say of a message: id, key, and when it was made.
fn headers(message: &Message) -> [(&'static str, String); 3] {
    let made = message
        .created_at()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    [
        ("outbox-id", message.id().to_string()),
        ("outbox-key", message.key().unwrap_or_default().to_owned()),
        ("outbox-created-at", made.as_micros().to_string()),
    ]
}
