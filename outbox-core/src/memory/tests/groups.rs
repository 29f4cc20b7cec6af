use std::time::SystemTime;

use super::*;
use crate::group::Start;
use crate::memory::MemoryError;
use crate::subscriber::ReceiveError;

fn kept() -> MemoryQueue {
    MemoryQueue::builder().retention(3_600 * SECOND).build()
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_moved_back_gets_everything_again() {
    let queue = kept();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let mut other = queue.subscribe("other", [TOPIC]).unwrap();
    let made = SystemTime::now();
    for n in 0..6 {
        tokio::time::advance(10 * SECOND).await;
        publish(&queue, [message("k", n)]).await;
    }
    assert_eq!(handle_all(&mut subscriber).await, [0, 1, 2, 3, 4, 5]);
    queue.seek("g", TOPIC, Start::Beginning).unwrap();
    assert_eq!(handle_all(&mut subscriber).await, [0, 1, 2, 3, 4, 5]);
    queue.seek("g", TOPIC, Start::At(made + 35 * SECOND)).unwrap();
    assert_eq!(handle_all(&mut subscriber).await, [3, 4, 5]);
    assert_eq!(
        handle_all(&mut other).await,
        [0, 1, 2, 3, 4, 5],
        "others are where they were"
    );
}

#[tokio::test(start_paused = true)]
async fn moving_wakes_members_and_fences_what_is_in_flight() {
    let queue = kept();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2), message("f", 3)]).await;
    let (failing, out): (Vec<_>, Vec<_>) = here(&mut subscriber)
        .into_iter()
        .partition(|delivery| number(delivery) == 3);
    for delivery in failing {
        delivery.retry(1_000 * SECOND, "x").await.unwrap();
    }
    queue.seek("g", TOPIC, Start::Beginning).unwrap();
    for delivery in out {
        assert!(matches!(delivery.ack().await, Err(ReceiveError::Fenced)));
    }
    assert!(queue.failed("g").is_empty(), "failures are forgotten");
    let again = here(&mut subscriber);
    assert_eq!(sorted(numbers(&again)), [1, 3]);
    assert!(again.iter().all(|delivery| delivery.attempt() == 1));
    ack_all(again).await;
    assert_eq!(handle_all(&mut subscriber).await, [2]);
    let waiting = tokio::spawn(async move { numbers(&subscriber.receive(10).await.unwrap()) });
    tokio::task::yield_now().await;
    queue.seek("g", TOPIC, Start::Beginning).unwrap();
    assert_eq!(sorted(within(waiting).await.unwrap()), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_moved_to_the_end_has_nothing_to_do() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2), message("l", 3)]).await;
    let out = here(&mut subscriber);
    let idle = queue.clone();
    let waiting = tokio::spawn(async move { idle.wait_idle("g").await });
    tokio::task::yield_now().await;
    queue.seek("g", TOPIC, Start::Now).unwrap();
    within(waiting).await.unwrap();
    assert_eq!(queue.usage().messages, 0);
    drop(out);
    publish(&queue, [message("k", 4)]).await;
    assert_eq!(handle_all(&mut subscriber).await, [4]);
}

#[tokio::test(start_paused = true)]
async fn what_is_due_by_now_is_before_now() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let delayed = Message::builder(TOPIC).key("k").json(&1).unwrap();
    publish(&queue, [delayed.delay(10 * SECOND).build().unwrap()]).await;
    // Nobody has looked since it became due.
    tokio::time::advance(20 * SECOND).await;
    queue.seek("g", TOPIC, Start::Now).unwrap();
    publish(&queue, [message("k", 2)]).await;
    assert_eq!(handle_all(&mut subscriber).await, [2]);
}

#[tokio::test(start_paused = true)]
async fn what_only_the_group_keeps_is_not_lost_by_moving_it() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let made = SystemTime::now();
    publish(&queue, [message("k", 1)]).await;
    tokio::time::advance(10 * SECOND).await;
    publish(&queue, [message("k", 2), message("k", 3)]).await;
    let _out = here(&mut subscriber);
    queue.seek("g", TOPIC, Start::At(made + 5 * SECOND)).unwrap();
    assert_eq!(handle_all(&mut subscriber).await, [2, 3]);
    publish(&queue, [message("k", 4), message("k", 5)]).await;
    let _out = here(&mut subscriber);
    queue.seek("g", TOPIC, Start::Beginning).unwrap();
    assert_eq!(handle_all(&mut subscriber).await, [4, 5]);
    assert_eq!(queue.usage().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_before_comes_once_when_it_is_redriven() {
    let queue = kept();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    for delivery in here(&mut subscriber) {
        delivery.dead("x").await.unwrap();
    }
    queue.seek("g", TOPIC, Start::Beginning).unwrap();
    let out = here(&mut subscriber);
    assert_eq!((numbers(&out), queue.dead_letters("g").len()), (vec![1], 1));
    assert_eq!(queue.redrive_all("g"), 1);
    ack_all(out).await;
    assert_eq!(handle_all(&mut subscriber).await, [2]);
    assert!(queue.is_idle("g"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_handed_out_to_a_paused_group_and_what_is_in_flight_goes_on() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2), message("f", 3)]).await;
    let mut out = here(&mut subscriber);
    queue.pause("g").unwrap();
    queue.pause("g").unwrap();
    out.pop().unwrap().retry(SECOND, "x").await.unwrap();
    ack_all(out).await;
    assert!(here(&mut subscriber).is_empty());
    let mut late = queue.subscribe("g", [TOPIC]).unwrap();
    tokio::time::advance(10 * SECOND).await;
    assert!(here(&mut late).is_empty(), "members who join wait too");
    drop(late);
    let waiting =
        tokio::spawn(async move { (subscriber.receive(10).await.map(|all| all.len()), subscriber) });
    tokio::task::yield_now().await;
    queue.resume("g").unwrap();
    let (received, mut subscriber) = within(waiting).await.unwrap();
    assert_eq!(received.unwrap(), 2);
    handle_all(&mut subscriber).await;
    assert!(queue.is_idle("g"));
}

#[tokio::test(start_paused = true)]
async fn groups_are_listed() {
    let queue = MemoryQueue::new();
    let mut of_b = queue.subscribe("b", [TOPIC, "u"]).unwrap();
    let _second = queue.subscribe("b", [TOPIC]).unwrap();
    drop(queue.subscribe("a", [TOPIC]).unwrap());
    publish(&queue, [message("k", 1)]).await;
    queue.pause("b").unwrap();
    let groups = queue.groups();
    let short: Vec<_> = groups
        .iter()
        .map(|group| {
            (
                &*group.name,
                group.topics.len(),
                group.members,
                group.paused,
                group.backlog.ready,
            )
        })
        .collect();
    assert_eq!(short, [("a", 1, 0, false, 1), ("b", 2, 2, true, 1)]);
    assert!(here(&mut of_b).is_empty());
}

#[test]
fn errors_name_the_group_and_the_topic() {
    let queue = MemoryQueue::new();
    let _subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    queue.declare_topic("u", 1).unwrap();
    let unknown = MemoryError::UnknownGroup { group: "x".into() };
    assert_eq!(queue.pause("x"), Err(unknown.clone()));
    assert_eq!(queue.resume("x"), Err(unknown.clone()));
    assert_eq!(queue.seek("x", TOPIC, Start::Now), Err(unknown));
    for topic in ["u", "no such"] {
        let error = queue.seek("g", topic, Start::Now).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("group \"g\" is not registered for topic {topic:?}")
        );
    }
}
