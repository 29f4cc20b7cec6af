use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use ::metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

use super::scripted::{Scripted, Step};
use super::*;
use crate::retry::RetryPolicy;

/// Counters and how often each histogram got a value, by name and reason.
#[derive(Default)]
struct Counts(Mutex<BTreeMap<String, Arc<Count>>>);

#[derive(Default)]
struct Count(AtomicU64);

impl HistogramFn for Count {
    fn record(&self, _: f64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl ::metrics::CounterFn for Count {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, _: u64) {}
}

impl Counts {
    fn count(&self, key: &Key) -> Arc<Count> {
        let reason = key.labels().find(|label| label.key() == "reason");
        let name = reason.map_or_else(
            || key.name().to_owned(),
            |reason| format!("{} {}", key.name(), reason.value()),
        );
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn get(&self, name: &str) -> u64 {
        self.0
            .lock()
            .unwrap()
            .get(name)
            .map_or(0, |count| count.0.load(Ordering::Relaxed))
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.count(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.count(key))
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_rate_limit_kept_waiting_is_counted() {
    let counts = Counts::default();
    let _recording = ::metrics::set_default_local_recorder(&counts);
    let queue = MemoryQueue::new();
    publish(&queue, (0..10).map(|n| message("", n))).await;
    let builder = Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), |_: Message| async {
        Ok(())
    });
    let running = Running::start(builder.rate_limit(10).rate_burst(4));
    idle(&queue).await;
    running.stop().await;
    assert_eq!(counts.get("outbox_consumer_rate_limited_total"), 6);
    assert_eq!(counts.get("outbox_consumer_handled_total"), 10);
    assert_eq!(counts.get("outbox_consumer_handle_seconds"), 10);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_failed_is_counted_once_and_its_poison_once() {
    let counts = Counts::default();
    let _recording = ::metrics::set_default_local_recorder(&counts);
    let subscriber = Scripted::new([Step::Deliver(vec![("k", 1), ("l", 2), ("m", 3)])]);
    let handler = |batch: Vec<Message>| async move {
        match batch.iter().any(|message| number(message) == 2) {
            true => Err(HandleError::permanent("poison")),
            false => Ok(()),
        }
    };
    let running = Running::start(Consumer::batch_builder(subscriber, handler));
    settle().await;
    running.stop().await;
    for (name, count) in [
        ("outbox_consumer_batch_fallbacks_total permanent", 1),
        ("outbox_consumer_failures_total permanent", 1),
        ("outbox_consumer_handled_total", 2),
        ("outbox_consumer_dead_total", 1),
        ("outbox_consumer_batch_messages", 4),
        ("outbox_consumer_handle_seconds", 4),
        ("outbox_consumer_rate_limited_total", 0),
    ] {
        assert_eq!(counts.get(name), count, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_spent_before_it_came_has_a_reason_of_its_own() {
    let counts = Counts::default();
    let _recording = ::metrics::set_default_local_recorder(&counts);
    let mut subscriber = Scripted::new([Step::Deliver(vec![("k", 1)])]);
    subscriber.attempt = 2;
    let builder = Consumer::builder(subscriber, |_: Message| async { Ok(()) });
    let running = Running::start(builder.retry(RetryPolicy::DEFAULT.with_max_attempts(1)));
    settle().await;
    running.stop().await;
    assert_eq!(counts.get("outbox_consumer_failures_total spent"), 1);
    assert_eq!(counts.get("outbox_consumer_dead_total"), 1);
    assert_eq!(
        counts.get("outbox_consumer_handle_seconds"),
        0,
        "no handler was called"
    );
}
