use std::collections::BTreeMap;

use async_trait::async_trait;
use proptest::prelude::*;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::scripted::{Outcome, Scripted, Step};
use super::*;
use crate::consumer::{BatchHandler, StopReason};
use crate::retry::RetryPolicy;
use crate::subscriber::{Delivery, Subscriber};

/// The batches that a handler was called with, by number, in order.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Vec<u32>>>>);

impl Calls {
    fn add(&self, batch: &[Message]) {
        self.0.lock().unwrap().push(batch.iter().map(number).collect());
    }

    fn all(&self) -> Vec<Vec<u32>> {
        self.0.lock().unwrap().clone()
    }
}

/// Fails each call in which there is one of the `poison`.
fn poisoned(subscriber: impl Subscriber, calls: &Calls, poison: &'static [u32]) -> ConsumerBuilder {
    let seen = calls.clone();
    Consumer::batch_builder(subscriber, move |batch: Vec<Message>| {
        seen.add(&batch);
        async move {
            match batch.iter().map(number).find(|n| poison.contains(n)) {
                Some(_) => Err(HandleError::retryable("poison")),
                None => Ok(()),
            }
        }
    })
}

fn in_script(messages: &[(&'static str, u32)]) -> Scripted {
    Scripted::new([Step::Deliver(messages.to_vec())])
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_acknowledged_as_a_whole_and_may_hold_several_of_a_key() {
    let subscriber = in_script(&[("k", 1), ("k", 2), ("l", 3), ("", 4), ("k", 5)]);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let calls = Calls::default();
    let running = Running::start(poisoned(subscriber, &calls, &[]));
    settle().await;
    let stopped = running.stop().await;
    assert_eq!(calls.all(), [[1, 2, 5, 3, 4]], "of a key in order");
    assert_eq!((stopped.handled, stopped.abandoned), (5, 0));
    assert_eq!(outcomes.lock().unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn batches_are_no_larger_than_said_and_full_when_there_is_much_to_do() {
    let queue = MemoryQueue::new();
    publish(&queue, (0..1_000).map(|n| message("", n))).await;
    let calls = Calls::default();
    let builder = poisoned(queue.subscribe(GROUP, [TOPIC]).unwrap(), &calls, &[]);
    let running = Running::start(builder.batch_messages(40).concurrency(2));
    idle(&queue).await;
    assert_eq!(running.stop().await.handled, 1_000);
    let sizes: Vec<usize> = calls.all().iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|&size| size <= 40), "{sizes:?}");
    assert!(sizes.len() <= 28, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn the_default_prefetch_fills_the_next_batches_while_the_first_run() {
    let queue = MemoryQueue::new();
    publish(&queue, (0..1_000).map(|n| message("", n))).await;
    let gate = Arc::new(Semaphore::new(0));
    let (calls, at_gate) = (Calls::default(), Arc::clone(&gate));
    let seen = calls.clone();
    let handler = move |batch: Vec<Message>| {
        seen.add(&batch);
        let gate = Arc::clone(&at_gate);
        async move {
            gate.acquire().await?.forget();
            Ok(())
        }
    };
    let builder = Consumer::batch_builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler);
    let running = Running::start(builder.batch_messages(100).concurrency(2));
    settle().await;
    assert_eq!(
        queue.backlog(GROUP).in_flight,
        400,
        "two that run and two that wait"
    );
    gate.add_permits(2);
    settle().await;
    assert!(
        calls.all()[2..].iter().all(|batch| batch.len() == 100),
        "{:?}",
        calls.all().len()
    );
    gate.add_permits(100);
    idle(&queue).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_poisonous_message_fails_alone_and_only_its_own_attempts_count() {
    let queue = MemoryQueue::new();
    publish(&queue, (0..20).map(|n| message(&format!("k{n}"), n))).await;
    let calls = Calls::default();
    let policy = RetryPolicy::DEFAULT.with_max_attempts(3);
    let builder = poisoned(queue.subscribe(GROUP, [TOPIC]).unwrap(), &calls, &[7]).retry(policy);
    let running = Running::start(builder.concurrency(1));
    idle(&queue).await;
    let stopped = running.stop().await;
    assert_eq!((stopped.handled, stopped.failed, stopped.dead), (19, 2, 1));
    let dead = queue.dead_letters(GROUP);
    assert_eq!(
        (
            dead.len(),
            number(&dead[0].message),
            dead[0].attempts,
            &*dead[0].error
        ),
        (1, 7, 3, "poison")
    );
    let with_poison = calls.all().iter().filter(|batch| batch.contains(&7)).count();
    assert_eq!(with_poison, 4, "in its batch, and alone three times");
    let alone = calls.all().iter().filter(|batch| batch.len() == 1).count();
    assert_eq!(alone, 22, "each once, and the poison twice more");
}

#[tokio::test(start_paused = true)]
async fn panics_and_timeouts_of_a_batch_are_isolated_too() {
    for hangs in [true, false] {
        let queue = MemoryQueue::new();
        publish(&queue, (0..10).map(|n| message("", n))).await;
        let handler = move |batch: Vec<Message>| async move {
            if batch.iter().any(|message| number(message) == 3) {
                if hangs {
                    std::future::pending::<()>().await;
                }
                std::panic::resume_unwind(Box::new("on purpose"));
            }
            Ok(())
        };
        let builder = Consumer::batch_builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler);
        let policy = RetryPolicy::DEFAULT.with_max_attempts(1);
        let running = Running::start(builder.handler_timeout(5 * SECOND).retry(policy).concurrency(1));
        let began = Instant::now();
        idle(&queue).await;
        assert_eq!(
            began.elapsed().as_secs(),
            if hangs { 10 } else { 0 },
            "the timeout is for each call"
        );
        let stopped = running.stop().await;
        assert_eq!((stopped.handled, stopped.dead), (9, 1));
        assert_eq!(number(&queue.dead_letters(GROUP)[0].message), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_a_failed_one_of_its_batch_is_given_back_unhandled() {
    let subscriber = in_script(&[("k", 1), ("k", 2), ("l", 3), ("k", 4), ("l", 5)]);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let calls = Calls::default();
    let running = Running::start(poisoned(subscriber, &calls, &[2]));
    settle().await;
    let stopped = running.stop().await;
    assert_eq!(
        calls.all(),
        [vec![1, 2, 4, 3, 5], vec![1], vec![2], vec![3], vec![5]]
    );
    assert_eq!(
        *outcomes.lock().unwrap(),
        [
            Outcome::Ack(1),
            Outcome::Retry(2),
            Outcome::Dropped(4),
            Outcome::Ack(3),
            Outcome::Ack(5)
        ]
    );
    assert_eq!((stopped.handled, stopped.failed, stopped.abandoned), (3, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_a_dead_one_of_its_batch_goes_on() {
    let subscriber = in_script(&[("k", 1), ("k", 2)]);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let policy = RetryPolicy::DEFAULT.with_max_attempts(1);
    let running = Running::start(poisoned(subscriber, &Calls::default(), &[1]).retry(policy));
    settle().await;
    running.stop().await;
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::Dead(1), Outcome::Ack(2)]);
}

#[tokio::test(start_paused = true)]
async fn spent_messages_are_taken_out_of_a_batch() {
    let mut subscriber = in_script(&[("k", 1), ("l", 2)]);
    subscriber.attempt = 4;
    let outcomes = Arc::clone(&subscriber.outcomes);
    let calls = Calls::default();
    let policy = RetryPolicy::DEFAULT.with_max_attempts(3);
    let running = Running::start(poisoned(subscriber, &calls, &[]).retry(policy));
    settle().await;
    assert_eq!(running.stop().await.dead, 2);
    assert!(calls.all().is_empty());
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::Dead(1), Outcome::Dead(2)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_a_spent_one_that_the_queue_did_not_bury_is_given_back() {
    let mut subscriber = in_script(&[("k", 1), ("k", 2), ("l", 3)]);
    subscriber.attempt = 4;
    subscriber.takes_outcomes = false;
    let outcomes = Arc::clone(&subscriber.outcomes);
    let policy = RetryPolicy::DEFAULT.with_max_attempts(3);
    let running = Running::start(poisoned(subscriber, &Calls::default(), &[]).retry(policy));
    settle().await;
    let stopped = running.stop().await;
    assert_eq!((stopped.unsettled, stopped.abandoned), (2, 0));
    assert_eq!(
        *outcomes.lock().unwrap(),
        [Outcome::Dead(1), Outcome::Dropped(2), Outcome::Dead(3)]
    );
}

#[tokio::test(start_paused = true)]
async fn in_a_fallback_what_might_be_another_members_is_given_back() {
    let mut subscriber = in_script(&[("k", 1), ("l", 2), ("m", 3)]);
    subscriber.lease = Some(25 * SECOND);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let handler = |batch: Vec<Message>| async move {
        tokio::time::sleep(9 * SECOND).await;
        match batch.len() {
            1 => Ok(()),
            _ => Err(HandleError::retryable("x")),
        }
    };
    let running = Running::start(Consumer::batch_builder(subscriber, handler).handler_timeout(10 * SECOND));
    tokio::time::sleep(100 * SECOND).await;
    let stopped = running.stop().await;
    // The batch ended at 9 seconds and the first alone at 18, which leaves 7.
    assert_eq!((stopped.handled, stopped.failed, stopped.abandoned), (1, 0, 0));
    let outcomes = outcomes.lock().unwrap();
    assert_eq!(
        *outcomes,
        [Outcome::Ack(1), Outcome::Dropped(2), Outcome::Dropped(3)]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_one_that_is_given_back_for_its_lease_is_given_back_as_well() {
    let first = [
        ("k", 0),
        ("k", 1),
        ("k", 2),
        ("k", 3),
        ("y", 4),
        ("y", 5),
        ("y", 6),
    ];
    let later = [("m", 7), ("k", 8)];
    let mut subscriber = Scripted::new([
        Step::Deliver(first.to_vec()),
        Step::Wait(8 * SECOND),
        Step::Deliver(later.to_vec()),
    ]);
    subscriber.lease = Some(25 * SECOND);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let calls = Calls::default();
    let seen = calls.clone();
    let builder = Consumer::batch_builder(subscriber, move |batch: Vec<Message>| {
        seen.add(&batch);
        async {
            tokio::time::sleep(9 * SECOND).await;
            Ok(())
        }
    });
    let running = Running::start(
        builder
            .handler_timeout(10 * SECOND)
            .batch_messages(3)
            .concurrency(1)
            .prefetch(10),
    );
    tokio::time::sleep(100 * SECOND).await;
    running.stop().await;
    // At 18 seconds 7 are left of the lease of 3, and 15 of those of 7 and 8.
    assert_eq!(calls.all(), [vec![0, 1, 2], vec![4, 5, 6], vec![7]]);
    let outcomes = outcomes.lock().unwrap();
    assert!(
        outcomes.contains(&Outcome::Dropped(3)) && outcomes.contains(&Outcome::Dropped(8)),
        "{outcomes:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_not_full_waits_for_more_if_told_to() {
    let queue = MemoryQueue::new();
    let calls = Calls::default();
    let builder = poisoned(queue.subscribe(GROUP, [TOPIC]).unwrap(), &calls, &[]);
    let running = Running::start(builder.batch_messages(3).batch_wait(10 * SECOND));
    for n in 0..3 {
        publish(&queue, [message("", n)]).await;
        tokio::time::sleep(SECOND).await;
    }
    assert_eq!(calls.all().len(), 1, "full after three seconds");
    publish(&queue, [message("", 3)]).await;
    tokio::time::sleep(9 * SECOND).await;
    assert_eq!(calls.all().len(), 1);
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(calls.all()[1], [3], "no more came in ten");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_message_of_a_batch_counts_for_the_rate_limit() {
    let queue = MemoryQueue::new();
    publish(&queue, (0..1_000).map(|n| message("", n))).await;
    let calls = Calls::default();
    let builder = poisoned(queue.subscribe(GROUP, [TOPIC]).unwrap(), &calls, &[]);
    let began = Instant::now();
    let running = Running::start(builder.rate_limit(100).rate_burst(11).batch_messages(20));
    idle(&queue).await;
    let took = began.elapsed().as_secs_f64();
    assert!((9.8..=10.1).contains(&took), "{took} s");
    let sizes: Vec<usize> = calls.all().iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|&size| size <= 11), "{sizes:?}");
    assert!(sizes.len() <= 110, "batches all the same: {}", sizes.len());
    running.stop().await;
}

/// Hangs as soon as it sees one alone that it is told to hang at.
struct HangsAt(u32);

#[async_trait]
impl BatchHandler for HangsAt {
    async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        match batch {
            [one] if number(one.message()) == self.0 => std::future::pending().await,
            [_] => Ok(()),
            _ => Err(HandleError::retryable("one by one")),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_cuts_a_fallback_off_counts_what_was_done_and_gives_the_rest_back() {
    let subscriber = in_script(&[("k", 1), ("l", 2), ("m", 3), ("m", 4)]);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let builder = Consumer::batch_builder(subscriber, HangsAt(2));
    let running = Running::start(builder.handler_timeout(100 * SECOND).drain_deadline(SECOND));
    settle().await;
    let stopped = running.stop().await;
    assert_eq!(
        (stopped.reason, stopped.handled, stopped.abandoned),
        (StopReason::DrainTimedOut, 1, 3)
    );
    let mut outcomes = outcomes.lock().unwrap().clone();
    assert_eq!(outcomes.remove(0), Outcome::Ack(1));
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Outcome::Dropped(_))),
        "{outcomes:?}"
    );
    assert_eq!(outcomes.len(), 3);
}

/// What succeeded, by key.
type Handled = Arc<Mutex<BTreeMap<String, Vec<u32>>>>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Batches fail, panic and take their time at random: each key's messages succeed once each and in order, no two
    /// batches that run have a key in common, and bytes and room are accounted for.
    #[test]
    fn keys_are_handled_in_order(seed: u64, concurrency in 1usize..5, most in 1usize..8, prefetch in 0usize..20) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let handled = Handled::default();
        let (seen, random) = (Arc::clone(&handled), Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))));
        let busy: Arc<Mutex<Vec<String>>> = Arc::default();
        let handler = move |batch: Vec<Message>| {
            let (seen, random, busy) = (Arc::clone(&seen), Arc::clone(&random), Arc::clone(&busy));
            async move {
                let mut keys: Vec<String> = batch.iter().map(|message| message.key().unwrap().to_owned()).collect();
                keys.sort_unstable();
                keys.dedup();
                assert!(keys.iter().all(|key| !busy.lock().unwrap().contains(key)), "two batches of a key");
                busy.lock().unwrap().extend(keys.clone());
                let (wait, fate) = {
                    let mut random = random.lock().unwrap();
                    (random.u64(0..50), random.u8(0..10))
                };
                tokio::time::sleep(Duration::from_millis(wait)).await;
                busy.lock().unwrap().retain(|key| !keys.contains(key));
                match fate {
                    0 | 1 => return Err(HandleError::retryable("x")),
                    2 => std::panic::resume_unwind(Box::new("on purpose")),
                    _ => {}
                }
                let mut seen = seen.lock().unwrap();
                for message in &batch {
                    seen.entry(message.key().unwrap().to_owned()).or_default().push(number(message));
                }
                Ok(())
            }
        };
        runtime.block_on(async {
            let queue = MemoryQueue::builder().queues_per_topic(4).build();
            let policy = RetryPolicy::DEFAULT.with_max_attempts(1_000);
            let builder = Consumer::batch_builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler);
            let builder = builder.concurrency(concurrency).batch_messages(most).prefetch(prefetch);
            let running = Running::start(builder.retry(policy).prefetch_bytes(2_000));
            publish(&queue, (0..100).map(|n| message(&format!("k{}", n % 13), n))).await;
            idle(&queue).await;
            assert_eq!(running.stop().await.handled, 100);
        });
        for (key, handled) in &*handled.lock().unwrap() {
            let first = key[1..].parse::<u32>().unwrap();
            prop_assert_eq!(handled, &(first..100).step_by(13).collect::<Vec<_>>(), "key {}", key);
        }
    }
}
