use std::time::SystemTime;

use tokio::time::Instant;

use super::*;

fn delayed(key: &str, n: u32, seconds: u32) -> Message {
    let builder = Message::builder(TOPIC).key(key).json(&n).unwrap();
    builder.delay(seconds * SECOND).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn messages_come_when_they_are_due_and_take_their_place_then() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(
        &queue,
        [
            delayed("k", 30, 30),
            delayed("k", 10, 10),
            delayed("k", 11, 10),
            message("k", 0),
        ],
    )
    .await;
    assert_eq!(queue.backlog("g").delayed, 3);
    let started = Instant::now();
    let mut handled = Vec::new();
    for _ in 0..4 {
        let received = within(subscriber.receive(10)).await.unwrap();
        handled.extend(received.iter().map(|d| (number(d), started.elapsed().as_secs())));
        ack_all(received).await;
    }
    assert_eq!(handled, [(0, 0), (10, 10), (11, 10), (30, 30)]);
    assert!(queue.is_idle("g"));
}

#[tokio::test(start_paused = true)]
async fn what_became_due_first_comes_before_what_is_published_after() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [delayed("k", 1, 10)]).await;
    // Nobody looked at the queue in the meantime.
    tokio::time::advance(20 * SECOND).await;
    publish(&queue, [message("k", 2)]).await;
    let mut handled = Vec::new();
    for _ in 0..2 {
        let received = here(&mut subscriber);
        handled.extend(numbers(&received));
        ack_all(received).await;
    }
    assert_eq!(handled, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_sleeps_for_a_later_one_wakes_for_an_earlier_one() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [delayed("k", 60, 60)]).await;
    let started = Instant::now();
    let waiting = tokio::spawn(async move { numbers(&within(subscriber.receive(10)).await.unwrap()) });
    tokio::task::yield_now().await;
    publish(&queue, [delayed("k", 5, 5)]).await;
    assert_eq!(within(waiting).await.unwrap(), [5]);
    assert_eq!(started.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_time_that_is_past_is_now_and_one_beyond_reason_is_kept() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let at = |time| {
        Message::builder(TOPIC)
            .json(&1)
            .unwrap()
            .deliver_at(time)
            .build()
            .unwrap()
    };
    publish(&queue, [at(SystemTime::UNIX_EPOCH)]).await;
    let out = here(&mut subscriber);
    assert_eq!(out.len(), 1);
    ack_all(out).await;
    let never = Message::builder(TOPIC).delay(Duration::MAX).build().unwrap();
    publish(&queue, [never]).await;
    assert_eq!(here(&mut subscriber).len(), 0);
    assert_eq!(queue.backlog("g").delayed, 1);
}
