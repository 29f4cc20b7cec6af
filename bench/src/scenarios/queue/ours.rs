//! Our queue at work: appending, and consuming in two ways. What is timed runs in a task of its own, as on the floor's
//! side.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use outbox_core::consumer::{BatchHandler, Consumer, HandleError};
use outbox_core::{Delivery, Headers, Message, Publisher, Subscriber};
use outbox_sqlx::queue::{QueueDatabase, SqlPublisher, SqlQueue, SqlSubscriber};
use sqlx::Pool;
use tokio_util::sync::CancellationToken;

use super::{BATCH, KEYS, QUEUES};
use crate::clock;
use crate::content::{self, TOPIC};

/// A member that receives nothing for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// A queue with nothing in it, and our topic.
pub(super) async fn queue<DB: QueueDatabase>(pool: &Pool<DB>) -> Result<SqlQueue> {
    let queue = SqlQueue::new(pool.clone());
    queue
        .declare_topic(TOPIC, QUEUES)
        .await
        .context("declaring the topic")?;
    Ok(queue)
}

/// The n-th message.
pub(super) fn message(n: u64, payload: &bytes::Bytes) -> Result<Message> {
    Ok(Message::builder(TOPIC)
        .key(content::key(n % KEYS))
        .payload(payload.clone(), Headers::DEFAULT_CONTENT_TYPE)
        .build()?)
}

/// Messages in batches. They are made outside of what is timed, and dropped after it.
pub(super) fn batches(messages: u64) -> Result<Arc<Vec<Vec<Message>>>> {
    let payload = content::payload(0);
    let mut batches = Vec::new();
    let mut from = 0;
    while from < messages {
        let to = (from + BATCH as u64).min(messages);
        let batch: Result<Vec<Message>> = (from..to).map(|n| message(n, &payload)).collect();
        batches.push(batch?);
        from = to;
    }
    Ok(Arc::new(batches))
}

/// Appends them one batch after the other, and says how long that took.
pub(super) async fn append(publisher: SqlPublisher, batches: Arc<Vec<Vec<Message>>>) -> Result<Duration> {
    let task = tokio::spawn(async move {
        let begun = clock::now();
        for batch in &*batches {
            for answer in publisher.publish(batch).await {
                answer.context("appending")?;
            }
        }
        anyhow::Ok(clock::now() - begun)
    });
    task.await?
}

/// How a group consumed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Consumed {
    /// From when it had subscribed until it had left: it joins, takes its queues, receives and acknowledges everything
    /// and has all of it written down.
    pub(super) took: Duration,
    /// How much of that was before the first message.
    pub(super) first: Duration,
}

/// Receives so many messages and acknowledges each.
pub(super) async fn consume(queue: &SqlQueue, group: &'static str, messages: u64) -> Result<Consumed> {
    let mut subscriber = queue.subscribe(group, [TOPIC]).await?;
    let task = tokio::spawn(async move {
        let begun = clock::now();
        let mut first = None;
        let mut consumed = 0;
        while consumed < messages {
            let deliveries = tokio::time::timeout(STUCK_AFTER, subscriber.receive(BATCH))
                .await
                .with_context(|| format!("{consumed} of {messages} messages were received"))?
                .context("receiving")?;
            first.get_or_insert_with(|| clock::now() - begun);
            consumed += deliveries.len() as u64;
            for delivery in deliveries {
                delivery.ack().await.context("acknowledging")?;
            }
        }
        subscriber.close().await.context("leaving the group")?;
        anyhow::Ok(Consumed {
            took: clock::now() - begun,
            first: first.unwrap_or_default(),
        })
    });
    let consumed = task.await??;
    nothing_left(queue, group).await?;
    Ok(consumed)
}

/// As [`consume`], through the runtime: a batch handler that does nothing but count.
pub(super) async fn consume_by_runtime(
    queue: &SqlQueue,
    group: &'static str,
    messages: u64,
    batch: usize,
) -> Result<Consumed> {
    let subscriber: SqlSubscriber = queue.subscribe(group, [TOPIC]).await?;
    let begun = clock::now();
    let counting = Arc::new(Counting {
        messages,
        seen: AtomicU64::new(0),
        first_nanos: AtomicU64::new(0),
        all: CancellationToken::new(),
    });
    let consumer = Consumer::batch_builder(subscriber, Arc::clone(&counting))
        .batch_messages(batch)
        .build()?;
    let stopped = tokio::spawn(consumer.run(counting.all.clone())).await?;
    let took = clock::now() - begun;
    if stopped.handled != messages {
        bail!("of {messages} messages the consumer says: {stopped}");
    }
    nothing_left(queue, group).await?;
    let first = Duration::from_nanos(counting.first_nanos.load(Ordering::Relaxed));
    Ok(Consumed {
        took,
        first: first.saturating_sub(begun),
    })
}

async fn nothing_left(queue: &SqlQueue, group: &str) -> Result<()> {
    let backlog = queue.group(group).await?.backlog();
    if backlog != 0 {
        bail!("the group {group} has left {backlog} messages");
    }
    Ok(())
}

/// Counts, and stops its consumer after the last message.
struct Counting {
    messages: u64,
    seen: AtomicU64,
    first_nanos: AtomicU64,
    all: CancellationToken,
}

#[async_trait]
impl BatchHandler for Counting {
    async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        let batch = batch.len() as u64;
        let before = self.seen.fetch_add(batch, Ordering::Relaxed);
        if before == 0 {
            self.first_nanos
                .store(clock::now().as_nanos() as u64, Ordering::Relaxed);
        }
        if before + batch >= self.messages {
            self.all.cancel();
        }
        Ok(())
    }
}
