//! Peak shaving: a burst becomes a steady flow at the configured rate, with the backlog in the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
        let handled = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&handled);
        let consumer = Consumer::builder(subscriber, move |_: Message| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok::<(), HandleError>(()) }
        })
        .handler_timeout(Duration::from_secs(1))
        .rate_limit(RATE)
        .build()
        .unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(consumer.run(stop.clone()));
        // From the first to the last: what it takes to join the group is not the rate's.
        while handled.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let begun = Instant::now();
        let limit = Duration::from_secs(u64::from(messages / RATE)) + SOON;
        while handled.load(Ordering::Relaxed) < u64::from(messages) {
            assert!(begun.elapsed() < limit, "{} of {messages}", handled.load(Ordering::Relaxed));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took = begun.elapsed().as_secs_f64();
        stop.cancel();
        running.await.unwrap();
        let rate = f64::from(messages) / took;
        println!("{messages} messages at {RATE}/s: {took:.2} s, {rate:.1}/s");
        assert!((rate / f64::from(RATE) - 1.0).abs() < 0.05, "{rate:.1}/s");
    }
}
