use std::collections::BTreeSet;

use super::*;
use crate::memory::MemorySubscriber;
use crate::subscriber::ReceiveError;

/// One message in each of the 8 queues.
async fn one_in_each_queue(queue: &MemoryQueue) {
    publish(queue, (0..8).map(|n| message("", n))).await;
}

fn queues(deliveries: &[Delivery]) -> BTreeSet<u32> {
    deliveries.iter().map(Delivery::queue).collect()
}

/// Which queues each of the members gets something from.
async fn shares(queue: &MemoryQueue, members: &mut [&mut MemorySubscriber]) -> Vec<usize> {
    one_in_each_queue(queue).await;
    let mut shares = Vec::new();
    for member in members {
        let received = here(member);
        shares.push(queues(&received).len());
        ack_all(received).await;
    }
    shares
}

#[tokio::test(start_paused = true)]
async fn members_share_fairly_as_they_come_and_go() {
    let queue = MemoryQueue::new();
    let mut a = queue.subscribe("g", [TOPIC]).unwrap();
    assert_eq!(shares(&queue, &mut [&mut a]).await, [8]);
    let mut b = queue.subscribe("g", [TOPIC]).unwrap();
    assert_eq!(shares(&queue, &mut [&mut a, &mut b]).await, [4, 4]);
    let mut c = queue.subscribe("g", [TOPIC]).unwrap();
    assert_eq!(
        sorted_shares(shares(&queue, &mut [&mut a, &mut b, &mut c]).await),
        [2, 3, 3]
    );
    drop(a);
    assert_eq!(shares(&queue, &mut [&mut b, &mut c]).await, [4, 4]);
    drop(b);
    assert_eq!(shares(&queue, &mut [&mut c]).await, [8]);
    assert!(queue.is_idle("g"));
}

fn sorted_shares(mut shares: Vec<usize>) -> Vec<usize> {
    shares.sort_unstable();
    shares
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_handed_over_when_its_former_owner_has_finished() {
    let queue = MemoryQueue::new();
    let mut a = queue.subscribe("g", [TOPIC]).unwrap();
    one_in_each_queue(&queue).await;
    let out = here(&mut a);
    let mut b = queue.subscribe("g", [TOPIC]).unwrap();
    one_in_each_queue(&queue).await;
    assert_eq!(here(&mut b).len(), 0, "a has a message out in every queue");
    let waiting = tokio::spawn(async move { b.receive(10).await.map(|received| (queues(&received), b)) });
    tokio::task::yield_now().await;
    ack_all(out).await;
    let (of_b, mut b) = within(waiting).await.unwrap().unwrap();
    let of_a = queues(&here(&mut a));
    assert!(of_a.is_disjoint(&of_b));
    // What b was woken with was dropped; it comes again, with all that became its own meanwhile.
    assert_eq!(queues(&here(&mut b)).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_a_member_had_out_when_it_was_dropped_goes_to_the_others() {
    let queue = MemoryQueue::new();
    let mut a = queue.subscribe("g", [TOPIC]).unwrap();
    let mut b = queue.subscribe("g", [TOPIC]).unwrap();
    publish(
        &queue,
        (0..8).flat_map(|n| [message(&format!("k{n}"), n), message(&format!("k{n}"), n + 10)]),
    )
    .await;
    let mut handled: Vec<u32> = Vec::new();
    let of_b = here(&mut b);
    handled.extend(numbers(&of_b));
    let orphans = here(&mut a);
    drop(a);
    ack_all(of_b).await;
    for orphan in orphans {
        assert!(matches!(orphan.ack().await, Err(ReceiveError::Fenced)));
    }
    loop {
        let received = here(&mut b);
        if received.is_empty() {
            break;
        }
        handled.extend(numbers(&received));
        ack_all(received).await;
    }
    for n in 0..8 {
        let of_key: Vec<u32> = handled
            .iter()
            .copied()
            .filter(|handled| handled % 10 == n)
            .collect();
        assert_eq!(of_key, [n, n + 10], "once each, in order");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_move_with_their_queue() {
    let queue = MemoryQueue::new();
    let mut a = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    for delivery in here(&mut a) {
        delivery.retry(5 * SECOND, "x").await.unwrap();
    }
    let mut b = queue.subscribe("g", [TOPIC]).unwrap();
    drop(a);
    let received = within(b.receive(10)).await.unwrap();
    assert_eq!((numbers(&received), received[0].attempt()), (vec![1], 2));
    ack_all(received).await;
    assert_eq!(numbers(&here(&mut b)), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_member_gets_only_its_own_topics() {
    let queue = MemoryQueue::new();
    let mut both = queue.subscribe("g", [TOPIC, "u"]).unwrap();
    let mut one = queue.subscribe("g", ["u"]).unwrap();
    let other = |_| Message::builder("u").build_unchecked();
    publish(&queue, (0..8).map(other)).await;
    one_in_each_queue(&queue).await;
    let of_one = here(&mut one);
    assert!(of_one.iter().all(|delivery| delivery.message().topic() == "u"));
    // All of t can only go to `both`, so all it has too much of u goes to the other.
    assert_eq!((here(&mut both).len(), of_one.len()), (12, 4));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_runs_out_brings_the_message_again_and_fences_its_holder() {
    let queue = MemoryQueue::builder().lease(30 * SECOND).build();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1), message("k", 2)]).await;
    let held = here(&mut subscriber);
    let started = tokio::time::Instant::now();
    let again = within(subscriber.receive(10)).await.unwrap();
    assert_eq!((numbers(&again), started.elapsed().as_secs()), (vec![1], 30));
    for delivery in held {
        assert!(matches!(
            delivery.retry(SECOND, "late").await,
            Err(ReceiveError::Fenced)
        ));
    }
    ack_all(again).await;
    assert_eq!(numbers(&here(&mut subscriber)), [2]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_says_what_is_left_of_its_lease() {
    let queue = MemoryQueue::builder().lease(30 * SECOND).build();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    let held = here(&mut subscriber);
    assert_eq!(held[0].lease_left(), Some(30 * SECOND));
    tokio::time::advance(10 * SECOND).await;
    assert_eq!(held[0].lease_left(), Some(20 * SECOND));
    tokio::time::advance(21 * SECOND).await;
    assert_eq!(held[0].lease_left(), Some(Duration::ZERO));

    let queue = MemoryQueue::new();
    let mut subscriber = queue.subscribe("g", [TOPIC]).unwrap();
    publish(&queue, [message("k", 1)]).await;
    assert_eq!(here(&mut subscriber)[0].lease_left(), None);
}
