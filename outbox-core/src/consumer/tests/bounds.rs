use async_trait::async_trait;

use super::*;
use crate::consumer::Handler;
use crate::subscriber::Delivery;

fn hanging(queue: &MemoryQueue) -> ConsumerBuilder {
    let subscriber = queue.subscribe(GROUP, [TOPIC]).unwrap();
    Consumer::builder(subscriber, |_: Message| std::future::pending()).drain_deadline(Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn no_more_is_received_ahead_than_allowed() {
    for (concurrency, prefetch, held) in [(4, 3, 7), (4, 0, 4), (1, 1, 2)] {
        let queue = MemoryQueue::new();
        publish(&queue, (0..100).map(|n| message("", n))).await;
        let running = Running::start(hanging(&queue).concurrency(concurrency).prefetch(prefetch));
        settle().await;
        assert_eq!(queue.backlog(GROUP).in_flight, held);
        running.stop().await;
        assert_eq!(queue.backlog(GROUP).ready, 100);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_received_ahead_are_bounded() {
    let queue = MemoryQueue::new();
    let running = Running::start(hanging(&queue).prefetch_bytes(message("", 1).weight() * 2));
    for n in 0..10 {
        publish(&queue, [message("", n)]).await;
        settle().await;
    }
    assert_eq!(queue.backlog(GROUP).in_flight, 2);
    running.stop().await;
}

/// Of ten, number 0 fails once, number 2 is hopeless, and number 1 is both.
struct FailsFirst;

#[async_trait]
impl Handler for FailsFirst {
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        match (number(delivery.message()) % 10, delivery.attempt()) {
            (0 | 1, 1) => Err(HandleError::retryable("once")),
            (1 | 2, _) => Err(HandleError::permanent("hopeless")),
            _ => Ok(()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn room_is_there_again_when_messages_are_finished() {
    let queue = MemoryQueue::new();
    publish(
        &queue,
        (0..1_000).map(|n| message(["", "k", "l"][n as usize % 3], n)),
    )
    .await;
    let handler = FailsFirst;
    let builder = Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler);
    let running = Running::start(builder.concurrency(3).prefetch_bytes(1));
    idle(&queue).await;
    let stopped = running.stop().await;
    assert_eq!((stopped.handled, stopped.failed, stopped.dead), (800, 200, 200));
}
