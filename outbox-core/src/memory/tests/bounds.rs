use super::*;
use crate::publisher::PublishErrorKind;

#[tokio::test(start_paused = true)]
async fn a_full_queue_takes_nothing_and_drops_nothing() {
    let queue = MemoryQueue::builder().capacity_messages(3).build();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let mut slow = queue.subscribe("slow", [TOPIC]).unwrap();
    publish(&queue, (1..=3).map(|n| message(&format!("k{n}"), n))).await;
    let full = queue
        .publisher()
        .publish(&[message("k", 4), message("k", 5)])
        .await;
    assert_eq!(full.len(), 2);
    for answer in full {
        let error = answer.unwrap_err();
        assert_eq!(
            error.kind(),
            PublishErrorKind::Unavailable,
            "not the message's fault"
        );
        assert!(error.to_string().contains("3 messages"), "{error}");
    }
    assert!(queue.publisher().probe().await.is_err());
    assert_eq!(queue.usage().messages, 3);

    let out = here(&mut subscriber);
    assert_eq!(sorted(numbers(&out)), [1, 2, 3]);
    ack_all(out).await;
    assert!(
        queue.publisher().probe().await.is_err(),
        "one group still needs them"
    );
    let mut out = here(&mut slow);
    out.pop().unwrap().ack().await.unwrap();
    queue.publisher().probe().await.unwrap();
    publish(&queue, [message("k", 4), message("k", 5)]).await;
    assert_eq!(queue.usage().messages, 4, "a batch is taken whole");
    assert!(queue.publisher().probe().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_too() {
    let weight = message("k", 1).weight();
    let queue = MemoryQueue::builder().capacity_bytes(2 * weight).build();
    publish(&queue, [message("k", 1)]).await;
    publish(&queue, [message("k", 2)]).await;
    assert_eq!(queue.usage().bytes, 2 * weight);
    assert!(queue.publisher().publish(&[message("k", 3)]).await[0].is_err());
}

#[tokio::test(start_paused = true)]
async fn delayed_and_dead_messages_count() {
    let queue = MemoryQueue::builder().capacity_messages(2).build();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    publish(&queue, [Message::builder(TOPIC).delay(SECOND).build().unwrap()]).await;
    for delivery in here(&mut subscriber) {
        delivery.dead("x").await.unwrap();
    }
    assert!(queue.publisher().probe().await.is_err());
    queue.discard("g", queue.dead_letters("g")[0].message.id());
    queue.publisher().probe().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_optional_topic_keeps_nothing_without_a_group() {
    let queue = MemoryQueue::new();
    queue.declare_optional_topic(TOPIC, 1).unwrap();
    publish(&queue, [message("k", 1)]).await;
    assert_eq!(queue.usage().messages, 0);
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 2)]).await;
    assert_eq!(numbers(&here(&mut subscriber)), [2]);
    drop(subscriber);
    publish(&queue, [message("k", 3)]).await;
    assert_eq!(
        queue.usage().messages,
        2,
        "a group without members still has its messages"
    );
    queue.remove_group("g");
    assert_eq!(queue.usage().messages, 0);
}

#[tokio::test(start_paused = true)]
async fn a_batch_beyond_the_declared_size_is_refused_as_a_whole() {
    let queue = MemoryQueue::new();
    let max = queue.publisher().capabilities().max_batch;
    let batch: Vec<Message> = (0..=max as u32).map(|n| message("", n)).collect();
    let answers = queue.publisher().publish(&batch).await;
    assert_eq!(answers.len(), batch.len());
    assert!(answers.iter().all(Result::is_err));
    assert_eq!(queue.usage().messages, 0);
}

/// 50,000 messages of one key: a queue that looked at what is behind for each of them would not end.
#[tokio::test(start_paused = true)]
async fn a_deep_key_costs_no_more_per_message_than_a_shallow_one() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    for batch in 0..50 {
        publish(&queue, (0..1_000).map(|n| message("hot", batch * 1_000 + n))).await;
    }
    for n in 0..50_000 {
        let received = subscriber.receive(1_000).await.unwrap();
        assert_eq!(numbers(&received), [n]);
        ack_all(received).await;
    }
    assert_eq!(queue.usage().messages, 0);
}
