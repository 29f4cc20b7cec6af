use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::*;
use crate::consumer::{Handler, StopReason};
use crate::subscriber::Delivery;

#[tokio::test(start_paused = true)]
async fn what_is_handled_is_acknowledged_and_counted() {
    let queue = MemoryQueue::new();
    let journal = Journal::default();
    let seen = journal.clone();
    let running = Running::start(Consumer::builder(
        queue.subscribe(GROUP, [TOPIC]).unwrap(),
        move |message: Message| {
            let seen = seen.clone();
            async move {
                seen.add(number(&message));
                Ok(())
            }
        },
    ));
    publish(
        &queue,
        (0..100).map(|n| message(["", "k", "l"][n as usize % 3], n)),
    )
    .await;
    idle(&queue).await;
    let stopped = running.stop().await;
    assert_eq!(
        (stopped.reason, stopped.handled, stopped.abandoned),
        (StopReason::Cancelled, 100, 0)
    );
    let mut all = journal.all();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..100));
    assert_eq!(queue.usage().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_before_its_handler_is_through() {
    let queue = MemoryQueue::new();
    let gate = Arc::new(Semaphore::new(0));
    let at_gate = Arc::clone(&gate);
    let running = Running::start(Consumer::builder(
        queue.subscribe(GROUP, [TOPIC]).unwrap(),
        move |_: Message| {
            let gate = Arc::clone(&at_gate);
            async move {
                gate.acquire().await?.forget();
                Ok(())
            }
        },
    ));
    publish(&queue, [message("k", 1)]).await;
    settle().await;
    assert_eq!(queue.backlog(GROUP).in_flight, 1);
    gate.add_permits(1);
    idle(&queue).await;
    assert_eq!(running.stop().await.handled, 1);
}

/// A handler with a state of its own sees the whole delivery.
struct Attempts(Journal);

#[async_trait]
impl Handler for Attempts {
    async fn handle(&self, delivery: &Delivery) -> Result<(), HandleError> {
        self.0.add(delivery.attempt());
        if delivery.attempt() < 3 {
            return Err(HandleError::retryable("not yet"));
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_be_a_struct_and_shared() {
    let queue = MemoryQueue::new();
    let journal = Journal::default();
    let handler = Arc::new(Attempts(journal.clone()));
    let subscriber: Box<dyn crate::Subscriber> = Box::new(queue.subscribe(GROUP, [TOPIC]).unwrap());
    let running = Running::start(Consumer::builder(subscriber, handler));
    publish(&queue, [message("k", 1)]).await;
    idle(&queue).await;
    assert_eq!(journal.all(), [1, 2, 3]);
    let stopped = running.stop().await;
    assert_eq!((stopped.handled, stopped.failed), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn as_many_run_at_the_same_time_as_were_asked_for() {
    let queue = MemoryQueue::new();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&now), Arc::clone(&most));
    let handler = move |_: Message| {
        let (now, most) = counts.clone();
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(SECOND).await;
            now.fetch_sub(1, Ordering::Relaxed);
            Ok(())
        }
    };
    let running =
        Running::start(Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler).concurrency(5));
    let started = tokio::time::Instant::now();
    publish(&queue, (0..50).map(|n| message("", n))).await;
    idle(&queue).await;
    assert_eq!(most.load(Ordering::Relaxed), 5);
    assert_eq!(started.elapsed().as_secs(), 10, "and no fewer");
    assert_eq!(running.stop().await.handled, 50);
}

/// On several threads, with members that come and go while others work: no wake-up is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn everything_is_handled_once_on_several_threads() {
    let handled = tokio::time::timeout(60 * SECOND, come_and_go());
    handled.await.expect("a wake-up was lost");
}

async fn come_and_go() {
    let queue = MemoryQueue::new();
    let journal = Journal::default();
    let start = || {
        let seen = journal.clone();
        let handler = move |message: Message| {
            seen.add(number(&message));
            async { Ok(()) }
        };
        Running::start(Consumer::builder(
            queue.subscribe(GROUP, [TOPIC]).unwrap(),
            handler,
        ))
    };
    let mut members = vec![start(), start()];
    let mut handled = 0;
    for batch in 0..20 {
        publish(
            &queue,
            (0..500).map(|n| message(&format!("k{}", n % 50), batch * 500 + n)),
        )
        .await;
        members.push(start());
        handled += members.swap_remove(0).stop().await.handled;
    }
    idle(&queue).await;
    for member in members {
        handled += member.stop().await.handled;
    }
    assert_eq!(handled, 10_000);
    let mut all = journal.all();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..10_000), "a graceful stop repeats nothing");
}
