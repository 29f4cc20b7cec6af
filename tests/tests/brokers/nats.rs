//! What is NATS's own: streams, subjects, what others publish, authentication.

use std::sync::Arc;
use std::time::Duration;

use outbox_brokers::nats::{Nats, NatsBuilder, StreamOptions};
use outbox_brokers::{Broker, BrokerError, Ordering};
use outbox_core::{Message, ReceiveError};
use outbox_sqlx::Outbox;
use outbox_test_harness::{NatsOptions, requirement};

use crate::engine::{Engine, GROUP, Kind, Member, Seen, TOPIC, connect, eventually, spread};
use crate::support::{self, SOON, World, start};

/// As its own clients connect.
async fn client(engine: &Engine) -> async_nats::Client {
    async_nats::connect(format!("nats://127.0.0.1:{}", engine.server.port()))
        .await
        .unwrap()
}

#[tokio::test]
async fn what_somebody_else_publishes_is_a_message_too() {
    let Some(engine) = Engine::start(Kind::Nats).await else {
        return;
    };
    let client = client(&engine).await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Content-Type", "text/plain");
    headers.insert("tenant", "eu");
    client
        .publish_with_headers("outbox.orders.placed.3", headers, "theirs".into())
        .await
        .unwrap();
    client
        .publish("outbox.orders.placed.3", "bare".into())
        .await
        .unwrap();
    client.flush().await.unwrap();
    let mut member = engine.member().await;
    let first = member.one().await;
    let (id, message) = (first.message().id(), first.message().clone());
    assert_eq!(
        (message.topic(), message.key(), &message.payload()[..]),
        (TOPIC, None, &b"theirs"[..])
    );
    assert_eq!(
        (message.content_type(), message.headers().get("tenant")),
        ("text/plain", Some("eu"))
    );
    first.retry(Duration::ZERO, "not now").await.unwrap();
    let again = member.one().await;
    assert_eq!(again.message().id(), id, "the same in every delivery");
    again.ack().await.unwrap();
    let bare = member.one().await;
    assert_eq!(&bare.message().payload()[..], b"bare");
    bare.ack().await.unwrap();
}

#[tokio::test]
async fn somebody_else_can_read_what_is_published() {
    use futures_util::StreamExt as _;
    let Some(engine) = Engine::start(Kind::Nats).await else {
        return;
    };
    let client = client(&engine).await;
    let mut theirs = client.subscribe("outbox.orders.placed.*").await.unwrap();
    // The server has heard of the subscription when it answers.
    let stream = async_nats::jetstream::new(client.clone());
    stream.get_stream("OUTBOX").await.unwrap();
    let message = Message::builder(TOPIC)
        .key("order-7")
        .header("tenant", "eu")
        .json(&7)
        .unwrap()
        .build()
        .unwrap();
    engine.publish(std::slice::from_ref(&message)).await;
    let seen = theirs.next().await.unwrap();
    let header = |name: &str| {
        seen.headers
            .as_ref()
            .unwrap()
            .get(name)
            .map(|value| value.as_str().to_owned())
    };
    assert_eq!(&seen.payload[..], b"7");
    assert_eq!(header("Nats-Msg-Id"), Some(message.id().to_string()));
    assert_eq!(
        (header("outbox-key"), header("tenant")),
        (Some("order-7".to_owned()), Some("eu".to_owned()))
    );
}

#[tokio::test]
async fn a_group_without_order_has_many_out_at_a_time() {
    let Some(engine) = Engine::start(Kind::Nats).await else {
        return;
    };
    let mut member = Member::of(&*engine.broker, GROUP, Ordering::None { out: 50 }).await;
    engine.publish(&spread(1, 120)).await;
    let mut held = Vec::new();
    while held.len() < 50 {
        held.extend(member.next(50).await);
    }
    member.gets_nothing().await;
    for delivery in held {
        delivery.ack().await.unwrap();
    }
    assert_eq!(member.handle(70).await.len(), 70);
}

#[tokio::test]
async fn a_stream_that_is_missing_or_another_one_is_named() {
    let Some(engine) = Engine::start(Kind::Nats).await else {
        return;
    };
    let url = engine.url("");
    let missing = Nats::builder(&url)
        .unwrap()
        .prefix("other")
        .stream(StreamOptions::new().name("OTHER"))
        .create_stream(false);
    let error = missing.connect().await.unwrap_err();
    assert!(
        matches!(&error, BrokerError::Missing { what: "stream", name, .. } if name == "OTHER"),
        "{error}"
    );
    // The same stream under another prefix takes nothing of it.
    let error = Nats::builder(&url)
        .unwrap()
        .prefix("other")
        .stream(StreamOptions::new().name("OUTBOX"))
        .connect()
        .await
        .unwrap_err();
    assert!(
        matches!(&error, BrokerError::Unfit { reason, .. } if reason.contains("outbox.>")),
        "{error}"
    );
    assert!(error.to_string().contains("other.>"), "{error}");
}

#[tokio::test]
async fn settings_that_can_not_be_are_named() {
    let cases = [
        (nowhere().prefix("a..b"), "prefix"),
        (nowhere().prefix(""), "prefix"),
        (nowhere().prefix("a.*"), "prefix"),
        (nowhere().stream(StreamOptions::new().name("a b")), "stream"),
        (nowhere().stream(StreamOptions::new().replicas(0)), "replicas"),
        (nowhere().queues_per_topic(0), "queues_per_topic"),
        (nowhere().lease(Duration::ZERO), "lease"),
        (nowhere().timeout(Duration::ZERO), "timeout"),
    ];
    for (builder, setting) in cases {
        let error = builder.connect().await.unwrap_err();
        assert!(matches!(error, BrokerError::Setting { .. }), "{error}");
        assert!(error.to_string().contains(setting), "{error}");
    }
    let error = nowhere().connect().await.unwrap_err();
    assert!(
        matches!(
            error,
            BrokerError::Server {
                doing: "connecting",
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn whoever_may_not_is_told_so() {
    let users = r#"authorization: { user: outbox, password: "s3cret" }"#;
    let Some(server) = requirement::private_nats(&NatsOptions::new().configuration(users)) else {
        return;
    };
    let error = Nats::builder(&server.url())
        .unwrap()
        .connect()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("authorization"), "{error}");
    let url = server.url().replace("nats://", "nats://outbox:s3cret@");
    let nats = Nats::builder(&url).unwrap().connect().await.unwrap();
    nats.publisher().probe().await.unwrap();
    assert!(!format!("{nats:?}").contains("s3cret"));
}

fn nowhere() -> NatsBuilder {
    Nats::builder("nats://127.0.0.1:1").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_gone_settles_nothing_and_is_named() {
    let Some(engine) = Engine::start(Kind::Nats).await else {
        return;
    };
    let Some(world) = World::new(support::Kind::Sqlite).await else {
        return;
    };
    let stream = async_nats::jetstream::new(client(&engine).await);
    stream.delete_stream("OUTBOX").await.unwrap();
    let answers = engine.publisher().publish(&spread(1, 1)).await;
    let error = answers[0].as_ref().unwrap_err().to_string();
    assert!(error.contains("no stream takes the subjects outbox.>"), "{error}");
    let outbox = Outbox::new();
    let relay = start(&world, &outbox, engine.publisher(), |_| {});
    let messages = (0..20).map(|n| {
        Message::builder(TOPIC)
            .key("k")
            .payload(n.to_string(), "text/plain")
    });
    world.publish(&outbox, messages).await;
    eventually("the breaker is open", async || {
        relay.stats.breaker_opened.get() > 0
    })
    .await;
    assert_eq!(world.backend.pending().await.unwrap(), 20);
    // Made again, by whoever connects.
    let mut member = Member::of(&*engine.again().await, GROUP, Ordering::PerKey).await;
    world.wait_empty(SOON).await;
    assert_eq!((relay.stats.dead.get(), relay.stats.refused.get()), (0, 0));
    relay.stop().await;
    assert_eq!(member.handle(20).await.len(), 20);
}

/// First there, then gone here: what the dead letters don't take stays where it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_dead_letter_is_not_taken_comes_again() {
    let Some(engine) = Engine::start(Kind::Nats).await else {
        return;
    };
    let mut member = engine.member().await;
    engine.say("k", ["a"]).await;
    let held = member.one().await;
    let stream = async_nats::jetstream::new(client(&engine).await);
    stream.delete_stream("OUTBOX_DEAD").await.unwrap();
    let error = held.dead("it is broken").await.unwrap_err();
    assert!(matches!(error, ReceiveError::Unavailable { .. }), "{error}");
    let again = member.one().await;
    assert_eq!((&*Seen::of(&again).text, again.attempt()), ("a", 2));
    again.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_settles_nothing_and_goes_on_when_there_is_room() {
    let Some(engine) = Engine::start(Kind::Nats).await else {
        return;
    };
    let Some(world) = World::new(support::Kind::Sqlite).await else {
        return;
    };
    let broker = connect(&engine.url("&stream=SMALL&prefix=small&max_bytes=20000")).await;
    let outbox = Outbox::new();
    let publisher = broker.publisher();
    let relay = start(&world, &outbox, Arc::clone(&publisher), |_| {});
    let messages = (0..200).map(|n| Message::builder(TOPIC).payload(n.to_string(), "text/plain"));
    world.publish(&outbox, messages).await;
    eventually("the breaker is open", async || {
        relay.stats.breaker_opened.get() > 0
    })
    .await;
    let left = world.backend.pending().await.unwrap();
    assert!((50..200).contains(&left), "{left}");
    // As long as it is full a probe fails; otherwise a message would be taken for the one at fault.
    for _ in 0..5 {
        assert!(publisher.probe().await.is_err());
    }
    let stream = async_nats::jetstream::new(client(&engine).await);
    let stream = stream.get_stream("SMALL").await.unwrap();
    while world.backend.pending().await.unwrap() > 0 {
        stream.purge().await.unwrap();
        let left = world.backend.pending().await.unwrap();
        eventually("some more were taken", async || {
            left == 0 || world.backend.pending().await.unwrap() < left
        })
        .await;
    }
    assert_eq!((relay.stats.dead.get(), relay.stats.refused.get()), (0, 0));
    relay.stop().await;
}
