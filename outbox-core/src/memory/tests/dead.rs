use super::*;

/// Receives and buries everything there is, until nothing comes any more.
async fn bury_all(subscriber: &mut MemorySubscriber) {
    loop {
        let received = here(subscriber);
        if received.is_empty() {
            return;
        }
        for delivery in received {
            let error = format!("bad {}", number(&delivery));
            delivery.dead(&error).await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_message_is_kept_with_its_error_and_frees_its_key() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let mut other = queue.subscribe("other", [TOPIC]).unwrap();
    let sent = message("k", 1);
    publish(&queue, [sent.clone(), message("k", 2)]).await;
    for delivery in here(&mut subscriber) {
        delivery.retry(SECOND, "x").await.unwrap();
    }
    for delivery in within(subscriber.receive(1)).await.unwrap() {
        delivery.dead("out of stock").await.unwrap();
    }
    let dead = queue.dead_letters("g");
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (&dead[0].message, &*dead[0].error, dead[0].attempts),
        (&sent, "out of stock", 2)
    );
    assert_eq!(handle_all(&mut subscriber).await, [2]);
    assert!(queue.is_idle("g"), "a dead letter is finished");
    assert_eq!(queue.backlog("g").dead, 1);

    assert!(queue.dead_letters("other").is_empty(), "each group has its own");
    assert_eq!(handle_all(&mut other).await, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn all_are_redriven_in_their_old_order_and_before_what_came_after() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, (1..=3).map(|n| message("k", n))).await;
    bury_all(&mut subscriber).await;
    publish(&queue, [message("k", 4), message("k", 5)]).await;
    assert_eq!(queue.redrive_all("g"), 3);
    assert_eq!(queue.redrive_all("g"), 0);
    let first = here(&mut subscriber);
    assert_eq!(
        (numbers(&first), first[0].attempt()),
        (vec![1], 1),
        "its attempts are forgotten"
    );
    ack_all(first).await;
    assert_eq!(handle_all(&mut subscriber).await, [2, 3, 4, 5]);
    assert!(queue.is_idle("g") && queue.dead_letters("g").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_redriven_message_waits_for_the_one_of_its_key_that_is_out() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    bury_all(&mut subscriber).await;
    publish(&queue, [message("k", 2), message("k", 3)]).await;
    let out = here(&mut subscriber);
    assert_eq!(numbers(&out), [2]);
    assert_eq!(queue.redrive("g", queue.dead_letters("g")[0].message.id()), 1);
    assert_eq!(here(&mut subscriber).len(), 0);
    for delivery in out {
        delivery.retry(10 * SECOND, "x").await.unwrap();
    }
    // It goes before a later one that waits, and does not wait with it.
    assert_eq!(handle_all(&mut subscriber).await, [1]);
    let again = within(subscriber.receive(1)).await.unwrap();
    assert_eq!(numbers(&again), [2]);
    ack_all(again).await;
    assert_eq!(handle_all(&mut subscriber).await, [3]);
}

#[tokio::test(start_paused = true)]
async fn one_is_redriven_and_one_is_discarded() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    let sent: Vec<Message> = (1..=3).map(|n| message("", n)).collect();
    publish(&queue, sent.clone()).await;
    bury_all(&mut subscriber).await;
    assert_eq!(queue.redrive("g", sent[1].id()), 1);
    assert_eq!(queue.redrive("g", sent[1].id()), 0);
    assert_eq!(handle_all(&mut subscriber).await, [2]);
    assert_eq!(queue.discard("g", sent[0].id()), 1);
    assert_eq!(queue.discard("g", sent[0].id()), 0);
    assert_eq!(queue.dead_letters("g").len(), 1);
    assert_eq!(queue.usage().messages, 1);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_wakes_a_waiting_member() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    bury_all(&mut subscriber).await;
    let waiting = tokio::spawn(async move { numbers(&within(subscriber.receive(1)).await.unwrap()) });
    tokio::task::yield_now().await;
    queue.redrive_all("g");
    assert_eq!(within(waiting).await.unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_long_error_is_cut_between_characters() {
    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    for delivery in here(&mut subscriber) {
        delivery.dead(&format!("x{}", "ü".repeat(5_000))).await.unwrap();
    }
    assert_eq!(queue.dead_letters("g")[0].error.len(), 2_047);
}
