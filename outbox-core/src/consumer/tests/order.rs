use std::collections::BTreeMap;

use proptest::prelude::*;
use tokio::sync::Semaphore;

use super::scripted::{Outcome, Scripted, Step};
use super::*;
use crate::retry::RetryPolicy;

#[tokio::test(start_paused = true)]
async fn several_of_a_key_at_once_are_handled_one_after_the_other() {
    let subscriber = Scripted::new([Step::Deliver(vec![
        ("k", 1),
        ("k", 2),
        ("l", 3),
        ("", 4),
        ("", 5),
        ("k", 6),
    ])]);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let gate = Arc::new(Semaphore::new(0));
    let (journal, at_gate) = (Journal::default(), Arc::clone(&gate));
    let seen = journal.clone();
    let running = Running::start(Consumer::builder(subscriber, move |message: Message| {
        let (seen, gate) = (seen.clone(), Arc::clone(&at_gate));
        async move {
            seen.add(number(&message));
            gate.acquire().await?.forget();
            Ok(())
        }
    }));
    settle().await;
    assert_eq!(journal.all(), [1, 3, 4, 5], "2 and 6 are behind 1");
    gate.add_permits(1);
    settle().await;
    assert_eq!(journal.all(), [1, 3, 4, 5, 2]);
    gate.add_permits(100);
    settle().await;
    assert_eq!(journal.all(), [1, 3, 4, 5, 2, 6]);
    running.stop().await;
    assert_eq!(outcomes.lock().unwrap().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_a_failed_one_is_given_back_unhandled() {
    let subscriber = Scripted::new([
        Step::Deliver(vec![("k", 1), ("k", 2), ("k", 3), ("l", 4)]),
        Step::Deliver(vec![("k", 1), ("k", 2)]),
    ]);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let journal = Journal::default();
    let seen = journal.clone();
    let running = Running::start(
        Consumer::builder(subscriber, move |message: Message| {
            let seen = seen.clone();
            async move {
                let n = number(&message);
                let first = !seen.all().contains(&n);
                seen.add(n);
                if n == 1 && first {
                    return Err(HandleError::retryable("x"));
                }
                Ok(())
            }
        })
        .concurrency(1)
        .prefetch(3),
    );
    settle().await;
    running.stop().await;
    assert_eq!(journal.all(), [1, 4, 1, 2]);
    let outcomes = outcomes.lock().unwrap();
    assert_eq!(
        *outcomes,
        [
            Outcome::Retry(1),
            Outcome::Dropped(2),
            Outcome::Dropped(3),
            Outcome::Ack(4),
            Outcome::Ack(1),
            Outcome::Ack(2)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_a_dead_one_goes_on() {
    let subscriber = Scripted::new([Step::Deliver(vec![("k", 1), ("k", 2)])]);
    let outcomes = Arc::clone(&subscriber.outcomes);
    let running = Running::start(Consumer::builder(subscriber, |message: Message| async move {
        match number(&message) {
            1 => Err(HandleError::permanent("x")),
            _ => Ok(()),
        }
    }));
    settle().await;
    running.stop().await;
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::Dead(1), Outcome::Ack(2)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_behind_an_outcome_that_was_not_taken_is_given_back() {
    let mut subscriber = Scripted::new([Step::Deliver(vec![("k", 1), ("k", 2)])]);
    subscriber.takes_outcomes = false;
    let outcomes = Arc::clone(&subscriber.outcomes);
    let running = Running::start(Consumer::builder(subscriber, |_: Message| async { Ok(()) }));
    settle().await;
    let stopped = running.stop().await;
    assert_eq!((stopped.handled, stopped.unsettled), (0, 1));
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::Ack(1), Outcome::Dropped(2)]);
}

/// What one run handled: by key, what was begun and what succeeded.
type Handled = Arc<Mutex<BTreeMap<String, Vec<(u32, bool)>>>>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Handlers fail, panic and take their time at random: each key's messages succeed once each and in
    /// order, one at a time, whatever the concurrency and however many members.
    #[test]
    fn keys_are_handled_in_order(seed: u64, concurrency in 1usize..12, prefetch in 0usize..12, members in 1usize..4) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        // Panics on purpose are not worth a page of output each.
        let handled: Handled = Handled::default();
        let seen = Arc::clone(&handled);
        let random = Arc::new(Mutex::new(fastrand::Rng::with_seed(seed)));
        let in_flight: Arc<Mutex<Vec<String>>> = Arc::default();
        let handler = move |message: Message| {
            let (seen, random, in_flight) = (Arc::clone(&seen), Arc::clone(&random), Arc::clone(&in_flight));
            async move {
                let key = message.key().unwrap().to_owned();
                {
                    let mut in_flight = in_flight.lock().unwrap();
                    assert!(!in_flight.contains(&key), "two of key {key}");
                    in_flight.push(key.clone());
                }
                let (wait, fate) = {
                    let mut random = random.lock().unwrap();
                    (random.u64(0..50), random.u8(0..10))
                };
                tokio::time::sleep(Duration::from_millis(wait)).await;
                in_flight.lock().unwrap().retain(|other| *other != key);
                seen.lock().unwrap().entry(key).or_default().push((number(&message), fate > 2));
                match fate {
                    0 | 1 => Err(HandleError::retryable("x")),
                    2 => std::panic::resume_unwind(Box::new("on purpose")),
                    _ => Ok(()),
                }
            }
        };
        runtime.block_on(async {
            let queue = MemoryQueue::builder().queues_per_topic(4).build();
            let policy = RetryPolicy::DEFAULT.with_max_attempts(1_000);
            let running: Vec<Running> = (0..members)
                .map(|_| queue.subscribe(GROUP, [TOPIC]).unwrap())
                .map(|subscriber| Consumer::builder(subscriber, handler.clone()))
                .map(|builder| builder.concurrency(concurrency).prefetch(prefetch).retry(policy))
                .map(Running::start)
                .collect();
            publish(&queue, (0..100).map(|n| message(&format!("k{}", n % 7), n))).await;
            idle(&queue).await;
            let mut succeeded = 0;
            for running in running {
                succeeded += running.stop().await.handled;
            }
            assert_eq!(succeeded, 100);
        });
        for (key, handled) in &*handled.lock().unwrap() {
            let mut next = key[1..].parse::<u32>().unwrap();
            for &(n, succeeded) in handled {
                prop_assert_eq!(n, next, "key {}", key);
                next += if succeeded { 7 } else { 0 };
            }
            prop_assert!(next >= 100);
        }
    }
}
