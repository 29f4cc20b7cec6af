//! Peak shaving: a burst becomes a steady flow at the configured rate, with the backlog in the queue.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use outbox_core::Message;
use outbox_core::consumer::{Consumer, HandleError};
use outbox_tests::TOPIC;
use tokio_util::sync::CancellationToken;

use super::appending::Appender;
use crate::support::{Kind, SOON, World, rounds};

/// Messages a second.
const RATE: u32 = 1_000;

on_each! {
    async fn a_burst_is_consumed_at_the_rate_that_was_set(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let messages = rounds(5_000, 100_000);
        let queue = world.backend.queue(Duration::from_secs(10)).unwrap();
        let mut appender = Appender::new(&queue);
        let mut random = fastrand::Rng::with_seed(1);
        appender.append_random(&mut random, messages as usize, 1_000, 1_000, Duration::ZERO).await;
        let subscriber = queue.subscribe("group", [TOPIC]).await.unwrap();
        let handled = Arc::new(Mutex::new(Vec::with_capacity(messages as usize)));
        let counted = Arc::clone(&handled);
        let consumer = Consumer::builder(subscriber, move |_: Message| {
            counted.lock().unwrap().push(Instant::now());
            async { Ok::<(), HandleError>(()) }
        })
        .handler_timeout(Duration::from_secs(1))
        .rate_limit(RATE)
        .build()
        .unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(consumer.run(stop.clone()));
        let so_far = || handled.lock().unwrap().len();
        let (begun, limit) = (Instant::now(), Duration::from_secs(u64::from(messages / RATE)) + SOON);
        while so_far() < messages as usize {
            assert!(begun.elapsed() < limit, "{} of {messages}", so_far());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
        running.await.unwrap();
        let times = handled.lock().unwrap();
        // From the first to the last: what it takes to join the group is not the rate's.
        let rate = (times.len() - 1) as f64 / (times[times.len() - 1] - times[0]).as_secs_f64();
        // Where the database pauses, messages are late; in most of the time it doesn't.
        let mut tenths: Vec<f64> = (100..times.len())
            .step_by(100)
            .map(|n| 100.0 / (times[n] - times[n - 100]).as_secs_f64())
            .collect();
        tenths.sort_by(f64::total_cmp);
        let median = tenths[tenths.len() / 2];
        println!("{messages} messages at {RATE}/s: {rate:.1}/s, and {median:.1}/s in the middle one of its hundreds");
        let limit = f64::from(RATE);
        assert!(rate < limit * 1.05, "{rate:.1}/s");
        assert!((median / limit - 1.0).abs() < 0.05, "{median:.1}/s");
    }
}
