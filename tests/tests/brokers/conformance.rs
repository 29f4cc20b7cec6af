//! What every engine does: delivery, order, groups, attempts, dead letters, identity, limits.

use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use outbox_core::{Headers, Message, MessageId, PublishErrorKind};

use super::engine::*;

on_every_engine! {
    async fn every_message_comes_once_to_each_group(engine: Engine) {
        let (mut shipping, mut billing) = (engine.member().await, engine.member_of("billing").await);
        engine.publish(&spread(10, 30)).await;
        for member in [&mut shipping, &mut billing] {
            let seen = member.handle(300).await;
            assert!(seen.iter().all(|seen| seen.attempt == 1));
            assert_in_order(&seen, 10, 30);
            member.gets_nothing().await;
        }
        if !engine.does().keep {
            return;
        }
        // Whoever comes later has what is still kept.
        let mut late = engine.member_of("late").await;
        assert_in_order(&late.handle(300).await, 10, 30);
    }

    async fn what_is_published_again_has_the_same_id(engine: Engine) {
        let mut member = engine.member().await;
        let messages = spread(5, 4);
        for _ in 0..3 {
            engine.publish(&messages).await;
        }
        if engine.does().drop_repeated {
            assert_in_order(&member.handle(20).await, 5, 4);
        } else {
            // Each time under the same id, by which consumers drop it.
            let ids: HashSet<MessageId> = messages.iter().map(Message::id).collect();
            for _ in 0..60 {
                let delivery = member.one().await;
                assert!(ids.contains(&delivery.message().id()));
                delivery.ack().await.unwrap();
            }
        }
        member.gets_nothing().await;
    }

    async fn whatever_fails_keys_keep_their_order(engine: Engine) {
        let seed = crate::support::seed();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut member = engine.member().await;
        engine.publish(&spread(6, 20)).await;
        let mut done: Vec<Seen> = Vec::new();
        let mut attempts = std::collections::HashMap::new();
        while done.len() < 120 {
            for delivery in member.next(50).await {
                let seen = Seen::of(&delivery);
                let attempt: &mut u32 = attempts.entry(delivery.message().id()).or_default();
                *attempt += 1;
                assert_eq!(seen.attempt, *attempt);
                match random.u32(0..10) {
                    0..3 if seen.attempt < 4 => {
                        let after = Duration::from_millis(random.u64(0..20));
                        delivery.retry(after, "by chance").await.unwrap();
                    }
                    // Dropped: it comes again.
                    3 if seen.attempt < 4 => drop(delivery),
                    _ => {
                        delivery.ack().await.unwrap();
                        done.push(seen);
                    }
                }
            }
        }
        assert_in_order(&done, 6, 20);
        member.gets_nothing().await;
    }

    async fn a_retry_waits_as_long_as_asked(engine: Engine) {
        let mut member = engine.member().await;
        engine.say("k", ["a", "b"]).await;
        for after in [700, 50].map(Duration::from_millis) {
            let delivery = member.one().await;
            let failed = Instant::now();
            delivery.retry(after, "not now").await.unwrap();
            let again = member.one().await;
            assert_eq!(Seen::of(&again).text, "a", "later ones of the key wait");
            let waited = failed.elapsed();
            assert!(waited + Duration::from_millis(2) >= after, "{waited:?} for {after:?}");
            drop(again);
        }
        let seen = member.handle(2).await;
        assert_eq!((&*seen[0].text, &*seen[1].text), ("a", "b"));
    }

    async fn a_dead_letter_keeps_content_and_error_and_its_key_goes_on(engine: Engine) {
        let (mut member, mut other) = (engine.member().await, engine.member_of("billing").await);
        engine.say("k", ["a", "b"]).await;
        member.one().await.retry(Duration::ZERO, "not now").await.unwrap();
        let delivery = member.one().await;
        let published = delivery.message().clone();
        delivery.dead("it is\nbroken \u{1f4e6}").await.unwrap();
        assert_eq!(member.handle(1).await[0].text, "b");
        let dead = engine.dead(GROUP).await;
        assert_eq!(dead.len(), 1);
        assert_same(&dead[0].message, &published);
        assert_eq!((dead[0].attempts, &*dead[0].error), (2, "it is broken \u{1f4e6}"));
        assert_eq!(other.handle(2).await.len(), 2);
        assert!(engine.dead("billing").await.is_empty(), "of that group alone");

        // It comes again for the group that could not handle it, and for no other one.
        assert_eq!(engine.redrive_all(GROUP).await, 1);
        let again = member.one().await;
        assert_same(again.message(), &published);
        assert_eq!(again.attempt(), 1);
        again.ack().await.unwrap();
        assert!(engine.dead(GROUP).await.is_empty());
        other.gets_nothing().await;
        engine.say("k", ["c"]).await;
        assert_eq!((member.handle(1).await.len(), other.handle(1).await.len()), (1, 1));
    }

    async fn what_dies_again_is_a_dead_letter_again(engine: Engine) {
        let mut member = engine.member().await;
        engine.say("k", ["a"]).await;
        for times in 1..4 {
            member.one().await.dead(&format!("broken {times} times")).await.unwrap();
            let dead = engine.dead(GROUP).await;
            assert_eq!(dead.len(), 1);
            assert_eq!(dead[0].error, format!("broken {times} times"));
            assert_eq!(engine.redrive_all(GROUP).await, 1);
        }
        assert_eq!(member.handle(1).await.len(), 1);
    }

    async fn a_message_is_the_same_in_every_delivery(engine: Engine) {
        let mut member = engine.member().await;
        let messages = every_kind();
        engine.publish(&messages).await;
        let published = |id: MessageId| messages.iter().find(|message| message.id() == id).unwrap();
        let mut finished = 0;
        while finished < messages.len() {
            for delivery in member.next(20).await {
                assert_same(delivery.message(), published(delivery.message().id()));
                match delivery.attempt() {
                    1 => delivery.retry(Duration::ZERO, "not now").await.unwrap(),
                    _ => {
                        delivery.ack().await.unwrap();
                        finished += 1;
                    }
                }
            }
        }
    }

    async fn what_is_too_large_or_has_no_place_is_refused_alone(engine: Engine) {
        let mut member = engine.member().await;
        let large = Message::builder(TOPIC).key("k").payload(vec![b'x'; 2 << 20], "text/plain").build().unwrap();
        let mut batch = vec![message("k", "0"), large, message("k", "1"), message("k", "2")];
        let invalid = Err(PublishErrorKind::Invalid);
        let mut expected = vec![Ok(()), invalid, Ok(()), Ok(())];
        if let Some(topic) = engine.does().no_topic {
            batch.insert(3, Message::builder(topic).key("k").payload("x", "text/plain").build().unwrap());
            expected.insert(3, invalid);
        }
        let answers = engine.publisher().publish(&batch).await;
        let kinds: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.kind())).collect();
        assert_eq!(kinds, expected);
        assert_in_order(&member.handle(3).await, 1, 3);
        member.gets_nothing().await;
    }

    async fn a_publisher_says_whether_it_can_be_reached(engine: Harmed) {
        let mut engine = engine;
        // Some engines take nothing while there is no group.
        drop(engine.member().await);
        let publisher = engine.publisher();
        publisher.probe().await.unwrap();
        engine.server.kill();
        assert_eq!(publisher.probe().await.unwrap_err().kind(), PublishErrorKind::Unavailable);
        let answers = publisher.publish(&spread(2, 1)).await;
        for answer in answers {
            assert_eq!(answer.unwrap_err().kind(), PublishErrorKind::Unavailable);
        }
        engine.server.restart();
        eventually("it is reached again", async || publisher.probe().await.is_ok()).await;
        engine.publish(&spread(1, 1)).await;
    }

    async fn cloud_events_are_the_same_messages(engine: Engine) {
        let broker = connect(&engine.url("&cloudevents=%2Forders")).await;
        let mut member = engine.member().await;
        let messages: Vec<Message> = every_kind().into_iter().filter(|message| message.key().is_some()).collect();
        for answer in broker.publisher().publish(&messages).await {
            answer.unwrap();
        }
        for _ in &messages {
            let delivery = member.one().await;
            let found = delivery.message();
            let published = messages.iter().find(|message| message.id() == found.id()).unwrap();
            assert_eq!((found.key(), found.payload()), (published.key(), published.payload()));
            assert_eq!(found.content_type(), published.content_type());
            assert_eq!(micros(found.created_at()), micros(published.created_at()));
            delivery.ack().await.unwrap();
        }
    }
}

fn micros(time: SystemTime) -> u128 {
    time.duration_since(UNIX_EPOCH).unwrap().as_micros()
}

fn assert_same(found: &Message, published: &Message) {
    assert_eq!(found.id(), published.id());
    assert_eq!(found.topic(), published.topic());
    assert_eq!(found.key(), published.key());
    assert_eq!(found.payload(), published.payload());
    assert_eq!(found.content_type(), published.content_type());
    assert_eq!(found.headers(), published.headers());
    assert_eq!(micros(found.created_at()), micros(published.created_at()));
}

/// Messages of every kind, each under a key of its own.
fn every_kind() -> Vec<Message> {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let payloads: [(&[u8], &str); 6] = [
        (b"", "text/plain"),
        (b"", Headers::DEFAULT_CONTENT_TYPE),
        (b"\0\0a\0", "application/octet-stream"),
        (&all_bytes, "application/octet-stream"),
        ("grüße \u{1f4e6}".as_bytes(), "text/plain; charset=utf-8"),
        (b"not json {", Headers::DEFAULT_CONTENT_TYPE),
    ];
    let mut messages: Vec<Message> = payloads
        .iter()
        .enumerate()
        .map(|(n, (payload, content_type))| {
            let message = Message::builder(TOPIC).payload(payload.to_vec(), content_type);
            let key = format!("key {n} \u{1f511} 'q\"uo\\te'");
            message.key(key).build().unwrap()
        })
        .collect();
    let headers = Message::builder(TOPIC)
        .key("K".repeat(255))
        .header("tenant", "eu")
        .header("quoted", "a \"b\" \\ 'c' {d}: e \u{1f4e6}")
        .header("empty", "")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        );
    messages.push(headers.build().unwrap());
    let large = Message::builder(TOPIC).payload(vec![0xff; 500_000], "a/b");
    messages.push(large.build().unwrap());
    let old = Message::restore(
        TOPIC,
        MessageId::new(),
        UNIX_EPOCH + Duration::from_micros(1_234_567),
    );
    messages.push(old.key("old").build().unwrap());
    messages
}
