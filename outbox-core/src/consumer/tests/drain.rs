use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::scripted::{Outcome, Scripted, Step};
use super::*;
use crate::consumer::StopReason;

#[tokio::test(start_paused = true)]
async fn what_runs_is_finished_and_what_does_not_is_given_back() {
    let queue = MemoryQueue::new();
    let (journal, gate) = (Journal::default(), Arc::new(Semaphore::new(0)));
    let (seen, at_gate) = (journal.clone(), Arc::clone(&gate));
    let handler = move |message: Message| {
        let (seen, gate) = (seen.clone(), Arc::clone(&at_gate));
        async move {
            gate.acquire().await?.forget();
            seen.add(number(&message));
            Ok(())
        }
    };
    let builder = Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler);
    let running = Running::start(builder.concurrency(2).prefetch(3));
    publish(&queue, (0..10).map(|n| message("", n))).await;
    settle().await;
    assert_eq!(queue.backlog(GROUP).in_flight, 5);
    running.stop.cancel();
    settle().await;
    assert!(!running.task.is_finished(), "two are still running");
    assert_eq!(queue.backlog(GROUP).in_flight, 2, "what was not started is back");
    gate.add_permits(100);
    let stopped = running.stop().await;
    assert_eq!(
        (stopped.reason, stopped.handled, stopped.abandoned),
        (StopReason::Cancelled, 2, 3)
    );
    settle().await;
    assert_eq!(journal.all().len(), 2, "nothing is handled afterwards");
    let backlog = queue.backlog(GROUP);
    assert_eq!((backlog.ready, backlog.in_flight), (8, 0));
}

/// Notes that a handler's future is gone.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn hanging(queue: &MemoryQueue, gone: &Arc<AtomicBool>) -> ConsumerBuilder {
    let gone = Arc::clone(gone);
    Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), move |_: Message| {
        let gone = Gone(Arc::clone(&gone));
        async move {
            let _gone = gone;
            std::future::pending().await
        }
    })
    .handler_timeout(1_000 * SECOND)
}

#[tokio::test(start_paused = true)]
async fn handlers_are_aborted_at_the_deadline_and_their_messages_come_again() {
    let queue = MemoryQueue::new();
    let gone = Arc::new(AtomicBool::new(false));
    let running = Running::start(hanging(&queue, &gone).drain_deadline(10 * SECOND));
    publish(&queue, [message("k", 1)]).await;
    settle().await;
    let started = tokio::time::Instant::now();
    let stopped = running.stop().await;
    assert_eq!(started.elapsed().as_secs(), 10);
    assert_eq!(
        (stopped.reason, stopped.abandoned),
        (StopReason::DrainTimedOut, 1)
    );
    assert!(gone.load(Ordering::Relaxed), "nothing of it runs any more");
    let backlog = queue.backlog(GROUP);
    assert_eq!((backlog.ready, backlog.in_flight, backlog.dead), (1, 0, 0));
    assert!(queue.failed(GROUP).is_empty(), "being stopped is no failure");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_aborts_its_handlers() {
    let queue = MemoryQueue::new();
    let gone = Arc::new(AtomicBool::new(false));
    let running = Running::start(hanging(&queue, &gone));
    publish(&queue, [message("k", 1)]).await;
    settle().await;
    running.task.abort();
    settle().await;
    assert!(gone.load(Ordering::Relaxed));
    assert_eq!(queue.backlog(GROUP).ready, 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_subscription_stops_it() {
    let queue = MemoryQueue::new();
    let running = Running::start(Consumer::builder(
        queue.subscribe(GROUP, [TOPIC]).unwrap(),
        |_: Message| async { Ok(()) },
    ));
    settle().await;
    queue.close();
    assert_eq!(within(running.task).await.unwrap().reason, StopReason::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_closed_subscription_finishes_what_runs() {
    let subscriber = Scripted::new([Step::Deliver(vec![("k", 1), ("k", 2)]), Step::Close]);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let running = Running::start(Consumer::builder(subscriber, |_: Message| async {
        tokio::time::sleep(SECOND).await;
        Ok(())
    }));
    let stopped = within(running.task).await.unwrap();
    assert_eq!(
        (stopped.reason, stopped.handled, stopped.abandoned),
        (StopReason::Closed, 1, 1)
    );
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::Dropped(2), Outcome::Ack(1)]);
    assert_eq!(
        stopped.to_string(),
        "subscription closed: 1 handled, 0 failed, 0 dead, 0 unsettled, 1 abandoned"
    );
}

#[tokio::test(start_paused = true)]
async fn stopped_before_it_began_it_handles_nothing() {
    let queue = MemoryQueue::new();
    publish(&queue, [message("k", 1)]).await;
    let consumer = Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), |_: Message| async {
        Ok(())
    });
    let stop = CancellationToken::new();
    stop.cancel();
    let stopped = consumer.build().unwrap().run(stop).await;
    assert_eq!((stopped.handled, queue.backlog(GROUP).ready), (0, 1));
}
