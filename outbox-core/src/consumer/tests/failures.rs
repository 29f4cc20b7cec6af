use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::Instant;

use super::scripted::{Outcome, Scripted, Step};
use super::*;
use crate::retry::RetryPolicy;
use crate::subscriber::Subscriber;

fn quick(attempts: u32) -> RetryPolicy {
    RetryPolicy::DEFAULT
        .with_max_attempts(attempts)
        .with_backoff(SECOND, SECOND, 4 * SECOND)
}

/// Fails number 1 in the given way, and handles the others.
fn failing(
    queue: &MemoryQueue,
    journal: &Journal,
    fail: impl Fn() -> Result<(), HandleError> + Clone + Send + Sync + 'static,
) -> ConsumerBuilder {
    let seen = journal.clone();
    let handler = move |message: Message| {
        let (seen, fail) = (seen.clone(), fail.clone());
        async move {
            seen.add(number(&message));
            if number(&message) == 1 { fail() } else { Ok(()) }
        }
    };
    Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler)
}

#[tokio::test(start_paused = true)]
async fn a_failed_message_is_tried_again_until_its_attempts_are_spent() {
    let queue = MemoryQueue::new();
    let journal = Journal::default();
    let builder = failing(&queue, &journal, || Err(HandleError::retryable("no stock"))).retry(quick(3));
    let running = Running::start(builder);
    let started = Instant::now();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    idle(&queue).await;
    let waited = started.elapsed();
    assert!(waited >= 2 * SECOND && waited <= 4 * SECOND, "{waited:?}");
    assert_eq!(
        journal.all(),
        [1, 1, 1, 2],
        "its key waits, and then goes on without it"
    );
    let dead = queue.dead_letters(GROUP);
    assert_eq!(
        (dead.len(), dead[0].attempts, &*dead[0].error),
        (1, 3, "no stock")
    );
    let stopped = running.stop().await;
    assert_eq!((stopped.handled, stopped.failed, stopped.dead), (1, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_handled_now_comes_again_without_an_attempt() {
    let queue = MemoryQueue::new();
    let journal = Journal::default();
    let times = Arc::new(AtomicU32::new(0));
    let running = Running::start(
        failing(&queue, &journal, move || {
            match times.fetch_add(1, Ordering::Relaxed) {
                0..10 => Err(HandleError::not_now(SECOND, "somebody else has it")),
                _ => Ok(()),
            }
        })
        .retry(quick(2)),
    );
    let started = Instant::now();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    idle(&queue).await;
    assert_eq!(started.elapsed(), 10 * SECOND);
    assert_eq!(
        journal.all(),
        [vec![1; 11], vec![2]].concat(),
        "its key waits for it"
    );
    let stopped = running.stop().await;
    assert_eq!((stopped.handled, stopped.failed, stopped.dead), (2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn poison_delays_its_own_key_only() {
    let queue = MemoryQueue::builder().queues_per_topic(1).build();
    let journal = Journal::default();
    let builder = failing(&queue, &journal, || Err(HandleError::retryable("x")));
    let running = Running::start(builder.concurrency(2).retry(quick(1_000)));
    let started = Instant::now();
    publish(&queue, [message("bad", 1)]).await;
    publish(&queue, (2..200).map(|n| message(&format!("k{}", n % 5), n))).await;
    publish(&queue, [message("bad", 200)]).await;
    while queue.backlog(GROUP).total() > 2 {
        tokio::task::yield_now().await;
    }
    assert!(started.elapsed().is_zero(), "nobody else waited");
    assert!(!journal.all().contains(&200));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_not_tried_again() {
    let queue = MemoryQueue::new();
    let journal = Journal::default();
    let running = Running::start(failing(&queue, &journal, || {
        Err(HandleError::permanent("no such order"))
    }));
    publish(&queue, [message("k", 1)]).await;
    idle(&queue).await;
    assert_eq!(journal.all(), [1]);
    let dead = queue.dead_letters(GROUP);
    assert_eq!((dead[0].attempts, &*dead[0].error), (1, "no such order"));
    assert_eq!(running.stop().await.dead, 1);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_decoded_is_dead_at_once() {
    let queue = MemoryQueue::new();
    let running = Running::start(Consumer::builder(
        queue.subscribe(GROUP, [TOPIC]).unwrap(),
        |message: Message| async move {
            let _: Vec<String> = message.decode_json()?;
            Ok(())
        },
    ));
    publish(&queue, [message("k", 1)]).await;
    idle(&queue).await;
    let dead = queue.dead_letters(GROUP);
    assert_eq!(dead[0].attempts, 1);
    assert!(
        dead[0].error.contains("JSON of another shape"),
        "{}",
        dead[0].error
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_say_when_to_try_again() {
    let queue = MemoryQueue::new();
    let journal = Journal::default();
    let later = || Err(HandleError::retry_after(100 * SECOND, "the shop is closed"));
    let running = Running::start(failing(&queue, &journal, later).retry(quick(2)));
    let started = Instant::now();
    publish(&queue, [message("k", 1)]).await;
    idle(&queue).await;
    assert_eq!(started.elapsed().as_secs(), 100);
    assert_eq!(
        (journal.all(), queue.dead_letters(GROUP).len()),
        (vec![1, 1], 1),
        "attempts count all the same"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_own_message_only() {
    let queue = MemoryQueue::new();
    let journal = Journal::default();
    let panics = || std::panic::resume_unwind(Box::new(format!("order {} is odd", 1)));
    let running = Running::start(failing(&queue, &journal, panics).retry(quick(2)));
    publish(&queue, [message("k", 1), message("k", 2), message("l", 3)]).await;
    idle(&queue).await;
    let dead = queue.dead_letters(GROUP);
    assert_eq!(
        (dead.len(), &*dead[0].error),
        (1, "the handler panicked: order 1 is odd")
    );
    let stopped = running.stop().await;
    assert_eq!((stopped.handled, stopped.failed, stopped.dead), (2, 1, 1));
}

/// Hangs, and panics when it is cut off for it.
struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("in a destructor"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_takes_too_long_fails_its_own_message_only() {
    let queue = MemoryQueue::new();
    let handler = |message: Message| async move {
        let _trap = (number(&message) == 3).then(|| Trap);
        if number(&message) != 2 {
            std::future::pending::<()>().await;
        }
        Ok(())
    };
    let builder = Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler);
    let running = Running::start(builder.handler_timeout(5 * SECOND).retry(quick(1)));
    let started = Instant::now();
    publish(&queue, [message("k", 1), message("k", 2), message("l", 3)]).await;
    idle(&queue).await;
    assert_eq!(started.elapsed().as_secs(), 5);
    let dead = queue.dead_letters(GROUP);
    assert_eq!(dead.len(), 2, "also the one that panicked when it was dropped");
    assert!(
        dead.iter()
            .all(|dead| &*dead.error == "the handler took longer than 5s"),
        "{dead:?}"
    );
    assert_eq!(running.stop().await.handled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_topic_may_have_its_own_policy() {
    let queue = MemoryQueue::new();
    let journal = Journal::default();
    let builder = failing(&queue, &journal, || Err(HandleError::retryable("x")));
    let running = Running::start(builder.retry(quick(5)).topic_retry(TOPIC, quick(2)));
    publish(&queue, [message("k", 1)]).await;
    idle(&queue).await;
    assert_eq!(journal.all(), [1, 1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn redriven_messages_are_handled_in_order() {
    let queue = MemoryQueue::new();
    let mut dying = queue.subscribe(GROUP, [TOPIC]).unwrap();
    publish(&queue, (1..=3).map(|n| message("k", n + 1))).await;
    for _ in 0..3 {
        for delivery in dying.receive(1).await.unwrap() {
            delivery.dead("x").await.unwrap();
        }
    }
    drop(dying);
    queue.redrive_all(GROUP);
    let journal = Journal::default();
    let running = Running::start(failing(&queue, &journal, || Ok(())));
    idle(&queue).await;
    assert_eq!(journal.all(), [2, 3, 4]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_its_last_attempt_is_dead_without_being_handled() {
    for (attempt, handled) in [(3, true), (4, false), (u32::MAX, false)] {
        let mut subscriber = Scripted::new([Step::Deliver(vec![("k", 1), ("k", 2)])]);
        subscriber.attempt = attempt;
        let (outcomes, errors) = (Arc::clone(&subscriber.outcomes), Arc::clone(&subscriber.errors));
        let journal = Journal::default();
        let seen = journal.clone();
        let builder = Consumer::builder(subscriber, move |message: Message| {
            seen.add(number(&message));
            async { Ok(()) }
        });
        let running = Running::start(builder.retry(quick(3)));
        settle().await;
        let stopped = running.stop().await;
        let outcomes = outcomes.lock().unwrap();
        if handled {
            assert_eq!(*outcomes, [Outcome::Ack(1), Outcome::Ack(2)]);
            continue;
        }
        assert_eq!((stopped.dead, journal.all().len()), (2, 0));
        assert_eq!(*outcomes, [Outcome::Dead(1), Outcome::Dead(2)]);
        assert_eq!(
            errors.lock().unwrap()[0],
            format!(
                "attempts are spent: {} were made and 3 are allowed; \
                 the last one told no outcome, as when its process dies",
                attempt - 1
            )
        );
    }
}
