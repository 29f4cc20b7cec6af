use super::*;

/// Reads all that is there for a new group.
async fn replay(queue: &MemoryQueue, group: &str) -> Vec<u32> {
    let mut subscriber = queue.subscribe(group, [TOPIC]).unwrap();
    sorted(super::handle_all(&mut subscriber).await)
}

#[tokio::test(start_paused = true)]
async fn what_every_group_has_read_is_kept_for_its_time_and_a_new_group_gets_it() {
    let queue = MemoryQueue::builder().retention(60 * SECOND).build();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    tokio::time::advance(30 * SECOND).await;
    publish(&queue, [message("k", 2)]).await;
    assert_eq!(handle_all(&mut subscriber).await, [1, 2]);
    assert_eq!(queue.usage().messages, 2);
    assert_eq!(replay(&queue, "a").await, [1, 2]);
    tokio::time::advance(31 * SECOND).await;
    assert_eq!(replay(&queue, "b").await, [2]);
    assert_eq!(queue.usage().messages, 1, "what is older was let go");
    tokio::time::advance(60 * SECOND).await;
    publish(&queue, [message("k", 3)]).await;
    assert_eq!(queue.usage().messages, 1, "publishing lets go as well");
}

#[tokio::test(start_paused = true)]
async fn what_a_group_has_not_read_is_kept_however_old() {
    let queue = MemoryQueue::builder().retention(SECOND).build();
    let mut slow = queue.subscribe("slow", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    tokio::time::advance(100 * SECOND).await;
    publish(&queue, [message("k", 3)]).await;
    assert_eq!(handle_all(&mut slow).await, [1, 2, 3]);
    assert_eq!(replay(&queue, "new").await, [3]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_refused_for_what_is_only_kept_for_its_retention() {
    let queue = MemoryQueue::builder()
        .retention(3_600 * SECOND)
        .capacity_messages(10)
        .build();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    for n in 0..10 {
        publish(&queue, [message("", n)]).await;
        tokio::time::advance(SECOND).await;
    }
    handle_all(&mut subscriber).await;
    assert_eq!(queue.usage().messages, 10);
    publish(&queue, (10..14).map(|n| message("", n))).await;
    assert_eq!(queue.usage().messages, 10, "the four oldest made room");
    assert_eq!(replay(&queue, "new").await, (4..14).collect::<Vec<_>>());
    // Now g has four to read, and what it has read goes for these.
    publish(&queue, (14..20).map(|n| message("", n))).await;
    assert_eq!(queue.usage().messages, 10);
    assert!(queue.publisher().probe().await.is_err(), "g has ten to read");
    assert_eq!(
        sorted(handle_all(&mut subscriber).await),
        (10..20).collect::<Vec<_>>()
    );
    queue.publisher().probe().await.unwrap();
    assert_eq!(queue.usage().messages, 9, "a probe makes room too");
}

#[tokio::test(start_paused = true)]
async fn bytes_make_room_as_well() {
    let weight = message("", 1).weight();
    let queue = MemoryQueue::builder()
        .retention(3_600 * SECOND)
        .capacity_bytes(5 * weight)
        .build();
    queue.declare_optional_topic(TOPIC, 3).unwrap();
    for n in 0..9 {
        publish(&queue, [message("", n)]).await;
        tokio::time::advance(SECOND).await;
    }
    assert_eq!(queue.usage().bytes, 5 * weight);
    assert_eq!(replay(&queue, "g").await, [4, 5, 6, 7, 8]);
}
