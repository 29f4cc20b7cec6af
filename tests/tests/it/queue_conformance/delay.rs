//! A delayed message comes when it is due, and has its place in its key's order from then on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use outbox_core::{Message, MessageBuilder};

use super::support::*;

/// A database's clock may count milliseconds.
const TICK: Duration = Duration::from_millis(2);

fn text(text: &str) -> MessageBuilder {
    Message::builder(TOPIC)
        .key("k")
        .payload(text.to_owned(), "text/plain")
}

on_every_queue! {
    async fn a_delayed_message_comes_when_it_is_due_and_not_before(queue: Queue) {
        let mut member = queue.member().await;
        let published = Instant::now();
        let delay = Duration::from_millis(800);
        queue.publish(&[text("delayed").delay(delay).build().unwrap()]).await;
        assert_eq!(queue.group(GROUP).await.unwrap().unfinished, 1);
        let delivery = member.one().await;
        let waited = published.elapsed();
        assert!(waited + TICK >= delay, "{waited:?}");
        assert!(waited < delay + Duration::from_secs(3), "{waited:?}");
        delivery.ack().await.unwrap();
        let due = SystemTime::now() + delay;
        queue.publish(&[text("at").deliver_at(due).build().unwrap()]).await;
        let delivery = member.one().await;
        let now = SystemTime::now();
        assert!(now + TICK >= due && now < due + Duration::from_secs(3), "{now:?} for {due:?}");
        delivery.ack().await.unwrap();
        queue.finished(GROUP).await;
    }

    async fn what_is_due_already_comes_at_once(queue: Queue) {
        let mut member = queue.member().await;
        let past = SystemTime::now() - Duration::from_secs(60);
        let batch = [text("0").build(), text("1").deliver_at(past).build(), text("2").delay(Duration::ZERO).build(), text("3").build()];
        queue.publish(&batch.map(Result::unwrap)).await;
        assert_eq!(texts(&member.handle(4).await), ["0", "1", "2", "3"]);
    }

    async fn delayed_messages_come_in_the_order_in_which_they_are_due(queue: Queue) {
        queue.member().await.close().await;
        let base = SystemTime::now() + Duration::from_millis(500);
        let at = |n: u64| base + Duration::from_millis(n * 40);
        // Published in another order than they are due in, and all due when somebody looks.
        let batch: Vec<Message> = (0..12).map(|n| n * 5 % 12).map(|n: u64| text(&n.to_string()).deliver_at(at(n)).build().unwrap()).collect();
        queue.publish(&batch).await;
        queue.publish(&[text("now").build().unwrap()]).await;
        eventually("the last one is due", async || SystemTime::now() > at(12)).await;
        let seen = queue.member().await.handle(13).await;
        let mut expected = vec!["now".to_owned()];
        expected.extend((0..12).map(|n| n.to_string()));
        assert_eq!(texts(&seen), expected);
        assert!(seen.windows(2).all(|two| two[0].offset < two[1].offset));
    }

    async fn many_of_one_moment_all_come(queue: Queue) {
        queue.declare(TOPIC, 3).await.unwrap();
        let mut member = queue.member().await;
        let due = SystemTime::now() + Duration::from_secs(4);
        let batch: Vec<Message> = (0..10_000)
            .map(|n| Message::builder(TOPIC).key(format!("k{}", n % 100)).payload((n / 100).to_string(), "text/plain").deliver_at(due).build().unwrap())
            .collect();
        publish_many(&*queue.publisher(), &batch).await;
        // Those that are published when they are due already need not wait for the others.
        let in_time = SystemTime::now() < due;
        let seen = member.handle(10_000).await;
        assert_eq!(seen.iter().map(|seen| seen.id).collect::<BTreeSet<_>>().len(), 10_000);
        if in_time {
            assert_in_order(&seen, 100, 100);
        }
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn a_delayed_message_comes_to_each_group(queue: Queue) {
        let mut first = queue.member().await;
        queue.publish(&[text("delayed").delay(Duration::from_millis(300)).build().unwrap()]).await;
        // One that begins now gets what becomes due later.
        let mut now = queue.member_of("now", outbox_core::group::Start::Now).await;
        for member in [&mut first, &mut now] {
            assert_eq!(texts(&member.handle(1).await), ["delayed"]);
        }
    }
}
