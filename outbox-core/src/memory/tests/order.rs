use super::*;

#[tokio::test(start_paused = true)]
async fn of_a_key_one_message_is_out_at_a_time() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(
        &queue,
        [message("k", 1), message("k", 2), message("l", 3), message("", 4)],
    )
    .await;
    let out = here(&mut subscriber);
    assert_eq!(sorted(numbers(&out)), [1, 3, 4]);
    ack_all(out).await;
    assert_eq!(numbers(&here(&mut subscriber)), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_message_delays_its_own_key_only() {
    let queue = MemoryQueue::new();
    queue.declare_topic(TOPIC, 1).unwrap();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(
        &queue,
        [message("k", 1), message("l", 2), message("k", 3), message("", 4)],
    )
    .await;
    for delivery in here(&mut subscriber) {
        match number(&delivery) {
            1 => delivery.retry(10 * SECOND, "no stock").await.unwrap(),
            _ => delivery.ack().await.unwrap(),
        }
    }
    publish(&queue, [message("k", 5), message("l", 6)]).await;
    let out = here(&mut subscriber);
    assert_eq!(numbers(&out), [6]);
    ack_all(out).await;
    let backlog = queue.backlog("g");
    assert_eq!(
        (backlog.waiting, backlog.total()),
        (3, 3),
        "1 and what is behind it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_message_comes_again_when_its_wait_is_over_and_before_what_is_behind_it() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    for delivery in here(&mut subscriber) {
        delivery.retry(10 * SECOND, "no stock").await.unwrap();
    }
    publish(&queue, [message("k", 3)]).await;
    let failed = queue.failed("g");
    assert_eq!(
        (failed.len(), failed[0].attempts, &*failed[0].error),
        (1, 1, "no stock")
    );
    assert_eq!(failed[0].retry_in, 10 * SECOND);

    let started = tokio::time::Instant::now();
    let mut handled = Vec::new();
    for attempt in [2, 1, 1] {
        let received = within(subscriber.receive(10)).await.unwrap();
        assert_eq!(received[0].attempt(), attempt);
        handled.extend(numbers(&received));
        ack_all(received).await;
    }
    assert_eq!(handled, [1, 2, 3]);
    assert_eq!(started.elapsed().as_secs(), 10);
    assert!(queue.failed("g").is_empty());
}

#[tokio::test(start_paused = true)]
async fn groups_do_not_wait_for_each_other() {
    let queue = MemoryQueue::new();
    let mut slow = queue.subscribe("slow", [TOPIC]).unwrap();
    let mut quick = queue.subscribe("quick", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    for delivery in here(&mut slow) {
        delivery.retry(10 * SECOND, "x").await.unwrap();
    }
    let mut handled = Vec::new();
    for _ in 0..2 {
        let received = here(&mut quick);
        handled.extend(numbers(&received));
        ack_all(received).await;
    }
    assert_eq!(handled, [1, 2]);
    assert_eq!(queue.backlog("slow").waiting + queue.backlog("slow").ready, 2);
}
