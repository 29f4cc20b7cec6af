//! A message is the same in every delivery.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use outbox_core::{Headers, Message, MessageId};
use outbox_tests::DeadFilter;

use super::support::*;

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
    // What databases keep of a time.
    assert_eq!(micros(found.created_at()), micros(published.created_at()));
}

/// Messages of every kind, each under a key of its own.
fn every_kind() -> Vec<Message> {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let payloads: [(&[u8], &str); 8] = [
        (b"", "text/plain"),
        (b"", Headers::DEFAULT_CONTENT_TYPE),
        (b"\0", "application/octet-stream"),
        (b"\0\0a\0", "application/octet-stream"),
        (&all_bytes, "application/octet-stream"),
        (b"{\"total\": 990 }", Headers::DEFAULT_CONTENT_TYPE),
        ("grüße \u{1f4e6}".as_bytes(), "text/plain; charset=utf-8"),
        (b"not json {", Headers::DEFAULT_CONTENT_TYPE),
    ];
    let mut messages: Vec<Message> = payloads
        .iter()
        .enumerate()
        .map(|(n, (payload, content_type))| {
            let message = Message::builder(TOPIC).payload(payload.to_vec(), content_type);
            message
                .key(format!("key {n} \u{1f511} 'q\"uo\\te'"))
                .build()
                .unwrap()
        })
        .collect();
    let headers = Message::builder(TOPIC)
        .key("K".repeat(255))
        .header("tenant", "eu")
        .header("quoted", "a \"b\" \\ 'c' {d} \u{1f4e6}")
        .header("empty", "")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        );
    messages.push(headers.build().unwrap());
    messages.push(
        Message::builder(TOPIC)
            .payload(vec![0xff; 500_000], "a/b")
            .build()
            .unwrap(),
    );
    let old = Message::restore(
        TOPIC,
        MessageId::new(),
        UNIX_EPOCH + Duration::from_micros(1_234_567),
    );
    messages.push(old.key("old").build().unwrap());
    messages.push(
        Message::builder(TOPIC)
            .key("delayed")
            .header("a", "b")
            .delay(Duration::from_millis(200))
            .build()
            .unwrap(),
    );
    messages
}

on_every_queue! {
    async fn a_message_is_the_same_in_every_delivery(queue: Queue) {
        let mut member = queue.member().await;
        let messages = every_kind();
        queue.publish(&messages).await;
        let published = |id| messages.iter().find(|message| message.id() == id).unwrap();
        // Dropped, failed twice, dead, and redriven.
        let mut buried = 0;
        let mut dropped = std::collections::HashSet::new();
        while buried < messages.len() {
            for delivery in member.next(20).await {
                assert_same(delivery.message(), published(delivery.message().id()));
                match delivery.attempt() {
                    1 if dropped.insert(delivery.message().id()) => drop(delivery),
                    1 | 2 => delivery.retry(Duration::ZERO, "not now").await.unwrap(),
                    _ => {
                        delivery.dead("broken").await.unwrap();
                        buried += 1;
                    }
                }
            }
        }
        let dead = queue.dead(GROUP, &DeadFilter::default(), 5).await.unwrap();
        assert_eq!(dead.len(), messages.len());
        for dead in &dead {
            assert_same(&dead.message, published(dead.message.id()));
        }
        assert_eq!(queue.redrive_all(GROUP, &DeadFilter::default()).await, Ok(messages.len() as u64));
        let mut finished = 0;
        while finished < messages.len() {
            for delivery in member.next(20).await {
                assert_same(delivery.message(), published(delivery.message().id()));
                delivery.ack().await.unwrap();
                finished += 1;
            }
        }
        // And for whoever comes later.
        let mut replay = queue.member_of("replay", outbox_core::group::Start::Beginning).await;
        for delivery in replay.hold(messages.len()).await {
            assert_same(delivery.message(), published(delivery.message().id()));
        }
    }

    async fn keys_that_look_alike_are_different(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        for key in ["a", "A", "a ", " a", "ä", "a\u{308}", "e", "é"] {
            queue.say(key, [key]).await;
        }
        // One of them waits, and none of the others with it.
        let seen = member.work(7, |seen| if seen.key == "a" { Say::Retry(LONG) } else { Say::Ack }).await;
        assert!(seen.iter().all(|seen| seen.key == seen.text));
        assert_eq!(by_key(&seen).len(), 7);
    }
}
