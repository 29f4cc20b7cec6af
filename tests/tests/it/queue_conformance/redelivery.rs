//! What has no outcome, or failed, comes again.

use std::time::{Duration, Instant};

use super::support::*;

on_every_queue! {
    async fn a_dropped_delivery_comes_again_with_the_same_attempt(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("k", [0]).await;
        for _ in 0..3 {
            let delivery = member.one().await;
            assert_eq!(delivery.attempt(), 1);
            drop(delivery);
        }
        member.one().await.retry(Duration::ZERO, "not now").await.unwrap();
        for _ in 0..3 {
            let delivery = member.one().await;
            assert_eq!(delivery.attempt(), 2);
            drop(delivery);
        }
        member.one().await.ack().await.unwrap();
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn retries_count_attempts(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("k", ["a"]).await;
        queue.publish(&[outbox_core::Message::builder(TOPIC).payload("b", "text/plain").build().unwrap()]).await;
        let log = member
            .log(2, |seen| if seen.attempt < 6 { Say::Retry(Duration::ZERO) } else { Say::Ack })
            .await;
        for text in ["a", "b"] {
            let attempts: Vec<u32> = log.iter().filter(|(seen, _)| seen.text == text).map(|(seen, _)| seen.attempt).collect();
            assert_eq!(attempts, [1, 2, 3, 4, 5, 6]);
        }
    }

    async fn a_retry_waits_about_as_long_as_asked(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("k", ["a", "b"]).await;
        for after in [700, 50].map(Duration::from_millis) {
            let delivery = member.one().await;
            let failed = Instant::now();
            delivery.retry(after, "not now").await.unwrap();
            let again = member.one().await;
            let waited = failed.elapsed();
            assert_eq!(Seen::of(&again).text, "a");
            // A clock of milliseconds may have rounded.
            assert!(waited + Duration::from_millis(2) >= after, "{waited:?} for {after:?}");
            assert!(waited < after + Duration::from_secs(3), "{waited:?} for {after:?}");
            drop(again);
        }
        assert_eq!(texts(&member.handle(2).await), ["a", "b"]);
    }

    async fn messages_without_a_key_hold_nobody_up(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        let batch: Vec<_> = (0..10)
            .map(|n| outbox_core::Message::builder(TOPIC).payload(n.to_string(), "text/plain").build().unwrap())
            .collect();
        queue.publish(&batch).await;
        let seen = member
            .work(9, |seen| if seen.text == "4" { Say::Retry(LONG) } else { Say::Ack })
            .await;
        assert!(seen.iter().all(|seen| seen.text != "4"));
        member.gets_nothing().await;
    }

    /// Whoever shares a group out reads what is to be retried anew; that must not bring back what was just acknowledged.
    async fn a_retry_that_was_acknowledged_does_not_come_again_when_the_group_changes(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        let backend = queue.backend();
        let stop = tokio_util::sync::CancellationToken::new();
        let changing = tokio::spawn({
            let stop = stop.clone();
            async move {
                // Others come and go, so that the group is shared out all the time.
                while !stop.is_cancelled() {
                    let mut other = backend.subscribe(outbox_core::group::Start::Beginning, GROUP, &["nothing"]).await.unwrap();
                    other.close().await.unwrap();
                }
            }
        });
        for round in 0..10 {
            let messages = spread(40, 1);
            queue.publish(&messages).await;
            let log = member
                .log(40, |seen| if seen.attempt == 1 { Say::Retry(Duration::from_millis(round)) } else { Say::Ack })
                .await;
            let mut acked: Vec<_> = log.iter().filter(|(_, said)| *said == Say::Ack).map(|(seen, _)| seen.id).collect();
            acked.sort_unstable();
            acked.dedup();
            assert_eq!(acked.len(), 40, "one came twice");
        }
        stop.cancel();
        changing.await.unwrap();
        member.gets_nothing().await;
        queue.finished(GROUP).await;
    }
}
