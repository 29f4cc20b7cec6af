//! A queue that outlives the process goes on where it was.

use std::time::{Duration, Instant};

use super::support::*;

on_every_queue! {
    async fn retries_keep_their_order_and_attempts_over_a_restart(queue: Queue) {
        let mut queue = queue;
        if !queue.features().outlives_the_process {
            return;
        }
        queue.declare(TOPIC, 2).await.unwrap();
        queue.publish(&spread(4, 6)).await;
        let mut member = queue.member().await;
        // The second message of each key fails three times, the last time for a while.
        let wait = Duration::from_millis(1_500);
        let mut failed = 0;
        let mut last = Instant::now();
        let log = member
            .log(4, |seen| match &*seen.text {
                "0" => Say::Ack,
                _ => Say::Retry(Duration::ZERO),
            })
            .await;
        let mut attempts: std::collections::HashMap<_, u32> = std::collections::HashMap::new();
        for (seen, _) in log.iter().filter(|(seen, _)| seen.text == "1") {
            attempts.insert(seen.key.clone(), seen.attempt);
        }
        while failed < 4 {
            for delivery in member.next(10).await {
                let seen = Seen::of(&delivery);
                if seen.text != "1" {
                    continue;
                }
                let spent = seen.attempt >= 3;
                last = Instant::now();
                delivery.retry(if spent { wait } else { Duration::ZERO }, "not now").await.unwrap();
                failed += usize::from(spent);
                attempts.insert(seen.key, seen.attempt);
            }
        }
        member.close().await;
        queue.restart().await;
        let mut member = queue.member().await;
        let log = member.log(20, |_| Say::Ack).await;
        assert!(last.elapsed() + Duration::from_millis(2) >= wait, "it did not wait");
        for (seen, _) in &log {
            let expected = if seen.text == "1" { attempts[&seen.key] + 1 } else { 1 };
            assert_eq!(seen.attempt, expected, "{seen:?}");
        }
        for (key, texts) in by_key(&log.into_iter().map(|(seen, _)| seen).collect::<Vec<_>>()) {
            assert_eq!(texts, ["1", "2", "3", "4", "5"], "of {key}");
        }
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn what_was_published_delayed_or_dead_is_there_after_a_restart(queue: Queue) {
        let mut queue = queue;
        if !queue.features().outlives_the_process {
            return;
        }
        let mut member = queue.member().await;
        queue.say("dead", ["dead"]).await;
        member.one().await.dead("broken").await.unwrap();
        queue.say("k", 0..3).await;
        let delayed = outbox_core::Message::builder(TOPIC).payload("delayed", "text/plain").delay(Duration::from_millis(500));
        queue.publish(&[delayed.build().unwrap()]).await;
        assert_eq!(texts(&member.handle(1).await), ["0"]);
        member.close().await;
        queue.restart().await;
        let mut member = queue.member().await;
        let mut seen = member.handle(3).await;
        seen.sort_by(|a, b| a.text.cmp(&b.text));
        assert_eq!(texts(&seen), ["1", "2", "delayed"]);
        assert_eq!(queue.dead(GROUP, &Default::default(), 10).await.unwrap().len(), 1);
        member.gets_nothing().await;
    }

    /// As two processes have it: messages and members of the one are the other's.
    async fn two_handles_are_one_queue(queue: Queue) {
        if !queue.features().outlives_the_process {
            return;
        }
        queue.declare(TOPIC, 2).await.unwrap();
        let other = queue.reopen().await.unwrap();
        let mut here = queue.member().await;
        let there = other.publisher();
        publish(&*there, &spread(6, 10)).await;
        let seen = here.handle(60).await;
        assert_in_order(&seen, 6, 10);
        let mut second = Member(other.subscribe(outbox_core::group::Start::Beginning, GROUP, &[TOPIC]).await.unwrap());
        queue.has_members(GROUP, 2).await;
        here.close().await;
        queue.say("k", 0..3).await;
        assert_eq!(texts(&second.handle(3).await), ["0", "1", "2"]);
        // It learns of a topic that has grown elsewhere.
        queue.grow(TOPIC, 5).await.unwrap();
        publish(&*there, &spread(20, 3)).await;
        assert_in_order(&second.handle(60).await, 20, 3);
    }
}
