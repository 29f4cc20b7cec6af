//! Each file is one promise of the runtime. Time is paused: a wait takes no time, and nothing sleeps to
//! synchronise.

mod batch;
mod bounds;
mod drain;
mod failures;
mod handling;
mod lease;
mod metrics;
mod order;
mod rate;
mod receiving;
mod scripted;
mod settings;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Consumer, ConsumerBuilder, HandleError, Stopped};
use crate::memory::MemoryQueue;
use crate::message::Message;
use crate::publisher::Publisher;

const TOPIC: &str = "t";
const GROUP: &str = "g";
const SECOND: Duration = Duration::from_secs(1);

/// Message `n` of `key`; an empty key is none.
fn message(key: &str, n: u32) -> Message {
    let builder = Message::builder(TOPIC).json(&n).unwrap();
    let builder = if key.is_empty() { builder } else { builder.key(key) };
    builder.build().unwrap()
}

fn number(message: &Message) -> u32 {
    message.decode_json().unwrap()
}

async fn publish(queue: &MemoryQueue, batch: impl IntoIterator<Item = Message>) {
    let batch: Vec<Message> = batch.into_iter().collect();
    for answer in queue.publisher().publish(&batch).await {
        answer.unwrap();
    }
}

/// What handlers saw, in order.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<u32>>>);

impl Journal {
    fn add(&self, n: u32) {
        self.0.lock().unwrap().push(n);
    }

    fn all(&self) -> Vec<u32> {
        self.0.lock().unwrap().clone()
    }
}

/// A consumer at work.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<Stopped>,
}

impl Running {
    fn start(builder: ConsumerBuilder) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(builder.build().unwrap().run(stop.clone()));
        Self { stop, task }
    }

    async fn stop(self) -> Stopped {
        self.stop.cancel();
        within(self.task).await.unwrap()
    }
}

/// Waits at most a day, which on a paused clock is no time: what never happens fails its test.
async fn within<T>(waited_for: impl Future<Output = T>) -> T {
    let day = Duration::from_secs(24 * 3_600);
    tokio::time::timeout(day, waited_for)
        .await
        .expect("it never happens")
}

/// Waits until the group has finished everything.
async fn idle(queue: &MemoryQueue) {
    within(queue.wait_idle(GROUP)).await;
}

/// Lets every task that can go on do so, without time passing.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
