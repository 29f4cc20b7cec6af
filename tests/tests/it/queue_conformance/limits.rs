//! What can't be is refused with a typed error, and nothing of it is done.

use outbox_core::group::Start;
use outbox_core::{Message, PublishErrorKind};
use outbox_tests::Refused;

use super::support::*;

on_every_queue! {
    async fn a_message_that_is_too_large_is_refused_alone(queue: Queue) {
        let Some(max) = queue.features().payload_bytes else { return };
        let mut member = queue.member().await;
        let sized = |bytes: usize| Message::builder(TOPIC).key("k").payload(vec![b'x'; bytes], "text/plain").build().unwrap();
        let batch = [message("k", "0"), sized(max + 1), message("k", "1"), sized(max), sized(max + 1)];
        let answers = try_publish(&queue, &batch).await;
        let kinds: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.kind())).collect();
        let invalid = Err(PublishErrorKind::Invalid);
        assert_eq!(kinds, [Ok(()), invalid, Ok(()), Ok(()), invalid]);
        let seen = member.handle(3).await;
        assert_eq!(seen.iter().map(|seen| seen.offset).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!((seen[0].text.len(), seen[1].text.len(), seen[2].text.len()), (1, 1, max));
        queue.finished(GROUP).await;
        assert!(try_publish(&queue, &[sized(max + 1)]).await[0].is_err());
        member.gets_nothing().await;
    }

    async fn a_message_with_a_topic_that_can_not_be_is_refused_alone(queue: Queue) {
        if !queue.features().checks_topic_names {
            return;
        }
        let mut member = queue.member().await;
        let long = "t".repeat(256);
        for name in ["", "with space", "ü", "a\0b", &*long] {
            let bad = Message::builder(name).build_unchecked();
            let answers = try_publish(&queue, &[bad, message("k", name)]).await;
            let kinds: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.kind())).collect();
            assert_eq!(kinds, [Err(PublishErrorKind::Invalid), Ok(())]);
            assert_eq!(member.handle(1).await.len(), 1);
            assert_eq!(queue.declare(name, 2).await, Err(Refused::TopicName));
            let subscribed = queue.subscribe(Start::Beginning, "other", &[TOPIC, name]).await;
            assert_eq!(subscribed.err(), Some(Refused::TopicName));
        }
        assert_eq!(queue.group("other").await.err(), Some(Refused::UnknownGroup), "a group was made");
    }

    async fn a_batch_that_is_too_large_is_refused_whole(queue: Queue) {
        let mut member = queue.member().await;
        let max = queue.publisher().capabilities().max_batch;
        let answers = try_publish(&queue, &spread(1, max + 1)).await;
        assert_eq!(answers.len(), max + 1);
        assert!(answers.iter().all(Result::is_err));
        member.gets_nothing().await;
        queue.publish(&spread(1, max)).await;
        assert_in_order(&member.handle(max).await, 1, max);
    }

    async fn a_member_has_a_group_with_a_name_and_topics(queue: Queue) {
        let unnamed = queue.subscribe(Start::Beginning, "", &[TOPIC]).await;
        assert_eq!(unnamed.err(), Some(Refused::GroupUnnamed));
        let without = queue.subscribe(Start::Beginning, GROUP, &[]).await;
        assert_eq!(without.err(), Some(Refused::NoTopics));
        assert_eq!(queue.group(GROUP).await.err(), Some(Refused::UnknownGroup));
    }

    async fn a_topic_has_a_number_of_queues_that_can_be(queue: Queue) {
        for queues in [0, 1_025, u32::MAX] {
            assert_eq!(queue.declare(TOPIC, queues).await, Err(Refused::Queues));
        }
        assert_eq!(queue.grow(TOPIC, 4).await, Err(Refused::UnknownTopic));
        queue.declare(TOPIC, 3).await.unwrap();
        queue.declare(TOPIC, 3).await.unwrap();
        assert_eq!(queue.declare(TOPIC, 4).await, Err(Refused::TopicExists));
        assert_eq!(queue.grow(TOPIC, 2).await, Err(Refused::Shrinks));
        assert_eq!(queue.grow(TOPIC, 1_025).await, Err(Refused::Queues));
        queue.grow(TOPIC, 3).await.unwrap();
        queue.grow(TOPIC, 5).await.unwrap();
        assert_eq!(queue.grow(TOPIC, 3).await, Err(Refused::Shrinks));
        // As it has grown to, and not as it was.
        queue.declare(TOPIC, 5).await.unwrap();
        queue.declare("most", 1_024).await.unwrap();
        queue.say("k", 0..3).await;
        assert_eq!(texts(&queue.member().await.handle(3).await), ["0", "1", "2"]);
    }

    /// As many as a member takes at once are some, also none and very many.
    async fn any_number_may_be_asked_for(queue: Queue) {
        let mut member = queue.member().await;
        queue.publish(&spread(3, 1)).await;
        let received = member.0.receive(0).await.unwrap();
        assert_eq!(received.len(), 1);
        drop(received);
        let mut seen = 0;
        while seen < 3 {
            for delivery in member.0.receive(usize::MAX).await.unwrap() {
                delivery.ack().await.unwrap();
                seen += 1;
            }
        }
        queue.finished(GROUP).await;
    }

    /// A time that no clock reaches is never, and not a panic.
    async fn a_retry_may_wait_for_ever(queue: Queue) {
        let mut member = queue.member().await;
        queue.publish(&spread(2, 1)).await;
        member.one().await.retry(std::time::Duration::MAX, "never").await.unwrap();
        member.one().await.ack().await.unwrap();
        member.gets_nothing().await;
        assert_eq!(queue.group(GROUP).await.unwrap().unfinished, 1);
        member.close().await;
        queue.member().await.gets_nothing().await;
    }
}
