//! What the tests of this folder share: a publisher whose every acknowledged message is known.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use outbox_core::{Message, MessageId, Publisher};
use outbox_sqlx::queue::SqlQueue;
use outbox_tests::TOPIC;

/// Appends messages to the topic of the workload, each with its place in its key's order as payload.
pub struct Appender {
    queue: SqlQueue,
    seqs: HashMap<String, i64>,
    pub appended: HashSet<MessageId>,
}

impl Appender {
    pub fn new(queue: &SqlQueue) -> Self {
        Self {
            queue: queue.clone(),
            seqs: HashMap::new(),
            appended: HashSet::new(),
        }
    }

    /// Appends one batch, again and again until the queue has taken it.
    pub async fn append(&mut self, keys: impl IntoIterator<Item = String>) {
        let mut batch = Vec::new();
        for key in keys {
            let seq = self.seqs.entry(key.clone()).or_default();
            *seq += 1;
            let message = Message::builder(TOPIC)
                .key(key)
                .payload(seq.to_string(), "text/plain");
            batch.push(message.build().unwrap());
        }
        loop {
            let answers = self.queue.publisher().publish(&batch).await;
            if answers.iter().all(Result::is_ok) {
                break;
            }
            // The server is away: give it a moment.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.appended.extend(batch.iter().map(Message::id));
    }

    /// Appends so many messages of random keys, in batches, with a pause after each.
    pub async fn append_random(
        &mut self,
        random: &mut fastrand::Rng,
        messages: usize,
        keys: u32,
        batch: usize,
        pause: Duration,
    ) {
        let mut left = messages;
        while left > 0 {
            let now = left.min(batch);
            let keys: Vec<String> = (0..now).map(|_| format!("k{}", random.u32(0..keys))).collect();
            self.append(keys).await;
            left -= now;
            tokio::time::sleep(pause).await;
        }
    }
}
