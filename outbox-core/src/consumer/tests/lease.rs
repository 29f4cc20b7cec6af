use super::scripted::{Outcome, Scripted, Step};
use super::*;

#[tokio::test(start_paused = true)]
async fn what_waited_too_long_to_be_handled_within_its_lease_is_given_back() {
    let mut subscriber = Scripted::new([Step::Deliver((0..4).map(|n| ("", n)).collect())]);
    subscriber.lease = Some(25 * SECOND);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let handler = |_: Message| async {
        tokio::time::sleep(9 * SECOND).await;
        Ok(())
    };
    let builder = Consumer::builder(subscriber, handler).concurrency(1);
    let running = Running::start(builder.handler_timeout(10 * SECOND).prefetch(4));
    // Started at 0 and 9 seconds, within the first 15; at 18 it would be too late.
    tokio::time::sleep(30 * SECOND).await;
    let stopped = running.stop().await;
    assert_eq!(stopped.handled, 2);
    let outcomes = outcomes.lock().unwrap();
    assert_eq!(
        *outcomes,
        [
            Outcome::Ack(0),
            Outcome::Ack(1),
            Outcome::Dropped(2),
            Outcome::Dropped(3)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_slow_messages_is_handled_once_each() {
    let queue = MemoryQueue::builder().lease(20 * SECOND).build();
    let journal = Journal::default();
    let seen = journal.clone();
    let handler = move |message: Message| {
        let seen = seen.clone();
        async move {
            seen.add(number(&message));
            tokio::time::sleep(7 * SECOND).await;
            Ok(())
        }
    };
    let builder = Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler);
    let running = Running::start(builder.handler_timeout(10 * SECOND).concurrency(2).prefetch(10));
    publish(&queue, (0..30).map(|n| message("", n))).await;
    idle(&queue).await;
    let stopped = running.stop().await;
    assert_eq!((stopped.handled, stopped.unsettled), (30, 0));
    assert_eq!(journal.all().len(), 30);
}
