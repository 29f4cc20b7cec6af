//! Each file is one promise of the queue. Time is paused: a wait takes no time, and nothing sleeps to
//! synchronise.

mod bounds;
mod dead;
mod delay;
mod delivery;
mod groups;
mod growth;
mod half;
mod members;
mod model;
mod order;
mod retention;
mod start;

use std::time::Duration;

use futures_util::FutureExt;

use super::{MemoryQueue, MemorySubscriber};
use crate::message::Message;
use crate::publisher::Publisher;
use crate::subscriber::{Delivery, Subscriber};

const TOPIC: &str = "t";
const SECOND: Duration = Duration::from_secs(1);

/// Message `n` of `key`; an empty key is none.
fn message(key: &str, n: u32) -> Message {
    let builder = Message::builder(TOPIC).json(&n).unwrap();
    let builder = if key.is_empty() { builder } else { builder.key(key) };
    builder.build().unwrap()
}

async fn publish(queue: &MemoryQueue, batch: impl IntoIterator<Item = Message>) {
    let batch: Vec<Message> = batch.into_iter().collect();
    for answer in queue.publisher().publish(&batch).await {
        answer.unwrap();
    }
}

fn number(delivery: &Delivery) -> u32 {
    delivery.message().decode_json().unwrap()
}

fn numbers(deliveries: &[Delivery]) -> Vec<u32> {
    deliveries.iter().map(number).collect()
}

fn sorted(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers
}

/// Waits at most a day, which on a paused clock is no time: what never happens fails its test.
async fn within<T>(waited_for: impl Future<Output = T>) -> T {
    let day = Duration::from_secs(24 * 3_600);
    tokio::time::timeout(day, waited_for)
        .await
        .expect("it never happens")
}

/// What can be received now, without waiting.
fn here(subscriber: &mut MemorySubscriber) -> Vec<Delivery> {
    let mut all = Vec::new();
    while let Some(received) = tokio::task::unconstrained(subscriber.receive(1_000)).now_or_never() {
        all.extend(received.unwrap());
    }
    all
}

async fn ack_all(deliveries: Vec<Delivery>) {
    for delivery in deliveries {
        delivery.ack().await.unwrap();
    }
}

/// Receives and acknowledges until nothing is there any more.
async fn handle_all(subscriber: &mut MemorySubscriber) -> Vec<u32> {
    let mut handled = Vec::new();
    loop {
        let received = here(subscriber);
        if received.is_empty() {
            return handled;
        }
        handled.extend(numbers(&received));
        ack_all(received).await;
    }
}
