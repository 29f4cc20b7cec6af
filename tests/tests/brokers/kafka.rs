//! What is Kafka's own: topics, partitions that change hands, members that are killed, retries aside, what others publish,
//! authentication.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use outbox_brokers::kafka::Kafka;
use outbox_brokers::{Broker, BrokerError, Ordering};
use outbox_core::{Message, PublishErrorKind, ReceiveError};
use outbox_test_harness::{KafkaOptions, requirement};
use rdkafka::Message as _;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::child;
use crate::engine::{GROUP, Member, SESSION, Seen, TOPIC, connect, message, spread};
use crate::support::SOON;

/// The server that these tests share, with topics and groups of the test's own.
struct Own {
    url: String,
    servers: String,
    prefix: String,
}

impl Own {
    fn new() -> Option<Self> {
        static TESTS: AtomicU32 = AtomicU32::new(0);
        crate::support::show_logs();
        let url = requirement::shared_kafka_url()?;
        Some(Self {
            servers: url.trim_start_matches("kafka://").to_owned(),
            url,
            prefix: format!("t{}", TESTS.fetch_add(1, Relaxed)),
        })
    }

    fn url(&self, more: &str) -> String {
        let session = SESSION.as_secs();
        format!(
            "{}?prefix={}&timeout=5s&session={session}s{more}",
            self.url, self.prefix
        )
    }

    async fn broker(&self) -> Arc<dyn Broker> {
        connect(&self.url("")).await
    }

    /// As others connect.
    fn others(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        config
    }

    fn topic(&self) -> String {
        format!("{}.{TOPIC}", self.prefix)
    }
}

async fn publish(broker: &dyn Broker, messages: &[Message]) {
    for answer in broker.publisher().publish(messages).await {
        answer.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_missing_is_named_and_nothing_is_settled() {
    let Some(own) = Own::new() else { return };
    let broker = connect(&own.url("&create=false")).await;
    for answer in broker.publisher().publish(&spread(2, 1)).await {
        let error = answer.unwrap_err();
        assert_eq!(
            error.kind(),
            PublishErrorKind::Unavailable,
            "not the messages' fault"
        );
        assert!(error.to_string().contains(&own.topic()), "{error}");
    }
    let error = broker
        .subscribe(GROUP, &[TOPIC], Ordering::PerKey)
        .await
        .err()
        .unwrap();
    assert!(
        matches!(error, BrokerError::Missing { what: "topic", .. }),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_publishes_is_a_message_too() {
    let Some(own) = Own::new() else { return };
    let broker = own.broker().await;
    let mut member = Member::of(&*broker, GROUP, Ordering::PerKey).await;
    let theirs: FutureProducer = own.others().create().unwrap();
    let topic = own.topic();
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "tenant",
            value: Some("eu"),
        })
        .insert(Header {
            key: "bytes",
            value: Some(&[0xff, 0xfe][..]),
        });
    let record = FutureRecord::to(&topic)
        .key("k")
        .payload("theirs")
        .headers(headers);
    theirs.send(record, SOON).await.unwrap();
    let first = member.one().await;
    let id = first.message().id();
    assert_eq!(
        (first.message().key(), &first.message().payload()[..]),
        (Some("k"), &b"theirs"[..])
    );
    assert_eq!(first.message().headers().get("tenant"), Some("eu"));
    first.retry(Duration::ZERO, "not now").await.unwrap();
    let again = member.one().await;
    assert_eq!(again.message().id(), id, "the same in every delivery");
    again.ack().await.unwrap();
    let nothing: FutureRecord<'_, str, str> = FutureRecord::to(&topic).key("k");
    theirs.send(nothing, SOON).await.unwrap();
    let empty = member.one().await;
    assert_eq!(
        (empty.message().key(), empty.message().payload().len()),
        (Some("k"), 0)
    );
    empty.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_can_read_what_is_published() {
    let Some(own) = Own::new() else { return };
    let broker = own.broker().await;
    let message = Message::builder(TOPIC)
        .key("order-7")
        .header("tenant", "eu")
        .json(&7)
        .unwrap();
    let message = message.build().unwrap();
    publish(&*broker, std::slice::from_ref(&message)).await;
    let mut config = own.others();
    config
        .set("group.id", "theirs")
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[&own.topic()]).unwrap();
    let begun = Instant::now();
    let seen = loop {
        assert!(begun.elapsed() < SOON, "nothing came");
        // It says nothing of its own while it joins.
        if let Some(record) = consumer.poll(Duration::from_millis(100)) {
            break record.unwrap().detach();
        }
    };
    assert_eq!(
        (seen.key(), seen.payload()),
        (Some(&b"order-7"[..]), Some(&b"7"[..]))
    );
    let header = |name: &str| {
        let headers = seen.headers().unwrap();
        let found = headers.iter().find(|header| header.key == name)?;
        Some(String::from_utf8(found.value.unwrap().to_vec()).unwrap())
    };
    assert_eq!(header("outbox-id"), Some(message.id().to_string()));
    assert_eq!(
        (header("tenant"), header("outbox-key")),
        (Some("eu".to_owned()), None)
    );
}

/// While nobody dies, each is handled once, whoever comes and goes.
#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_nothing_is_handled_twice() {
    let Some(own) = Own::new() else { return };
    let broker = own.broker().await;
    let (keys, per_key) = (20, 30);
    let (done, mut handled) = tokio::sync::mpsc::unbounded_channel();
    let work = |leave_after: Option<usize>| {
        let (url, done) = (own.url(""), done.clone());
        tokio::spawn(async move {
            let broker = connect(&url).await;
            let mut member = Member::of(&*broker, GROUP, Ordering::PerKey).await;
            let mut count = 0;
            while leave_after.is_none_or(|after| count < after) {
                for delivery in member.next(5).await {
                    // Long enough that a rebalance meets some in hand.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    // Handled by now, whatever becomes of the ack.
                    done.send(Seen::of(&delivery)).unwrap();
                    delivery.ack().await.unwrap();
                    count += 1;
                }
            }
            member.0.close().await.unwrap();
        })
    };
    let mut members = vec![work(None)];
    publish(&*broker, &spread(keys, per_key)).await;
    let mut seen: Vec<Seen> = Vec::new();
    while seen.len() < keys * per_key {
        let next = tokio::time::timeout(SOON, handled.recv())
            .await
            .expect("the rest is missing");
        seen.push(next.unwrap());
        // One joins and stays, and one joins and leaves.
        match seen.len() {
            50 => members.push(work(None)),
            150 => members.push(work(Some(50))),
            _ => {}
        }
    }
    for member in members {
        member.abort();
        if let Err(end) = member.await {
            assert!(end.is_cancelled(), "an outcome was refused: {end}");
        }
    }
    let mut times: BTreeMap<(String, String), u32> = BTreeMap::new();
    for seen in &seen {
        assert_eq!(seen.attempt, 1, "{seen:?}");
        *times.entry((seen.key.clone(), seen.text.clone())).or_default() += 1;
    }
    assert_eq!(times.len(), keys * per_key);
    crate::engine::assert_in_order(&seen, keys, per_key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_its_process_is_counted() {
    let Some(own) = Own::new() else { return };
    let broker = own.broker().await;
    publish(&*broker, &[message("k", "poison"), message("k", "next")]).await;
    for attempt in 1..4 {
        // As long as the next one waits for it to be dead.
        let mut child = child::Harmed::join(&own.url("&session=2s"));
        assert_eq!(child.holds(), format!("\"poison\" {attempt}"));
        child.0.kill9().unwrap();
    }
    let mut member = Member::of(&*broker, GROUP, Ordering::PerKey).await;
    let poison = member.one().await;
    assert_eq!(poison.attempt(), 4);
    poison.dead("it kills").await.unwrap();
    let next = member.one().await;
    assert_eq!((&*Seen::of(&next).text, next.attempt()), ("next", 1));
    next.ack().await.unwrap();
    let dead = broker.dead_letters(GROUP).unwrap();
    let letters = dead.list(None, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].attempts), (1, 4));
    assert!(
        dead.list(Some(&letters[0].reference), 10)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(dead.discard(&letters[0].reference).await.unwrap());
    assert!(!dead.discard(&letters[0].reference).await.unwrap());
    assert!(dead.list(Some("17"), 10).await.is_err());
}

/// First there, then gone here: what the dead letters don't take stays where it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_dead_letter_is_not_taken_comes_again() {
    let Some(own) = Own::new() else { return };
    let broker = own.broker().await;
    // Somebody has made their topic, and it takes nothing of this size.
    let admin: AdminClient<DefaultClientContext> = own.others().create().unwrap();
    let dead = format!("{}.{GROUP}.dead", own.prefix);
    let small = NewTopic::new(&dead, 1, TopicReplication::Fixed(1))
        .set("cleanup.policy", "compact")
        .set("max.message.bytes", "100");
    for answer in admin.create_topics(&[small], &AdminOptions::new()).await.unwrap() {
        answer.unwrap();
    }
    let mut member = Member::of(&*broker, GROUP, Ordering::PerKey).await;
    publish(&*broker, &[message("k", "a")]).await;
    let held = member.one().await;
    let error = held.dead("it is broken").await.unwrap_err();
    assert!(matches!(error, ReceiveError::Unavailable { .. }), "{error}");
    let again = member.one().await;
    assert_eq!((&*Seen::of(&again).text, again.attempt()), ("a", 2));
    again.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_order_goes_on_while_one_waits() {
    let Some(own) = Own::new() else { return };
    let broker = own.broker().await;
    let mut member = Member::of(&*broker, GROUP, Ordering::None { out: 20 }).await;
    publish(&*broker, &spread(1, 40)).await;
    let mut held = Vec::new();
    while held.len() < 20 {
        held.extend(member.next(50).await);
    }
    member.gets_nothing().await;
    let first = held.remove(0);
    let (failed, after) = (Instant::now(), Duration::from_millis(1_500));
    let text = Seen::of(&first).text;
    first.retry(after, "not now").await.unwrap();
    for delivery in held {
        delivery.ack().await.unwrap();
    }
    // The others don't wait for it.
    let mut texts: Vec<String> = member
        .handle(20)
        .await
        .into_iter()
        .map(|seen| seen.text)
        .collect();
    assert!(!texts.contains(&text));
    let again = member.one().await;
    assert!(
        failed.elapsed() + Duration::from_millis(20) >= after,
        "{:?}",
        failed.elapsed()
    );
    assert_eq!((Seen::of(&again).text, again.attempt()), (text, 2));
    again.ack().await.unwrap();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 20);
    member.gets_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_told_so() {
    let options = KafkaOptions::new().sasl_plain("outbox", "s3cret");
    let Some(server) = requirement::private_kafka(&options) else {
        return;
    };
    let url = |who: &str| server.url().replace("kafka://", &format!("kafka://{who}@")) + "?timeout=3s";
    let error = Kafka::builder(&url("outbox:wr0ng"))
        .unwrap()
        .connect()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("uthentication"), "{error}");
    assert!(!format!("{error} {error:?}").contains("wr0ng"));
    let builder = Kafka::builder(&url("outbox:s3cret")).unwrap();
    assert!(!format!("{builder:?}").contains("s3cret"));
    let kafka = builder.connect().await.unwrap();
    assert!(!format!("{kafka:?}").contains("s3cret"));
    kafka.publisher().probe().await.unwrap();
    publish(&kafka, &[message("k", "a")]).await;
    let mut member = Member::of(&kafka, GROUP, Ordering::PerKey).await;
    assert_eq!(member.handle(1).await[0].text, "a");
}

#[tokio::test]
async fn settings_that_can_not_be_are_named() {
    for (query, said) in [
        ("prefix=a..b", "prefix"),
        ("queues=0", "queues_per_topic"),
        ("min_in_sync=2", "min_in_sync"),
        ("timeout=0s", "timeout"),
        ("session=1ms", "session"),
        ("sasl=kerberos", "sasl"),
        ("cert=%2Fa", "go together"),
        ("no.such.property=1", "no.such.property"),
        ("enable.auto.commit=true", "enable.auto.commit"),
        (
            "partition.assignment.strategy=range",
            "partition.assignment.strategy",
        ),
        ("surprise=1", "no setting \"surprise\""),
    ] {
        let error = outbox_brokers::connect(&format!("kafka://127.0.0.1:1?{query}"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(said), "{query}: {error}");
    }
    let error = outbox_brokers::connect("kafka://127.0.0.1:1?timeout=300ms")
        .await
        .unwrap_err();
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
