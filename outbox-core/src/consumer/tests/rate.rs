use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::*;

/// When each message was started.
type Starts = Arc<Mutex<Vec<Instant>>>;

fn limited(queue: &MemoryQueue, starts: &Starts, per_second: u32) -> ConsumerBuilder {
    let starts = Arc::clone(starts);
    let handler = move |_: Message| {
        starts.lock().unwrap().push(Instant::now());
        async { Ok(()) }
    };
    Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler).rate_limit(per_second)
}

#[tokio::test(start_paused = true)]
async fn a_peak_becomes_a_steady_flow_and_the_backlog_stays_in_the_queue() {
    let queue = MemoryQueue::new();
    for batch in 0..10 {
        publish(&queue, (0..1_000).map(|n| message("", batch * 1_000 + n))).await;
    }
    let starts = Starts::default();
    let most = Arc::new(AtomicUsize::new(0));
    let (seen, held, of) = (Arc::clone(&starts), Arc::clone(&most), queue.clone());
    let handler = move |_: Message| {
        seen.lock().unwrap().push(Instant::now());
        held.fetch_max(of.backlog(GROUP).in_flight, Ordering::Relaxed);
        async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(())
        }
    };
    let builder = Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler);
    let began = Instant::now();
    let running = Running::start(builder.rate_limit(1_000).concurrency(20).prefetch(30));
    idle(&queue).await;
    let took = began.elapsed().as_secs_f64();
    assert!((9.9..=10.1).contains(&took), "{took} s");
    assert_eq!(running.stop().await.handled, 10_000);
    assert!(most.load(Ordering::Relaxed) <= 50, "{most:?} were held");
    // Within each whole second what the limit allows, and a burst.
    let mut seconds = [0; 11];
    for start in &*starts.lock().unwrap() {
        seconds[(*start - began).as_secs() as usize] += 1;
    }
    assert!(
        seconds[..9].iter().all(|&n| (990..=1_050).contains(&n)),
        "{seconds:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_quiet_time_saves_up_a_burst_and_no_more() {
    let queue = MemoryQueue::new();
    let starts = Starts::default();
    let running = Running::start(limited(&queue, &starts, 10).rate_burst(3));
    tokio::time::sleep(100 * SECOND).await;
    let began = Instant::now();
    publish(&queue, (0..10).map(|n| message("", n))).await;
    idle(&queue).await;
    let at: Vec<u128> = starts
        .lock()
        .unwrap()
        .iter()
        .map(|at| (*at - began).as_millis())
        .collect();
    assert_eq!(at, [0, 0, 0, 100, 200, 300, 400, 500, 600, 700]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_the_limit() {
    let queue = MemoryQueue::new();
    publish(&queue, (0..10).map(|n| message("", n))).await;
    let starts = Starts::default();
    let running = Running::start(limited(&queue, &starts, 1).concurrency(4));
    settle().await;
    assert_eq!(
        (starts.lock().unwrap().len(), queue.backlog(GROUP).in_flight),
        (1, 8 - 1)
    );
    let asked = Instant::now();
    let stopped = running.stop().await;
    assert!(asked.elapsed().is_zero());
    assert_eq!((stopped.handled, stopped.abandoned), (1, 7));
    assert_eq!(queue.backlog(GROUP).ready, 9);
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_longer_than_its_lease_allows_is_given_back_and_comes_again() {
    let queue = MemoryQueue::builder().lease(20 * SECOND).build();
    publish(&queue, (0..30).map(|n| message(&format!("k{n}"), n))).await;
    let starts = Starts::default();
    let builder = limited(&queue, &starts, 1)
        .handler_timeout(10 * SECOND)
        .prefetch(30);
    let began = Instant::now();
    let running = Running::start(builder);
    idle(&queue).await;
    let stopped = running.stop().await;
    assert_eq!((stopped.handled, stopped.unsettled), (30, 0), "once each");
    assert_eq!(
        began.elapsed().as_secs(),
        29,
        "what was given back took nobody's turn"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_counts_as_well() {
    let queue = MemoryQueue::new();
    publish(&queue, (0..5).map(|n| message("k", n))).await;
    let handler = |message: Message| async move {
        match number(&message) {
            0 => Err(HandleError::retryable("x")),
            _ => Ok(()),
        }
    };
    let policy = crate::retry::RetryPolicy::DEFAULT
        .with_max_attempts(3)
        .with_backoff(Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let builder = Consumer::builder(queue.subscribe(GROUP, [TOPIC]).unwrap(), handler).retry(policy);
    let began = Instant::now();
    let running = Running::start(builder.rate_limit(1));
    idle(&queue).await;
    assert_eq!(
        began.elapsed().as_secs(),
        6,
        "3 attempts and 4 messages, the first at once"
    );
    running.stop().await;
}
