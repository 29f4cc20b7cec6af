//! Every message comes once to each group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use outbox_core::Message;
use outbox_core::group::Start;

use super::support::*;
use crate::support::SOON;

on_every_queue! {
    async fn every_message_comes_once_to_each_group(queue: Queue) {
        queue.declare(TOPIC, 4).await.unwrap();
        let mut shipping = queue.member().await;
        let mut billing = queue.member_of("billing", Start::Beginning).await;
        let messages = spread(10, 30);
        for batch in messages.chunks(70) {
            queue.publish(batch).await;
        }
        let published: BTreeSet<_> = messages.iter().map(Message::id).collect();
        for (group, member) in [(GROUP, &mut shipping), ("billing", &mut billing)] {
            let seen = member.handle(messages.len()).await;
            assert_eq!(seen.iter().map(|seen| seen.id).collect::<BTreeSet<_>>(), published);
            assert!(seen.iter().all(|seen| seen.attempt == 1));
            assert_in_order(&seen, 10, 30);
            queue.finished(group).await;
            member.gets_nothing().await;
        }
    }

    async fn a_batch_is_appended_whole_and_in_order(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        let batch: Vec<_> = (0..50)
            .map(|n| {
                let message = Message::builder(TOPIC).payload(n.to_string(), "text/plain");
                if n % 3 == 0 { message } else { message.key(format!("k{}", n % 7)) }.build().unwrap()
            })
            .collect();
        queue.publish(&batch).await;
        queue.publish(&[]).await;
        // Held, so that they come in the order of the queue and not in that of their keys' turns.
        let mut seen: Vec<Seen> = Vec::new();
        while seen.len() < 50 {
            for delivery in member.next(50).await {
                seen.push(Seen::of(&delivery));
                delivery.ack().await.unwrap();
            }
        }
        seen.sort_by_key(|seen| seen.offset);
        let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        assert_eq!(texts(&seen), expected);
        assert_eq!(seen.iter().map(|seen| seen.offset).collect::<Vec<_>>(), (0..50).collect::<Vec<u64>>());
    }

    /// Its keys keep their order, no offset is left out or given twice, and a key is always in one queue.
    async fn concurrent_publishers_fill_the_queues_densely(queue: Queue) {
        queue.declare(TOPIC, 3).await.unwrap();
        let tasks: Vec<_> = (0..6)
            .map(|task| {
                let publisher = queue.publisher();
                tokio::spawn(async move {
                    for n in 0..15 {
                        let key = |part| format!("k{}", task * 2 + part);
                        let batch = [0, 1].map(|part| message(&key(part), &n.to_string()));
                        publish(&*publisher, &batch).await;
                    }
                })
            })
            .collect();
        let mut member = queue.member().await;
        let seen = member.handle(180).await;
        for task in tasks {
            task.await.unwrap();
        }
        assert_in_order(&seen, 12, 15);
        let mut offsets: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
        let mut places: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for seen in &seen {
            assert!(offsets.entry(seen.queue).or_default().insert(seen.offset), "{seen:?} twice");
            places.entry(&seen.key).or_default().insert(seen.queue);
        }
        for (queue, offsets) in offsets {
            assert!(queue < 3);
            assert_eq!(offsets, (0..offsets.len() as u64).collect(), "queue {queue}");
        }
        assert!(places.values().all(|queues| queues.len() == 1), "{places:?}");
        queue.finished(GROUP).await;
    }

    async fn whoever_waits_is_woken(queue: Queue) {
        let mut member = queue.member().await;
        for n in 0..5 {
            let mut waiting = tokio::spawn(async move { (member.one().await, member) });
            // It is waiting, or is about to.
            tokio::task::yield_now().await;
            assert!(tokio::time::timeout(Duration::from_millis(20), &mut waiting).await.is_err());
            queue.say("k", [n]).await;
            let published = Instant::now();
            let (delivery, again) = waiting.await.unwrap();
            // It takes milliseconds; this is room for a busy machine, and far below any poll that would hide a lost
            // wake-up for good.
            assert!(published.elapsed() < Duration::from_secs(3), "{:?}", published.elapsed());
            delivery.ack().await.unwrap();
            member = again;
        }
    }

    async fn dropping_a_receive_loses_nothing(queue: Queue) {
        let mut member = queue.member().await;
        let publisher = queue.publisher();
        let publishing = tokio::spawn(async move {
            for message in spread(5, 20) {
                publish(&*publisher, &[message]).await;
            }
        });
        let (begun, mut seen) = (Instant::now(), Vec::new());
        for n in 0u64.. {
            if seen.len() == 100 {
                break;
            }
            assert!(begun.elapsed() < SOON, "{} of 100 came", seen.len());
            // Each is dropped at another point: before its first poll has ended, or a moment later.
            let patience = Duration::from_micros(n % 7 * 300);
            let Ok(received) = tokio::time::timeout(patience, member.0.receive(3)).await else { continue };
            for delivery in received.unwrap() {
                seen.push(Seen::of(&delivery));
                delivery.ack().await.unwrap();
            }
        }
        publishing.await.unwrap();
        assert_in_order(&seen, 5, 20);
        queue.finished(GROUP).await;
    }

    async fn topics_of_one_member_come_both(queue: Queue) {
        let mut member = Member(queue.subscribe(Start::Beginning, GROUP, &[TOPIC, "orders.paid"]).await.unwrap());
        let other = Message::builder("orders.paid").payload("paid", "text/plain").build().unwrap();
        let third = Message::builder("orders.shipped").payload("shipped", "text/plain").build().unwrap();
        queue.publish(&[message("k", "placed"), other, third]).await;
        let seen = member.handle(2).await;
        assert_eq!(texts(&seen).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["paid", "placed"]));
        member.gets_nothing().await;
    }
}
