//! The messages of a key come in their order, whatever happens to those before.

use std::collections::HashMap;
use std::time::Duration;

use super::support::*;

on_every_queue! {
    async fn messages_of_a_key_come_in_order_over_many_receives(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(5, 40)).await;
        let mut seen = Vec::new();
        for max in (1..).map(|n| n % 9 + 1) {
            if seen.len() == 200 {
                break;
            }
            for delivery in member.next(max).await {
                seen.push(Seen::of(&delivery));
                delivery.ack().await.unwrap();
            }
        }
        assert_in_order(&seen, 5, 40);
    }

    /// The outcomes come in any order; the deliveries don't.
    async fn outcomes_may_come_in_any_order(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(6, 20)).await;
        let mut seen = Vec::new();
        while seen.len() < 120 {
            let mut deliveries = member.next(20).await;
            seen.extend(deliveries.iter().map(Seen::of));
            while let Some(delivery) = deliveries.pop() {
                delivery.ack().await.unwrap();
            }
        }
        assert_in_order(&seen, 6, 20);
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn a_failed_message_holds_up_its_key_and_nothing_else(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        queue.say("a", 0..3).await;
        queue.publish(&spread(3, 20)).await;
        let log = member
            .log(60, |seen| if seen.key == "a" { Say::Retry(LONG) } else { Say::Ack })
            .await;
        let of_a = log.iter().filter(|(seen, _)| seen.key == "a").count();
        assert_eq!(of_a, 1, "what is behind the failed one must wait");
        // Those that are published now wait as well.
        queue.say("a", [3]).await;
        queue.say("k0", [20]).await;
        assert_eq!(texts(&member.handle(1).await), ["20"]);
        member.gets_nothing().await;
    }

    async fn a_failed_message_comes_before_later_ones_of_its_key(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(4, 10)).await;
        let soon = Duration::from_millis(20);
        let log = member
            .log(40, |seen| match (seen.attempt, &*seen.text) {
                (1, "0" | "3" | "9") | (2, "3") => Say::Retry(soon),
                _ => Say::Ack,
            })
            .await;
        for key in 0..4 {
            let of_key: Vec<&str> = log
                .iter()
                .filter(|(seen, _)| seen.key == format!("k{key}"))
                .map(|(seen, _)| &*seen.text)
                .collect();
            assert_eq!(of_key, ["0", "0", "1", "2", "3", "3", "3", "4", "5", "6", "7", "8", "9", "9"]);
        }
        queue.finished(GROUP).await;
    }

    /// Any message may fail, up to three times, and any may be dropped; the deliveries may be settled late.
    async fn keys_keep_their_order_whatever_fails(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let seed = crate::support::seed();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut member = queue.member().await;
        let publisher = queue.publisher();
        let publishing = tokio::spawn(async move {
            for batch in spread(6, 40).chunks(16) {
                publish(&*publisher, batch).await;
            }
        });
        let mut failures: HashMap<_, u32> = HashMap::new();
        let seen = member
            .work(240, |seen| {
                let failed = failures.entry(seen.id).or_default();
                assert_eq!(seen.attempt, *failed + 1, "{seen:?}");
                match random.u32(0..10) {
                    0..3 if *failed < 3 => {
                        *failed += 1;
                        Say::Retry(Duration::from_millis(random.u64(0..10)))
                    }
                    3 => Say::Drop,
                    _ => Say::Ack,
                }
            })
            .await;
        publishing.await.unwrap();
        assert_in_order(&seen, 6, 40);
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn what_is_dropped_without_an_outcome_comes_again_in_order(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(2, 6)).await;
        for _ in 0..5 {
            let mut deliveries = member.next(4).await;
            while let Some(delivery) = deliveries.pop() {
                drop(delivery);
            }
        }
        let seen = member.handle(12).await;
        assert_in_order(&seen, 2, 6);
        assert!(seen.iter().all(|seen| seen.attempt == 1));
    }

    async fn another_member_goes_on_in_order(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        queue.publish(&spread(4, 10)).await;
        let mut first = queue.member().await;
        // Of each key some are finished, the next one has failed, and the others wait.
        let log = first
            .log(8, |seen| if seen.text == "2" { Say::Retry(Duration::ZERO) } else { Say::Ack })
            .await;
        let done: Vec<Seen> = log.into_iter().filter(|(_, said)| *said == Say::Ack).map(|(seen, _)| seen).collect();
        let held = first.0.receive(2);
        drop(tokio::time::timeout(Duration::from_millis(20), held).await);
        first.close().await;
        let mut second = queue.member().await;
        let rest = second.handle(40 - done.len()).await;
        assert_in_order(&[done, rest].concat(), 4, 10);
        queue.finished(GROUP).await;
        second.gets_nothing().await;
    }
}
