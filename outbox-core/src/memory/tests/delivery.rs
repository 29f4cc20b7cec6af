use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::memory::{MemoryError, Start};
use crate::publisher::PublishErrorKind;
use crate::subscriber::ReceiveError;

#[tokio::test(start_paused = true)]
async fn every_group_sees_every_message_once_and_unchanged() {
    let queue = MemoryQueue::new();
    let mut groups = [
        queue.subscribe("a", [TOPIC]).unwrap(),
        queue.subscribe("b", [TOPIC]).unwrap(),
    ];
    let sent: Vec<Message> = (0..100)
        .map(|n| message(["", "k1", "k2", "k3"][n as usize % 4], n))
        .collect();
    publish(&queue, sent.clone()).await;
    for subscriber in &mut groups {
        let mut seen = BTreeMap::new();
        loop {
            let received = here(subscriber);
            if received.is_empty() {
                break;
            }
            for delivery in received {
                assert_eq!(delivery.attempt(), 1);
                assert!(
                    seen.insert(number(&delivery), delivery.message().clone())
                        .is_none()
                );
                delivery.ack().await.unwrap();
            }
        }
        assert!(seen.into_values().eq(sent.iter().cloned()));
    }
    assert!(queue.is_idle("a") && queue.is_idle("b"));
    assert_eq!(
        queue.usage().messages,
        0,
        "what every group has finished is let go"
    );
    assert_eq!(queue.usage().bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_has_one_queue_and_offsets_are_dense() {
    let queue = MemoryQueue::new();
    queue.declare_topic(TOPIC, 3).unwrap();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let keys: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    let mut queues_of: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut offsets: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for round in 0..5 {
        publish(&queue, keys.iter().map(|key| message(key, round))).await;
        for delivery in here(&mut subscriber) {
            let key = delivery.message().key().unwrap().to_owned();
            queues_of.entry(key).or_default().insert(delivery.queue());
            offsets
                .entry(delivery.queue())
                .or_default()
                .push(delivery.offset());
            delivery.ack().await.unwrap();
        }
    }
    assert!(queues_of.values().all(|queues| queues.len() == 1));
    assert_eq!(offsets.len(), 3, "all queues are used");
    for offsets in offsets.values() {
        assert!(offsets.iter().copied().eq(0..offsets.len() as u64), "{offsets:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_without_a_key_are_spread_over_the_queues() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, (0..16).map(|n| message("", n))).await;
    let queues: Vec<u32> = here(&mut subscriber).iter().map(Delivery::queue).collect();
    assert!(
        (0..8).all(|queue| queues.iter().filter(|&&q| q == queue).count() == 2),
        "{queues:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_group_begins_where_it_says() {
    let queue = MemoryQueue::new();
    publish(&queue, [message("k", 1)]).await;
    let mut from_beginning = queue.subscribe("old", [TOPIC]).unwrap();
    let mut from_now = queue.subscribe_from(Start::Now, "new", [TOPIC]).unwrap();
    publish(&queue, [message("l", 2)]).await;
    assert_eq!(sorted(numbers(&here(&mut from_beginning))), [1, 2]);
    assert_eq!(numbers(&here(&mut from_now)), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_group_goes_on_where_it_was() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    ack_all(here(&mut subscriber)).await;
    drop(subscriber);
    publish(&queue, [message("k", 2)]).await;
    let mut again = queue.subscribe_from(Start::Now, "g", [TOPIC]).unwrap();
    assert_eq!(numbers(&here(&mut again)), [2], "it was registered all the time");
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_comes_again_and_counts_no_attempt() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    let first = here(&mut subscriber);
    assert_eq!(numbers(&first), [1]);
    drop(first);
    let again = here(&mut subscriber);
    assert_eq!((numbers(&again), again[0].attempt()), (vec![1], 1));
    ack_all(again).await;
    assert_eq!(numbers(&here(&mut subscriber)), [2]);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_is_dropped_before_it_is_told_is_a_drop() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    for delivery in here(&mut subscriber) {
        drop(delivery.ack());
    }
    assert_eq!(numbers(&here(&mut subscriber)), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_receiver_is_woken() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let waiting = tokio::spawn(async move { numbers(&within(subscriber.receive(10)).await.unwrap()) });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    publish(&queue, [message("k", 1)]).await;
    assert_eq!(within(waiting).await.unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_is_dropped_loses_nothing() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    {
        let mut receive = std::pin::pin!(subscriber.receive(10));
        assert!(futures_util::poll!(&mut receive).is_pending());
        publish(&queue, [message("k", 1)]).await;
    }
    assert_eq!(numbers(&here(&mut subscriber)), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_as_large_as_asked_for_and_shares_fairly() {
    let queue = MemoryQueue::new();
    queue.declare_topic(TOPIC, 1).unwrap();
    queue.declare_topic("u", 1).unwrap();
    let mut subscriber = queue.subscribe("g", [TOPIC, "u"]).unwrap();
    publish(&queue, (0..100).map(|n| message("", n))).await;
    publish(&queue, (0..3).map(|_| Message::builder("u").build_unchecked())).await;
    let received = within(subscriber.receive(10)).await.unwrap();
    assert_eq!(received.len(), 10);
    let quiet = received
        .iter()
        .filter(|delivery| delivery.message().topic() == "u")
        .count();
    assert_eq!(quiet, 3, "a busy topic leaves a quiet one its share");
}

#[tokio::test(start_paused = true)]
async fn wait_idle_returns_when_all_is_handled() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    let handle = queue.clone();
    let idle = tokio::spawn(async move { handle.wait_idle("g").await });
    for last in [false, true] {
        tokio::task::yield_now().await;
        assert!(!idle.is_finished());
        ack_all(here(&mut subscriber)).await;
        assert_eq!(queue.is_idle("g"), last);
    }
    within(idle).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn closed_means_closed() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    let out = here(&mut subscriber);
    let waiting = tokio::spawn(async move { subscriber.receive(1).await.map(|_| ()) });
    tokio::task::yield_now().await;
    queue.close();
    assert!(matches!(
        within(waiting).await.unwrap(),
        Err(ReceiveError::Closed)
    ));
    let answer = queue.publisher().publish(&[message("k", 2)]).await;
    assert_eq!(
        answer[0].as_ref().unwrap_err().kind(),
        PublishErrorKind::Unavailable
    );
    assert!(queue.publisher().probe().await.is_err());
    assert_eq!(queue.subscribe("g", [TOPIC]).unwrap_err(), MemoryError::Closed);
    drop(out);
}

#[tokio::test(start_paused = true)]
async fn a_removed_group_is_gone() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let mut other = queue.subscribe("other", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("l", 2)]).await;
    let out = here(&mut subscriber);
    ack_all(here(&mut other)).await;
    assert!(queue.remove_group("g"));
    assert!(!queue.remove_group("g"));
    assert!(matches!(subscriber.receive(1).await, Err(ReceiveError::Closed)));
    for delivery in out {
        assert!(matches!(delivery.ack().await, Err(ReceiveError::Fenced)));
    }
    assert_eq!(queue.usage().messages, 0, "nothing is kept for it any more");
}

#[test]
fn what_can_not_be_is_refused_by_name() {
    let queue = MemoryQueue::new();
    queue.declare_topic(TOPIC, 4).unwrap();
    queue.declare_topic(TOPIC, 4).unwrap();
    assert_eq!(
        queue.declare_topic(TOPIC, 5).unwrap_err().to_string(),
        r#"topic "t" has 4 queues already and can't have 5"#
    );
    for queues in [0, 1_025] {
        assert!(matches!(
            queue.declare_topic("u", queues),
            Err(MemoryError::QueuesOutOfRange { .. })
        ));
    }
    assert_eq!(
        queue.subscribe("", [TOPIC]).unwrap_err(),
        MemoryError::GroupUnnamed
    );
    let none: [&str; 0] = [];
    assert!(matches!(
        queue.subscribe("g", none),
        Err(MemoryError::NoTopics { .. })
    ));
}
