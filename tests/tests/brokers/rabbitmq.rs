//! What is RabbitMQ's own: exchanges and queues, what others publish and read, what the server refuses, groups without order.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use outbox_brokers::rabbitmq::{RabbitMq, RabbitMqBuilder};
use outbox_brokers::{BrokerError, Ordering};
use outbox_core::{Message, PublishErrorKind};
use outbox_sqlx::Outbox;
use outbox_test_harness::{RabbitMqOptions, Scratch, requirement};

use crate::engine::{Engine, GROUP, Kind, Member, Seen, TOPIC, connect, eventually, message, spread};
use crate::support::{self, World, start};

/// As its own clients connect. The connection ends with its channel.
async fn client(engine: &Engine) -> Channel {
    let url = format!("amqp://guest:guest@127.0.0.1:{}/%2f", engine.server.port());
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();
    connection.create_channel().await.unwrap()
}

fn exchange(engine: &Engine) -> String {
    format!("{}.{TOPIC}", engine.prefix)
}

/// Something whose key doesn't matter.
async fn theirs(engine: &Engine, channel: &Channel, body: &[u8], properties: BasicProperties) {
    let options = BasicPublishOptions::default();
    let exchange = exchange(engine);
    channel
        .basic_publish(exchange.as_str().into(), "3".into(), options, body, properties)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_somebody_else_publishes_is_a_message_too() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let mut member = engine.member().await;
    let channel = client(&engine).await;
    let mut headers = FieldTable::default();
    headers.insert("tenant".into(), AMQPValue::LongString("eu".into()));
    headers.insert("number".into(), AMQPValue::LongInt(7));
    let properties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_message_id("A-1".into())
        .with_headers(headers);
    theirs(&engine, &channel, b"theirs", properties).await;
    theirs(&engine, &channel, b"bare", BasicProperties::default()).await;
    let first = member.one().await;
    let (id, message) = (first.message().id(), first.message().clone());
    assert_eq!(
        (message.topic(), message.key(), &message.payload()[..]),
        (TOPIC, None, &b"theirs"[..])
    );
    assert_eq!(message.content_type(), "text/plain");
    let header = |name: &str| message.headers().get(name);
    assert_eq!((header("tenant"), header("number")), (Some("eu"), Some("7")));
    first.retry(Duration::ZERO, "not now").await.unwrap();
    let again = member.one().await;
    assert_eq!(again.message().id(), id, "the same in every delivery");
    again.ack().await.unwrap();
    let bare = member.one().await;
    assert_eq!(&bare.message().payload()[..], b"bare");
    bare.dead("never heard of it").await.unwrap();
    assert_eq!(engine.dead(GROUP).await[0].message.payload()[..], b"bare"[..]);
    assert_eq!(engine.redrive_all(GROUP).await, 1);
    assert_eq!(member.handle(1).await[0].text, "bare");
}

#[tokio::test]
async fn somebody_else_can_read_what_is_published() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    // The exchange is there once somebody has needed it.
    let mut member = engine.member().await;
    let channel = client(&engine).await;
    let queue = channel
        .queue_declare("".into(), QueueDeclareOptions::default(), FieldTable::default())
        .await
        .unwrap();
    for key in 0..8 {
        let (queue, exchange) = (queue.name().clone(), exchange(&engine));
        let options = QueueBindOptions::default();
        channel
            .queue_bind(
                queue,
                exchange.as_str().into(),
                key.to_string().as_str().into(),
                options,
                FieldTable::default(),
            )
            .await
            .unwrap();
    }
    let message = Message::builder(TOPIC).key("order-7").header("tenant", "eu");
    let message = message.json(&7).unwrap().build().unwrap();
    engine.publish(std::slice::from_ref(&message)).await;
    let consume = BasicConsumeOptions::default();
    let mut consumer = channel
        .basic_consume(queue.name().clone(), "".into(), consume, FieldTable::default())
        .await
        .unwrap();
    let seen = consumer.next().await.unwrap().unwrap();
    assert_eq!(seen.data, b"7");
    let id = seen.properties.message_id().as_ref().unwrap().to_string();
    assert_eq!(id, message.id().to_string());
    assert_eq!(*seen.properties.delivery_mode(), Some(2), "written to disk");
    let headers = seen.properties.headers().as_ref().unwrap();
    for (name, value) in [("outbox-key", "order-7"), ("tenant", "eu")] {
        assert_eq!(
            headers.inner()[name],
            AMQPValue::LongString(value.into()),
            "{name}"
        );
    }
    seen.ack(BasicAckOptions::default()).await.unwrap();
    assert_eq!(member.handle(1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_group_would_get_is_refused_and_kept_by_the_outbox() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let Some(world) = World::new(support::Kind::Sqlite).await else {
        return;
    };
    let answers = engine
        .publisher()
        .publish(&[message("k", "a"), message("l", "b")])
        .await;
    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), PublishErrorKind::Refused, "{error}");
        assert!(
            error
                .to_string()
                .contains("no consumer group has a queue for it yet"),
            "{error}"
        );
        assert!(error.to_string().contains(&exchange(&engine)), "{error}");
    }
    let outbox = Outbox::new();
    // Each refusal costs an attempt, and the group comes when it comes.
    let relay = start(&world, &outbox, engine.publisher(), |config| {
        config.default_policy = config.default_policy.with_max_attempts(10_000);
    });
    let messages = (0..5).map(|n| {
        Message::builder(TOPIC)
            .key("k")
            .payload(n.to_string(), "text/plain")
    });
    world.publish(&outbox, messages).await;
    eventually("it is refused", async || relay.stats.refused.get() > 0).await;
    assert_eq!(world.backend.pending().await.unwrap(), 5);
    let mut member = engine.member().await;
    world.wait_empty(support::SOON).await;
    assert_eq!(relay.stats.dead.get(), 0);
    relay.stop().await;
    let texts: Vec<String> = member.handle(5).await.into_iter().map(|seen| seen.text).collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4"]);
}

/// The client says of one that came back only that it was one of these.
#[tokio::test]
async fn of_many_the_ones_without_a_queue_are_refused_and_no_others() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let mut member = engine.member().await;
    let other = |n: usize| {
        Message::builder("orders.other")
            .key(n.to_string())
            .payload("x", "text/plain")
            .build()
            .unwrap()
    };
    let batch: Vec<Message> = (0..300)
        .map(|n| {
            if n % 3 == 0 {
                other(n)
            } else {
                message("k", &n.to_string())
            }
        })
        .collect();
    let answers = engine.publisher().publish(&batch).await;
    for (n, answer) in answers.into_iter().enumerate() {
        let kind = answer.map_err(|error| error.kind());
        let expected = if n % 3 == 0 {
            Err(PublishErrorKind::Refused)
        } else {
            Ok(())
        };
        assert_eq!(kind, expected, "message {n}");
    }
    assert_eq!(member.handle(200).await.len(), 200);
}

#[tokio::test]
async fn an_exchange_that_is_missing_is_named_and_costs_the_others_nothing() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let mut member = engine.member().await;
    let broker = connect(&engine.url("&create=false")).await;
    let other = Message::builder("orders.other")
        .key("k")
        .payload("x", "text/plain")
        .build()
        .unwrap();
    let answers = broker
        .publisher()
        .publish(&[message("k", "a"), other, message("k", "b")])
        .await;
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!(
        error.kind(),
        PublishErrorKind::Unavailable,
        "an operator's mistake costs no attempt"
    );
    let missing = format!("there is no exchange \"{}.orders.other\"", engine.prefix);
    assert!(error.to_string().contains(&missing), "{error}");
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert_eq!(member.handle(2).await.len(), 2);
    let error = broker
        .subscribe("late", &[TOPIC], Ordering::PerKey)
        .await
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(&error, BrokerError::Missing { what: "queue", .. }),
        "{error}"
    );

    // One that goes while it is used is named too, and comes back where it may be made.
    let publisher = engine.publisher();
    publisher.publish(&[message("k", "c")]).await.remove(0).unwrap();
    member.handle(1).await;
    let exchange = exchange(&engine);
    let channel = client(&engine).await;
    channel
        .exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default())
        .await
        .unwrap();
    let error = publisher
        .publish(&[message("k", "d")])
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Unavailable, "{error}");
    assert!(
        error.to_string().contains(&format!("no exchange '{exchange}'")),
        "{error}"
    );
    let answer = publisher.publish(&[message("k", "d")]).await.remove(0);
    assert_eq!(
        answer.unwrap_err().kind(),
        PublishErrorKind::Refused,
        "nothing is bound to it any more"
    );
}

#[tokio::test]
async fn a_group_without_order_has_many_out_at_a_time_and_retries_later() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let mut member = Member::of(&*engine.broker, GROUP, Ordering::None { out: 50 }).await;
    engine.publish(&spread(1, 120)).await;
    let mut held = Vec::new();
    while held.len() < 50 {
        held.extend(member.next(50).await);
    }
    member.gets_nothing().await;
    let later = held.remove(0);
    let (id, failed, after) = (later.message().id(), Instant::now(), Duration::from_millis(600));
    later.retry(after, "not now").await.unwrap();
    for delivery in held {
        delivery.ack().await.unwrap();
    }
    // The others don't wait for it, and it is not lost.
    assert_eq!(member.handle(70).await.len(), 70);
    for attempt in 2..4 {
        let again = member.one().await;
        assert_eq!((again.message().id(), again.attempt()), (id, attempt));
        if attempt == 2 {
            assert!(failed.elapsed() >= after, "{:?}", failed.elapsed());
            assert_eq!(Seen::of(&again).text, "0");
            again.retry(Duration::from_millis(1), "not now").await.unwrap();
        } else {
            again.dead("never").await.unwrap();
        }
    }
    assert_eq!(engine.dead(GROUP).await[0].attempts, 3);
    assert_eq!(engine.redrive_all(GROUP).await, 1);
    let again = member.one().await;
    assert_eq!((again.message().id(), again.attempt()), (id, 1));
    again.ack().await.unwrap();
}

#[tokio::test]
async fn what_the_server_itself_gives_up_is_a_dead_letter() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let mut member = engine.member().await;
    member.0.close().await.unwrap();
    engine.say("k", ["a"]).await;
    // Another consumer of the group's queues throws it away.
    let channel = client(&engine).await;
    for queue in 0..8 {
        let queue = format!("{}.{GROUP}.{TOPIC}.{queue}", engine.prefix);
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = channel.basic_consume(queue.as_str().into(), "".into(), options, arguments);
        let mut consumer = consumer.await.unwrap();
        tokio::spawn(async move {
            while let Some(Ok(delivery)) = consumer.next().await {
                let thrown_away = BasicNackOptions {
                    requeue: false,
                    multiple: false,
                };
                delivery.nack(thrown_away).await.unwrap();
            }
        });
    }
    eventually("it has arrived", async || engine.dead(GROUP).await.len() == 1).await;
    channel.close(200, "OK".into()).await.unwrap();
    let dead = engine.dead(GROUP).await.remove(0);
    assert_eq!(dead.message.topic(), TOPIC);
    assert_eq!(
        (dead.message.key(), &dead.message.payload()[..]),
        (Some("k"), &b"a"[..])
    );
    assert_eq!(dead.error, "the server has given it up: rejected");
    let mut member = engine.member().await;
    assert_eq!(engine.redrive_all(GROUP).await, 1);
    let again = member.one().await;
    assert_eq!((Seen::of(&again).text.as_str(), again.attempt()), ("a", 1));
    again.ack().await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_that_is_not_kept_stays_a_message() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let mut member = engine.member().await;
    engine.say("k", ["a"]).await;
    let channel = client(&engine).await;
    let queue = format!("{}-dead.{GROUP}", engine.prefix);
    let deleted = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default());
    deleted.await.unwrap();
    let error = member.one().await.dead("broken").await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the queue of the dead letters is not there"),
        "{error}"
    );
    let again = member.one().await;
    assert_eq!((Seen::of(&again).text.as_str(), again.attempt()), ("a", 2));
    // Whoever looks makes it again.
    assert!(engine.dead(GROUP).await.is_empty());
    again.dead("broken").await.unwrap();
    assert_eq!(engine.dead(GROUP).await.len(), 1);
}

#[tokio::test]
async fn dead_letters_are_listed_in_pages_and_discarded_one_by_one() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let mut member = engine.member().await;
    engine.say("k", 0..7).await;
    for n in 0..7 {
        member.one().await.dead(&format!("error {n}")).await.unwrap();
    }
    let dead = engine.broker.dead_letters(GROUP).unwrap();
    let first = dead.list(None, 3).await.unwrap();
    let rest = dead.list(Some(&first[2].reference), 100).await.unwrap();
    let errors: Vec<&str> = first
        .iter()
        .chain(&rest)
        .map(|letter| letter.error.as_str())
        .collect();
    assert_eq!(
        errors,
        [
            "error 0", "error 1", "error 2", "error 3", "error 4", "error 5", "error 6"
        ]
    );
    assert!(dead.discard(&first[1].reference).await.unwrap());
    assert!(!dead.discard(&first[1].reference).await.unwrap());
    // Two who look at the same time don't hide what they look at from each other.
    let (one, other) = tokio::join!(dead.list(None, 100), dead.list(None, 100));
    assert_eq!((one.unwrap().len(), other.unwrap().len()), (6, 6));
    let error = dead.redrive("../x").await.unwrap_err();
    assert!(error.to_string().contains("reference"), "{error}");
}

#[tokio::test]
async fn a_queue_that_is_full_refuses() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let broker = connect(&engine.url("&max_queue_bytes=10000")).await;
    let _member = Member::of(&*broker, GROUP, Ordering::PerKey).await;
    let large = "x".repeat(4_000);
    let publisher = broker.publisher();
    let mut refused = None;
    // What is out counts too, and a little more than the limit is taken.
    for _ in 0..20 {
        if let Err(error) = publisher.publish(&[message("k", &large)]).await.remove(0) {
            refused = Some(error);
            break;
        }
    }
    let error = refused.expect("all were taken");
    assert_eq!(error.kind(), PublishErrorKind::Refused);
    assert!(error.to_string().contains("full"), "{error}");
    // Another limit for a queue that is there.
    let error = engine
        .broker
        .subscribe(GROUP, &[TOPIC], Ordering::PerKey)
        .await
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(&error, BrokerError::Unfit { what: "queue", .. }),
        "{error}"
    );
    assert!(error.to_string().contains("x-max-length-bytes"), "{error}");
}

#[tokio::test]
async fn settings_that_can_not_be_are_named() {
    let cases = [
        (nowhere().prefix("a..b"), "prefix"),
        (nowhere().queues_per_topic(0), "queues_per_topic"),
        (nowhere().timeout(Duration::ZERO), "timeout"),
        (nowhere().heartbeat(Duration::ZERO), "heartbeat"),
        (nowhere().heartbeat(Duration::from_millis(1_500)), "heartbeat"),
        (nowhere().replicas(0), "replicas"),
        (nowhere().root_certificates("/nowhere"), "amqps://"),
    ];
    for (builder, setting) in cases {
        let error = builder.connect().await.unwrap_err();
        assert!(matches!(error, BrokerError::Setting { .. }), "{error}");
        assert!(error.to_string().contains(setting), "{error}");
    }
    let error = nowhere().connect().await.unwrap_err();
    let is_connecting = matches!(
        error,
        BrokerError::Server {
            doing: "connecting",
            ..
        }
    );
    assert!(is_connecting, "{error}");
}

fn nowhere() -> RabbitMqBuilder {
    RabbitMq::builder("amqp://127.0.0.1:1").unwrap()
}

#[tokio::test]
async fn whoever_may_not_is_told_so_and_no_password_is_shown() {
    let Some(engine) = Engine::start(Kind::RabbitMq).await else {
        return;
    };
    let url = engine.url("").replace("amqp://", "amqp://guest:s3cret@");
    let builder = RabbitMq::builder(&url).unwrap();
    assert!(!format!("{builder:?}").contains("s3cret"));
    let error = builder.connect().await.unwrap_err();
    assert!(error.to_string().contains("ACCESS_REFUSED"), "{error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    let vhost = engine.url("").replace("?", "/nowhere?");
    let error = RabbitMq::builder(&vhost).unwrap().connect().await.unwrap_err();
    assert!(error.to_string().contains("vhost nowhere not found"), "{error}");
}

/// A disk that is nearly full: the server takes nothing, and says so only to whoever publishes.
#[tokio::test]
async fn a_server_that_takes_nothing_is_away() {
    let full = RabbitMqOptions::new().configuration("disk_free_limit.absolute = 1000000GB");
    let Some(server) = requirement::private_rabbitmq(&full) else {
        return;
    };
    let url = format!("amqp://127.0.0.1:{}?timeout=2s", server.port());
    let broker = connect(&url).await;
    let _member = Member::of(&*broker, GROUP, Ordering::PerKey).await;
    let publisher = broker.publisher();
    for _ in 0..2 {
        let error = publisher
            .publish(&[message("k", "a")])
            .await
            .remove(0)
            .unwrap_err();
        assert_eq!(error.kind(), PublishErrorKind::Unavailable, "{error}");
    }
    let error = publisher.probe().await.unwrap_err();
    assert!(
        error.to_string().contains("short of memory or of disk"),
        "{error}"
    );
}

/// A certificate of our own, and its key.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // The server reads it as its own user.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(folder.join("key.pem"), readable).unwrap();
}

#[tokio::test]
async fn tls_needs_a_root_that_is_known() {
    if requirement::rabbitmq_program().is_err() {
        // The others have said that there is none.
        return;
    }
    let folder = Scratch::new().unwrap();
    certificate(folder.path());
    let port = outbox_test_harness::free_port().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let tls = RabbitMqOptions::new()
        .configuration(&format!("listeners.ssl.1 = 127.0.0.1:{port}"))
        .configuration(&format!("ssl_options.certfile = {}", cert.display()))
        .configuration(&format!("ssl_options.keyfile = {}", key.display()))
        .configuration("ssl_options.verify = verify_none");
    let Some(_server) = requirement::private_rabbitmq(&tls) else {
        return;
    };
    let url = format!("amqps://localhost:{port}?timeout=5s");
    let stranger = RabbitMq::builder(&url).unwrap().connect().await.unwrap_err();
    assert!(stranger.to_string().contains("certificate"), "{stranger}");
    let known = connect(&format!("{url}&ca={}", cert.display())).await;
    known.publisher().probe().await.unwrap();
}
