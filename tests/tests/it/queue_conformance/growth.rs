//! A topic grows under way: keys keep their order, nothing is lost or comes twice.

use std::collections::BTreeSet;
use std::time::Duration;

use outbox_core::group::Start;
use outbox_tests::DeadFilter;

use super::support::*;

const KEYS: usize = 24;

on_every_queue! {
    async fn keys_keep_their_order_when_a_topic_grows(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        let messages = spread(KEYS, 30);
        let (first, rest) = messages.split_at(KEYS * 10);
        queue.publish(first).await;
        let mut seen = member.handle(50).await;
        let held = member.hold(10).await;
        queue.grow(TOPIC, 3).await.unwrap();
        let (second, third) = rest.split_at(KEYS * 10);
        queue.publish(second).await;
        for delivery in held {
            seen.push(Seen::of(&delivery));
            delivery.ack().await.unwrap();
        }
        seen.extend(member.handle(40).await);
        let held = member.hold(5).await;
        queue.grow(TOPIC, 8).await.unwrap();
        queue.publish(third).await;
        seen.extend(held.iter().map(Seen::of));
        for delivery in held {
            delivery.ack().await.unwrap();
        }
        let left = messages.len() - seen.len();
        seen.extend(member.handle(left).await);
        assert_in_order(&seen, KEYS, 30);
        assert_eq!(seen.iter().map(|seen| seen.queue).collect::<BTreeSet<_>>().len(), 8);
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn a_key_that_fails_below_the_split_keeps_its_order_and_holds_up_no_other(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        let messages = spread(KEYS, 12);
        let (first, rest) = messages.split_at(KEYS * 4);
        queue.publish(first).await;
        // The third message of every second key fails, for longer than the topic needs to grow.
        let fails = |seen: &Seen| seen.text == "2" && seen.attempt == 1 && seen.key.len() == 2;
        let wait = Duration::from_secs(3);
        let failing = 10;
        let log = member.log(failing * 2 + (KEYS - failing) * 4, |seen| if fails(seen) { Say::Retry(wait) } else { Say::Ack }).await;
        let mut seen: Vec<Seen> = log.into_iter().filter(|(_, said)| *said == Say::Ack).map(|(seen, _)| seen).collect();
        queue.grow(TOPIC, 3).await.unwrap();
        let (second, third) = rest.split_at(KEYS * 4);
        queue.publish(second).await;
        queue.grow(TOPIC, 8).await.unwrap();
        queue.publish(third).await;
        // Those of the other keys come while the ten wait.
        let others = member.handle((KEYS - failing) * 8).await;
        seen.extend(others);
        let left = messages.len() - seen.len();
        let rest = member.handle(left).await;
        assert!(rest.iter().all(|seen| (seen.text == "2") == (seen.attempt == 2)), "attempts are lost in the move");
        seen.extend(rest);
        assert_in_order(&seen, KEYS, 12);
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn a_topic_grows_while_it_is_published_to_and_read_by_several(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let publisher = queue.publisher();
        let publishing = tokio::spawn(async move {
            for batch in spread(KEYS, 40).chunks(KEYS) {
                publish(&*publisher, batch).await;
                // Over all the time in which it grows.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let stop = tokio_util::sync::CancellationToken::new();
        let mut tasks = Vec::new();
        for _ in 0..2 {
            let (mut member, seen, stop) = (queue.member().await, seen.clone(), stop.clone());
            tasks.push(tokio::spawn(async move {
                let mut n = 0;
                loop {
                    let deliveries = tokio::select! {
                        deliveries = member.0.receive(16) => deliveries.unwrap(),
                        () = stop.cancelled() => return,
                    };
                    let mut failed = BTreeSet::new();
                    for delivery in deliveries {
                        let now = Seen::of(&delivery);
                        if failed.contains(&now.key) {
                            continue;
                        }
                        n += 1;
                        if n % 7 == 0 && now.attempt == 1 {
                            delivery.retry(Duration::from_millis(30), "not now").await.unwrap();
                            failed.insert(now.key);
                        } else {
                            // Noted before it is acknowledged: afterwards another one may be faster.
                            seen.lock().unwrap().push(now);
                            delivery.ack().await.unwrap();
                        }
                    }
                }
            }));
        }
        for queues in [3, 5, 8] {
            let handled = seen.lock().unwrap().len();
            eventually("the group goes on", async || seen.lock().unwrap().len() >= (handled + 100).min(KEYS * 40)).await;
            queue.grow(TOPIC, queues).await.unwrap();
        }
        publishing.await.unwrap();
        eventually("all is handled", async || seen.lock().unwrap().len() >= KEYS * 40).await;
        queue.finished(GROUP).await;
        let seen = seen.lock().unwrap().clone();
        assert_in_order(&seen, KEYS, 40);
        stop.cancel();
        for task in tasks {
            task.await.unwrap();
        }
    }

    async fn a_dead_letter_of_before_is_redriven_to_where_its_key_is(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(KEYS, 2)).await;
        member.work(KEYS * 2, |_| Say::Dead).await;
        queue.grow(TOPIC, 3).await.unwrap();
        queue.publish(&spread(KEYS, 1)).await;
        assert_eq!(member.handle(KEYS).await.len(), KEYS);
        queue.grow(TOPIC, 6).await.unwrap();
        assert_eq!(queue.redrive_all(GROUP, &DeadFilter::default()).await, Ok(KEYS as u64 * 2));
        assert_in_order(&member.handle(KEYS * 2).await, KEYS, 2);
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn a_new_group_replays_a_topic_that_has_grown_in_order(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let messages = spread(KEYS, 9);
        queue.publish(&messages[..KEYS * 3]).await;
        queue.grow(TOPIC, 3).await.unwrap();
        queue.publish(&messages[KEYS * 3..KEYS * 6]).await;
        let moment = a_moment().await;
        queue.grow(TOPIC, 7).await.unwrap();
        queue.publish(&messages[KEYS * 6..]).await;
        let mut member = queue.member().await;
        assert_in_order(&member.handle(messages.len()).await, KEYS, 9);
        queue.finished(GROUP).await;
        queue.seek(GROUP, TOPIC, Start::Beginning).await.unwrap();
        assert_in_order(&member.handle(messages.len()).await, KEYS, 9);
        queue.finished(GROUP).await;
        queue.seek(GROUP, TOPIC, Start::At(moment)).await.unwrap();
        let late = member.handle(KEYS * 3).await;
        assert!(by_key(&late).values().all(|texts| texts == &["6", "7", "8"]));
        queue.finished(GROUP).await;
        let mut now = queue.member_of("now", Start::Now).await;
        queue.say("k0", ["new"]).await;
        assert_eq!(texts(&now.handle(1).await), ["new"]);
        member.handle(1).await;
        member.gets_nothing().await;
    }
}
