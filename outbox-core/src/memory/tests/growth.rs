use super::*;
use crate::group::Start;
use crate::group::placement::{key_hash, queue_of};
use crate::memory::MemoryError;

/// A queue whose topic has one queue, and the keys of it that move (`m0`, `m1`, …) or stay (`s0`, `s1`, …) when it gets a
/// second one.
struct Grows {
    queue: MemoryQueue,
    moving: Vec<String>,
    staying: Vec<String>,
}

impl Grows {
    fn new() -> Self {
        Self::with(MemoryQueue::builder())
    }

    fn with(builder: crate::memory::MemoryQueueBuilder) -> Self {
        let queue = builder.build();
        queue.declare_topic(TOPIC, 1).unwrap();
        let (moving, staying) = (0..20)
            .map(|n| format!("k{n}"))
            .partition(|key| queue_of(key_hash(key), 1, 2) == 1);
        Self {
            queue,
            moving,
            staying,
        }
    }

    fn grow(&self) {
        self.queue.grow_topic(TOPIC, 2).unwrap();
    }

    async fn publish(&self, key: &str, n: u32) {
        publish(&self.queue, [message(key, n)]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_queue_takes_keys_over_from_its_parent() {
    let it = Grows::new();
    let mut subscriber = it.queue.subscribe("g", [TOPIC]).unwrap();
    it.grow();
    it.publish(&it.moving[0], 1).await;
    it.publish(&it.staying[0], 2).await;
    let mut received = here(&mut subscriber);
    received.sort_by_key(number);
    let places: Vec<u32> = received.iter().map(Delivery::queue).collect();
    assert_eq!(places, [1, 0]);
    let group = it.queue.subscribe("late", [TOPIC]).unwrap();
    drop(group);
    it.queue.declare_topic(TOPIC, 1).unwrap();
    it.queue.declare_topic(TOPIC, 2).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_key_that_has_moved_waits_for_its_messages_in_the_old_queue() {
    let it = Grows::new();
    let (moves, stays) = (&it.moving[0], &it.staying[0]);
    let mut a = it.queue.subscribe("g", [TOPIC]).unwrap();
    it.publish(moves, 1).await;
    it.publish(moves, 2).await;
    it.publish(stays, 3).await;
    it.grow();
    it.publish(moves, 4).await;
    it.publish(stays, 5).await;
    let mut b = it.queue.subscribe("g", [TOPIC]).unwrap();
    assert!(here(&mut b).is_empty(), "nobody has read the old queue");
    let out = here(&mut a);
    assert_eq!(numbers(&out), [1, 3]);
    let waiting = tokio::spawn(async move { (numbers(&b.receive(10).await.unwrap()), b) });
    tokio::task::yield_now().await;
    ack_all(out).await;
    let out = here(&mut a);
    assert_eq!(sorted(numbers(&out)), [2, 5]);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "2 is not finished");
    ack_all(out).await;
    let (received, b) = within(waiting).await.unwrap();
    assert_eq!(received, [4], "and whoever waits for it is woken");
    drop(b);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_waits_for_a_new_queue_is_woken_when_the_old_one_was_read() {
    let it = Grows::new();
    let mut a = it.queue.subscribe("g", [TOPIC]).unwrap();
    it.publish(&it.staying[0], 1).await;
    it.grow();
    it.publish(&it.moving[0], 2).await;
    let mut b = it.queue.subscribe("g", [TOPIC]).unwrap();
    let waiting = tokio::spawn(async move { numbers(&b.receive(10).await.unwrap()) });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    let out = here(&mut a);
    assert_eq!(numbers(&out), [1]);
    assert_eq!(within(waiting).await.unwrap(), [2], "although 1 is still out");
}

#[tokio::test(start_paused = true)]
async fn a_failing_message_holds_back_its_own_key_only() {
    let it = Grows::new();
    let mut subscriber = it.queue.subscribe("g", [TOPIC]).unwrap();
    it.publish(&it.moving[0], 1).await;
    it.publish(&it.staying[0], 2).await;
    for delivery in here(&mut subscriber) {
        delivery.retry(1_000 * SECOND, "x").await.unwrap();
    }
    it.grow();
    it.publish(&it.moving[0], 3).await;
    it.publish(&it.moving[1], 4).await;
    it.publish(&it.staying[0], 5).await;
    it.publish(&it.staying[1], 6).await;
    publish(&it.queue, (10..14).map(|n| message("", n))).await;
    assert_eq!(sorted(handle_all(&mut subscriber).await), [4, 6, 10, 11, 12, 13]);
    tokio::time::advance(1_001 * SECOND).await;
    let rest = handle_all(&mut subscriber).await;
    let of = |one: u32, other: u32| {
        let place = |n: u32| rest.iter().position(|&other| other == n);
        place(one) < place(other)
    };
    assert!(rest.len() == 4 && of(1, 3) && of(2, 5), "{rest:?}");
    assert!(it.queue.is_idle("g"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_before_takes_its_turn_when_it_is_redriven() {
    let it = Grows::new();
    let key = &it.moving[0];
    let mut subscriber = it.queue.subscribe("g", [TOPIC]).unwrap();
    it.publish(key, 1).await;
    for delivery in here(&mut subscriber) {
        delivery.dead("x").await.unwrap();
    }
    it.grow();
    it.publish(key, 2).await;
    it.publish(key, 3).await;
    let out = here(&mut subscriber);
    assert_eq!(numbers(&out), [2]);
    it.queue.redrive_all("g");
    assert!(here(&mut subscriber).is_empty(), "one of a key at a time");
    ack_all(out).await;
    assert_eq!(handle_all(&mut subscriber).await, [1, 3], "its place is before 3");
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_given_on_when_a_lease_runs_out_or_a_member_leaves() {
    for leaves in [true, false] {
        let it = Grows::with(MemoryQueue::builder().lease(30 * SECOND));
        let key = &it.moving[0];
        let mut subscriber = it.queue.subscribe("g", [TOPIC]).unwrap();
        it.publish(key, 1).await;
        for delivery in here(&mut subscriber) {
            delivery.dead("x").await.unwrap();
        }
        it.grow();
        it.publish(key, 2).await;
        let out = here(&mut subscriber);
        assert_eq!(numbers(&out), [2]);
        it.queue.redrive_all("g");
        if leaves {
            drop(subscriber);
            subscriber = it.queue.subscribe("g", [TOPIC]).unwrap();
        }
        let received = within(subscriber.receive(10)).await.unwrap();
        assert_eq!(numbers(&received), [1]);
        ack_all(received).await;
        assert_eq!(handle_all(&mut subscriber).await, [2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_moved_back_before_the_growth_gets_each_key_in_order() {
    let it = Grows::with(MemoryQueue::builder().retention(3_600 * SECOND));
    let mut subscriber = it.queue.subscribe("g", [TOPIC]).unwrap();
    it.publish(&it.moving[0], 1).await;
    it.publish(&it.moving[1], 2).await;
    it.grow();
    it.publish(&it.moving[0], 3).await;
    it.publish(&it.moving[1], 4).await;
    handle_all(&mut subscriber).await;
    it.queue.seek("g", TOPIC, Start::Beginning).unwrap();
    let out = here(&mut subscriber);
    assert_eq!(numbers(&out), [1, 2]);
    ack_all(out).await;
    assert_eq!(sorted(numbers(&here(&mut subscriber))), [3, 4]);
    // A group that is new reads it all in this order too, and one that starts now is not held up.
    let mut new = it.queue.subscribe("new", [TOPIC]).unwrap();
    assert_eq!(numbers(&here(&mut new)), [1, 2]);
    let mut now = it.queue.subscribe_from(Start::Now, "now", [TOPIC]).unwrap();
    it.publish(&it.moving[0], 5).await;
    assert_eq!(numbers(&here(&mut now)), [5]);
}

#[tokio::test(start_paused = true)]
async fn what_only_the_group_keeps_is_in_order_too_when_it_is_moved_back() {
    let it = Grows::new();
    let key = &it.moving[0];
    let mut subscriber = it.queue.subscribe("g", [TOPIC]).unwrap();
    it.publish(key, 1).await;
    let _out = here(&mut subscriber);
    it.grow();
    it.publish(key, 2).await;
    assert!(here(&mut subscriber).is_empty());
    it.queue.seek("g", TOPIC, Start::Beginning).unwrap();
    let out = here(&mut subscriber);
    assert_eq!(numbers(&out), [1]);
    ack_all(out).await;
    assert_eq!(handle_all(&mut subscriber).await, [2]);
}

#[test]
fn a_topic_only_grows_and_only_so_far() {
    let queue = MemoryQueue::new();
    let error = queue.grow_topic(TOPIC, 4).unwrap_err();
    assert_eq!(error.to_string(), r#"there is no topic "t""#);
    queue.declare_topic(TOPIC, 3).unwrap();
    queue.grow_topic(TOPIC, 3).unwrap();
    queue.grow_topic(TOPIC, 5).unwrap();
    let error = queue.grow_topic(TOPIC, 4).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"topic "t" has 5 queues and can't shrink to 4"#
    );
    assert_eq!(
        queue.grow_topic(TOPIC, 1_025),
        Err(MemoryError::QueuesOutOfRange {
            topic: TOPIC.into(),
            queues: 1_025
        })
    );
    let error = queue.declare_topic(TOPIC, 4).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"topic "t" has 5 queues already and can't have 4"#
    );
    queue.grow_topic(TOPIC, 1_024).unwrap();
}
