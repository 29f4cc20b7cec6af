//! What can't be handled is kept, and can be given back.

use std::collections::BTreeSet;
use std::time::Duration;

use outbox_core::{Message, MessageId};
use outbox_tests::{Dead, DeadFilter, Refused};

use super::support::*;

async fn all_dead(queue: &Queue) -> Vec<Dead> {
    queue.dead(GROUP, &DeadFilter::default(), 100).await.unwrap()
}

fn ids(dead: &[Dead]) -> BTreeSet<MessageId> {
    dead.iter().map(|dead| dead.message.id()).collect()
}

on_every_queue! {
    async fn a_dead_letter_keeps_content_and_error_and_its_key_goes_on(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("k", ["a", "b", "c"]).await;
        let log = member
            .log(3, |seen| match (&*seen.text, seen.attempt) {
                ("b", 1 | 2) => Say::Retry(Duration::ZERO),
                ("b", _) | ("a", _) => Say::Dead,
                _ => Say::Ack,
            })
            .await;
        assert_eq!(log.iter().map(|(seen, _)| &*seen.text).collect::<Vec<_>>(), ["a", "b", "b", "b", "c"]);
        let mut dead = all_dead(&queue).await;
        dead.sort_by_key(|dead| dead.offset);
        assert_eq!(dead.len(), 2);
        for (dead, (text, attempts)) in dead.iter().zip([("a", 1), ("b", 3)]) {
            assert_eq!(&**dead.message.payload(), text.as_bytes());
            assert_eq!((dead.message.key(), dead.message.topic()), (Some("k"), TOPIC));
            assert_eq!((dead.attempts, &*dead.error), (attempts, "broken"));
            let (seen, _) = log.iter().find(|(seen, _)| seen.text == text).unwrap();
            assert_eq!((dead.queue, dead.offset, dead.message.id()), (seen.queue, seen.offset, seen.id));
        }
        queue.finished(GROUP).await;
        assert_eq!(queue.group(GROUP).await.unwrap().dead, 2);
        member.gets_nothing().await;
    }

    async fn an_error_is_kept_whatever_it_holds(queue: Queue) {
        let mut member = queue.member().await;
        queue.publish(&spread(3, 1)).await;
        // A zero byte, which a database may not hold; one that is too long, cut within a letter; none.
        for error in ["a\0b".to_owned(), "ü".repeat(3_000), String::new()] {
            member.one().await.dead(&error).await.unwrap();
        }
        let dead = all_dead(&queue).await;
        assert_eq!(dead.len(), 3);
        for dead in dead {
            assert!(dead.error.is_empty() || dead.error.starts_with('a') || dead.error.starts_with("üü"), "{}", dead.error);
            assert!(dead.error.len() <= 4_096);
        }
    }

    async fn dead_letters_are_found_by_topic_and_key_and_page(queue: Queue) {
        queue.declare(TOPIC, 3).await.unwrap();
        let topics = [TOPIC, "orders.paid"];
        let mut member = Member(queue.subscribe(outbox_core::group::Start::Beginning, GROUP, &topics).await.unwrap());
        let batch: Vec<Message> = (0..36)
            .map(|n| Message::builder(topics[n % 2]).key(format!("k{}", n % 3)).payload(n.to_string(), "text/plain").build().unwrap())
            .collect();
        queue.publish(&batch).await;
        member.work(36, |_| Say::Dead).await;
        for page in [1, 5, 12, 36, 100] {
            let all = queue.dead(GROUP, &DeadFilter::default(), page).await.unwrap();
            assert_eq!((all.len(), ids(&all).len()), (36, 36));
            let both = DeadFilter { topic: Some(topics[1].into()), key: Some("k1".into()) };
            for (filter, expected) in [(DeadFilter::of_key("k2"), 12), (DeadFilter::of_topic(TOPIC), 18), (both, 6), (DeadFilter::of_key("none"), 0)] {
                let found = queue.dead(GROUP, &filter, page).await.unwrap();
                assert_eq!((found.len(), ids(&found).len()), (expected, expected), "{filter:?}");
                assert!(found.iter().all(|dead| filter.key.as_deref().is_none_or(|key| dead.message.key() == Some(key))));
                assert!(found.iter().all(|dead| filter.topic.as_deref().is_none_or(|topic| dead.message.topic() == topic)));
            }
        }
        assert_eq!(queue.dead("nobody", &DeadFilter::default(), 10).await.err(), Some(Refused::UnknownGroup));
    }

    async fn a_redriven_message_comes_again_with_no_attempts_counted(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("k", ["a", "b"]).await;
        let log = member.log(2, |seen| if seen.attempt < 3 { Say::Retry(Duration::ZERO) } else { Say::Dead }).await;
        let (first, _) = &log[0];
        assert_eq!(queue.redrive(GROUP, first.id).await, Ok(1));
        assert_eq!(queue.redrive(GROUP, first.id).await, Ok(0), "twice is harmless");
        let seen = member.handle(1).await;
        assert_eq!(seen, std::slice::from_ref(first), "with the same place, id and content");
        queue.finished(GROUP).await;
        assert_eq!(queue.redrive(GROUP, first.id).await, Ok(0));
        assert_eq!(all_dead(&queue).await.len(), 1);
        member.gets_nothing().await;
    }

    async fn two_who_redrive_at_once_redrive_once(queue: Queue) {
        let mut member = queue.member().await;
        queue.publish(&spread(10, 3)).await;
        member.work(30, |_| Say::Dead).await;
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let backend = queue.backend();
                tokio::spawn(async move { backend.redrive_all(GROUP, &DeadFilter::default()).await.unwrap() })
            })
            .collect();
        let mut redriven = 0;
        for task in tasks {
            redriven += task.await.unwrap();
        }
        assert_eq!(redriven, 30);
        assert_in_order(&member.handle(30).await, 10, 3);
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn those_of_a_filter_come_again_in_their_order(queue: Queue) {
        queue.declare(TOPIC, 3).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(6, 20)).await;
        member.work(120, |_| Say::Dead).await;
        assert_eq!(queue.redrive_all(GROUP, &DeadFilter::of_key("k3")).await, Ok(20));
        let seen = member.handle(20).await;
        assert!(seen.iter().all(|seen| seen.key == "k3"));
        assert_in_order(&seen, 1, 20);
        member.gets_nothing().await;
        assert_eq!(all_dead(&queue).await.len(), 100);
        assert_eq!(queue.redrive_all(GROUP, &DeadFilter::default()).await, Ok(100));
        assert_in_order(&member.handle(100).await, 5, 20);
        queue.finished(GROUP).await;
    }

    /// More than go in one transaction.
    async fn a_thousand_dead_letters_are_redriven_in_order(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        publish_many(&*queue.publisher(), &spread(12, 100)).await;
        // All at once, so that they are written together.
        let mut buried = 0;
        while buried < 1_200 {
            let dead: Vec<_> = member.next(500).await.into_iter().map(|delivery| delivery.dead("broken")).collect();
            buried += dead.len();
            let dead: Vec<_> = dead.into_iter().map(tokio::spawn).collect();
            for dead in dead {
                dead.await.unwrap().unwrap();
            }
        }
        assert_eq!(queue.redrive_all(GROUP, &DeadFilter::default()).await, Ok(1_200));
        assert_in_order(&member.handle(1_200).await, 12, 100);
        queue.finished(GROUP).await;
        assert_eq!(all_dead(&queue).await.len(), 0);
    }

    async fn a_redriven_message_takes_its_old_place_before_those_that_wait(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("k", ["a", "b", "c", "d"]).await;
        // a dies; b fails and waits, with c and d behind it.
        let log = member.log(1, |seen| if seen.text == "a" { Say::Dead } else { Say::Retry(LONG) }).await;
        let a = log.iter().find(|(seen, _)| seen.text == "a").unwrap().0.id;
        member.one().await.retry(Duration::from_millis(1_500), "not now").await.unwrap();
        assert_eq!(queue.redrive(GROUP, a).await, Ok(1));
        let seen = member.handle(4).await;
        assert_eq!(texts(&seen), ["a", "b", "c", "d"]);
        assert_eq!(seen.iter().map(|seen| seen.attempt).collect::<Vec<_>>(), [1, 2, 1, 1]);
    }

    /// A message that is out, or was read ahead, and a redriven one before it: that one comes before all that are not out.
    async fn a_redriven_message_comes_before_what_was_not_handed_out(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("k", 0..8).await;
        let first = member.one().await;
        let id = first.message().id();
        first.dead("broken").await.unwrap();
        let held = member.one().await;
        assert_eq!(Seen::of(&held).text, "1");
        assert_eq!(queue.redrive(GROUP, id).await, Ok(1));
        // The redrive is known to the member when it comes; until then nothing is taken.
        held.retry(Duration::from_secs(2), "not now").await.unwrap();
        assert_eq!(texts(&member.handle(8).await), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    }

    async fn what_dies_again_is_a_dead_letter_again(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("k", ["a"]).await;
        let id = member.work(1, |_| Say::Dead).await[0].id;
        for _ in 0..3 {
            assert_eq!(queue.redrive(GROUP, id).await, Ok(1));
            assert_eq!(member.work(1, |_| Say::Dead).await[0].attempt, 1);
            let dead = all_dead(&queue).await;
            assert_eq!((dead.len(), dead[0].attempts), (1, 1));
        }
    }

    async fn a_message_that_was_published_twice_dies_twice(queue: Queue) {
        let mut member = queue.member().await;
        let message = message("k", "a");
        for _ in 0..2 {
            queue.publish(std::slice::from_ref(&message)).await;
        }
        member.work(2, |_| Say::Dead).await;
        assert_eq!(queue.redrive(GROUP, message.id()).await, Ok(2));
        assert_eq!(member.work(2, |_| Say::Dead).await.len(), 2);
        assert_eq!(queue.discard(GROUP, message.id()).await, Ok(2));
    }

    async fn what_is_discarded_is_gone(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(3, 1)).await;
        let held = member.one().await;
        let id = member.work(1, |_| Say::Dead).await[0].id;
        assert_eq!(queue.discard(GROUP, id).await, Ok(1));
        assert_eq!(queue.discard(GROUP, id).await, Ok(0));
        assert_eq!(queue.redrive(GROUP, id).await, Ok(0));
        assert!(all_dead(&queue).await.is_empty());
        held.ack().await.unwrap();
        assert_eq!(member.handle(1).await.len(), 1);
        queue.finished(GROUP).await;
        member.close().await;
        let mut again = queue.member().await;
        again.gets_nothing().await;
    }

    async fn each_group_has_its_own_dead_letters(queue: Queue) {
        let mut member = queue.member().await;
        let mut other = queue.member_of("billing", outbox_core::group::Start::Beginning).await;
        queue.say("k", ["a"]).await;
        let id = member.work(1, |_| Say::Dead).await[0].id;
        assert_eq!(other.handle(1).await.len(), 1);
        assert_eq!(queue.redrive("billing", id).await, Ok(0));
        assert_eq!(queue.redrive(GROUP, id).await, Ok(1));
        assert_eq!(member.handle(1).await.len(), 1);
        other.gets_nothing().await;
    }
}
