//! What is RocketMQ's own: topics, what others publish, messages that are due later, half messages, members that are killed,
//! authentication.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use outbox_brokers::rocketmq::RocketMq;
use outbox_brokers::{Broker, BrokerError, Ordering};
use outbox_core::half::{CheckAnswer, CheckError, Checker, TombstoneChecker};
use outbox_core::{Message, PublishErrorKind};
use outbox_sqlx::queue::SqlLocalRecord;
use outbox_test_harness::{RocketMqOptions, Scratch, requirement};
use sqlx::SqlitePool;

use crate::child;
use crate::engine::{GROUP, LEASE, Member, Seen, TOPIC, connect, eventually, message, spread};
use crate::support::SOON;

/// The server that these tests share, with topics and groups of the test's own.
struct Own {
    url: String,
    name_server: u16,
    prefix: String,
}

impl Own {
    fn new() -> Option<Self> {
        static TESTS: AtomicU32 = AtomicU32::new(0);
        crate::support::show_logs();
        let url = requirement::shared_rocketmq_url()?;
        Some(Self {
            name_server: url.rsplit_once(':').unwrap().1.parse().unwrap(),
            url,
            prefix: format!("own{}", TESTS.fetch_add(1, Relaxed)),
        })
    }

    fn url(&self, more: &str) -> String {
        format!("{}?prefix={}&timeout=5s&lease=2s{more}", self.url, self.prefix)
    }

    async fn rocketmq(&self) -> RocketMq {
        RocketMq::builder(&self.url("")).unwrap().connect().await.unwrap()
    }

    /// Asks a server as others do, and returns the answer's header and body.
    fn ask(&self, port: u16, code: u32, fields: &serde_json::Value, body: &[u8]) -> (String, Vec<u8>) {
        let header = serde_json::json!({
            "code": code, "language": "OTHER", "version": 477, "opaque": 7, "flag": 0, "extFields": fields,
        });
        let header = header.to_string();
        let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let command = [
            &length(4 + header.len() + body.len())[..],
            &length(header.len()),
            header.as_bytes(),
            body,
        ];
        stream.write_all(&command.concat()).unwrap();
        let mut next = |bytes: usize| {
            let mut read = vec![0; bytes];
            stream.read_exact(&mut read).unwrap();
            read
        };
        let number = |bytes: Vec<u8>| u32::from_be_bytes(bytes.try_into().unwrap()) as usize;
        let all = number(next(4));
        let header = number(next(4));
        let text = String::from_utf8(next(header)).unwrap();
        let body = next(all - 4 - header);
        (text, body)
    }

    /// Where the topic's broker is.
    fn broker(&self) -> u16 {
        let fields = serde_json::json!({ "topic": self.topic() });
        let (_, route) = self.ask(self.name_server, 105, &fields, b"");
        let route = String::from_utf8(route).unwrap();
        let port = route.split("127.0.0.1:").nth(1).unwrap();
        port.split('"').next().unwrap().parse().unwrap()
    }

    /// Publishes as somebody else.
    fn publish(&self, flags: u32, properties: &str, content: &[u8]) {
        let fields = serde_json::json!({
            "producerGroup": "theirs", "topic": self.topic(), "defaultTopic": "TBW102", "defaultTopicQueueNums": "4",
            "queueId": "3", "sysFlag": flags.to_string(), "bornTimestamp": "1", "flag": "0", "reconsumeTimes": "0",
            "properties": properties,
        });
        let (said, _) = self.ask(self.broker(), 10, &fields, content);
        assert!(said.contains("\"code\":0,"), "{said}");
    }

    /// The topic as RocketMQ has it.
    fn topic(&self) -> String {
        // Without its dot, and with what tells it from other names without theirs.
        format!("{}-orders_placed-09e7cbf33837", self.prefix)
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
    let rocketmq = own.rocketmq().await;
    let mut member = Member::of(&rocketmq, GROUP, Ordering::PerKey).await;
    let properties = "TAGS\u{1}vip\u{2}__SHARDINGKEY\u{1}k\u{2}tenant\u{1}eu\u{2}UNIQ_KEY\u{1}7F0001\u{2}";
    own.publish(0, properties, b"theirs");
    let first = member.one().await;
    let id = first.message().id();
    assert_eq!(
        (first.message().key(), &first.message().payload()[..]),
        (Some("k"), &b"theirs"[..])
    );
    let headers: Vec<_> = first.message().headers().iter().collect();
    assert_eq!(headers, [("tenant", "eu")]);
    first.retry(Duration::ZERO, "not now").await.unwrap();
    let again = member.one().await;
    assert_eq!((again.message().id(), again.attempt()), (id, 2));
    again.ack().await.unwrap();
}

/// As RocketMQ's own producer does with what has more than 4 KiB.
#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_has_compressed_is_read() {
    const COMPRESSED: u32 = 1;
    const LZ4: u32 = 1 << 8;
    const ZLIB: u32 = 3 << 8;
    let Some(own) = Own::new() else { return };
    let rocketmq = RocketMq::builder(&own.url("&max_message_bytes=100000")).unwrap();
    let rocketmq = rocketmq.connect().await.unwrap();
    let mut member = Member::of(&rocketmq, GROUP, Ordering::PerKey).await;
    let zlib = |content: &str| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let content = "an order ".repeat(1_000);
    own.publish(COMPRESSED, "KEYS\u{1}1\u{2}", &zlib(&content));
    own.publish(COMPRESSED | ZLIB, "KEYS\u{1}2\u{2}", &zlib(&content));
    for seen in member.handle(2).await {
        assert!(seen.text == content);
    }
    own.publish(COMPRESSED | LZ4, "KEYS\u{1}3\u{2}", &zlib(&content));
    own.publish(COMPRESSED, "KEYS\u{1}4\u{2}", content.as_bytes());
    own.publish(COMPRESSED, "KEYS\u{1}5\u{2}", &zlib(&content.repeat(50)));
    own.publish(0, "KEYS\u{1}6\u{2}", b"the next");
    assert_eq!(member.handle(1).await[0].text, "the next");
    let dead = rocketmq.dead_letters(GROUP).unwrap();
    let letters = dead.list(None, 10).await.unwrap();
    let mut errors: Vec<&str> = letters.iter().map(|letter| letter.error.as_str()).collect();
    errors.sort_unstable();
    assert!(
        errors.len() == 3
            && errors[0].contains("more than 400000 bytes")
            && errors[1].contains("LZ4")
            && errors[2].contains("not what zlib"),
        "{errors:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_due_later_comes_later() {
    let Some(own) = Own::new() else { return };
    let rocketmq = own.rocketmq().await;
    let mut member = Member::of(&rocketmq, GROUP, Ordering::PerKey).await;
    let (begun, delay) = (Instant::now(), Duration::from_millis(1_500));
    let later = Message::builder(TOPIC)
        .key("k")
        .delay(delay)
        .payload("later", "text/plain");
    publish(&rocketmq, &[later.build().unwrap(), message("k", "now")]).await;
    assert_eq!(
        member
            .handle(2)
            .await
            .iter()
            .map(|seen| &*seen.text)
            .collect::<Vec<_>>(),
        ["now", "later"]
    );
    assert!(begun.elapsed() >= delay, "{:?}", begun.elapsed());
    let most = rocketmq.publisher().capabilities().max_delay.unwrap();
    let never = Message::builder(TOPIC)
        .delay(most * 2)
        .payload("never", "text/plain");
    let refused = rocketmq.publisher().publish(&[never.build().unwrap()]).await;
    assert!(refused[0].is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_order_goes_on_while_one_waits() {
    let Some(own) = Own::new() else { return };
    let rocketmq = own.rocketmq().await;
    let mut member = Member::of(&rocketmq, GROUP, Ordering::None { out: 20 }).await;
    publish(&rocketmq, &spread(1, 40)).await;
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
    assert!(failed.elapsed() >= after, "{:?}", failed.elapsed());
    assert_eq!((Seen::of(&again).text, again.attempt()), (text, 2));
    again.dead("it is broken").await.unwrap();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 20);
    member.gets_nothing().await;
    let dead = rocketmq.dead_letters(GROUP).unwrap();
    assert_eq!(dead.list(None, 10).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_its_process_is_counted() {
    let Some(own) = Own::new() else { return };
    let rocketmq = own.rocketmq().await;
    publish(&rocketmq, &[message("k", "poison"), message("k", "next")]).await;
    for attempt in 1..4 {
        let mut child = child::Harmed::join(&own.url(""));
        assert_eq!(child.holds(), format!("\"poison\" {attempt}"));
        child.0.kill9().unwrap();
    }
    let mut member = Member::of(&rocketmq, GROUP, Ordering::PerKey).await;
    let poison = member.one().await;
    assert_eq!(poison.attempt(), 4);
    poison.dead("it kills").await.unwrap();
    let next = member.one().await;
    assert_eq!((&*Seen::of(&next).text, next.attempt()), ("next", 1));
    next.ack().await.unwrap();
    let dead = rocketmq.dead_letters(GROUP).unwrap();
    let letters = dead.list(None, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].attempts), (1, 4));
    let reference = &letters[0].reference;
    assert!(dead.list(Some(reference), 10).await.unwrap().is_empty());
    assert!(dead.discard(reference).await.unwrap());
    assert!(!dead.discard(reference).await.unwrap());
    assert!(dead.list(Some("17"), 10).await.is_err());
}

/// Local work in a database of SQLite's.
async fn database(file: &Path) -> SqlitePool {
    let database = outbox_sqlx::sqlite::open(&format!("sqlite:{}", file.display()))
        .await
        .unwrap();
    outbox_sqlx::migrate(&database).await.unwrap();
    database
}

async fn do_local_work(database: &SqlitePool, message: &Message) {
    let mut tx = database.begin().await.unwrap();
    SqlLocalRecord::new(database.clone())
        .record(&mut tx, message.id())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Whoever is asked here has been asked wrongly.
struct Never;

#[async_trait::async_trait]
impl Checker for Never {
    async fn check(&self, message: &Message) -> Result<CheckAnswer, CheckError> {
        panic!("{} was asked after", message.id());
    }
}

/// What a producer does that is killed between its local work and the end of its half messages; the test after the next one
/// starts it.
#[tokio::test(flavor = "multi_thread")]
async fn the_producer_that_is_killed() {
    let Ok(given) = std::env::var(CHILD_PRODUCER) else {
        return;
    };
    let (url, file) = given.split_once('|').unwrap();
    let rocketmq = RocketMq::builder(url).unwrap().connect().await.unwrap();
    let half = rocketmq.half_messages("orders", Arc::new(Never)).await.unwrap();
    let database = database(Path::new(file)).await;
    let (done, undone) = (message("done", "done"), message("undone", "undone"));
    half.prepare(&done).await.unwrap();
    half.prepare(&undone).await.unwrap();
    do_local_work(&database, &done).await;
    println!("\nprepared");
    std::future::pending::<()>().await;
}

const CHILD_PRODUCER: &str = "OUTBOX_TEST_ROCKETMQ_PRODUCER";

#[tokio::test(flavor = "multi_thread")]
async fn half_messages_come_when_they_are_committed_and_only_then() {
    let Some(own) = Own::new() else { return };
    let rocketmq = own.rocketmq().await;
    let mut member = Member::of(&rocketmq, GROUP, Ordering::PerKey).await;
    let half = rocketmq.half_messages("orders", Arc::new(Never)).await.unwrap();
    let (yes, no) = (message("k", "yes"), message("k", "no"));
    let prepared = [
        half.prepare(&yes).await.unwrap(),
        half.prepare(&no).await.unwrap(),
    ];
    assert_eq!(prepared[0].id(), yes.id());
    member.gets_nothing().await;
    half.roll_back(&prepared[1]).await.unwrap();
    half.commit(&prepared[0]).await.unwrap();
    let delivery = member.one().await;
    assert_eq!(
        (delivery.message().id(), delivery.message().topic()),
        (yes.id(), TOPIC)
    );
    assert_eq!(delivery.message().headers(), yes.headers());
    delivery.ack().await.unwrap();
    member.gets_nothing().await;
}

/// The producer is gone, and whoever is asked in its place reads what it did in its database.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_left_answers_for_a_producer_that_died() {
    let Some(own) = Own::new() else { return };
    let rocketmq = own.rocketmq().await;
    let mut member = Member::of(&rocketmq, GROUP, Ordering::PerKey).await;
    let scratch = Scratch::new().unwrap();
    let file = scratch.path().join("producer.db");
    let database = database(&file).await;
    let given = format!("{}|{}", own.url(""), file.display());
    let mut producer = child::run("rocketmq::the_producer_that_is_killed", CHILD_PRODUCER, &given);
    producer.line_where(SOON, |line| line == "prepared").unwrap();
    producer.kill9().unwrap();
    member.gets_nothing().await;
    let checker = TombstoneChecker::new(SqlLocalRecord::new(database.clone()));
    let _half = rocketmq.half_messages("orders", Arc::new(checker)).await.unwrap();
    assert_eq!(member.handle(1).await[0].text, "done");
    // The other one is not done, and can't be done any more.
    let rolled_back = async || {
        let found =
            sqlx::query_scalar("SELECT count(*) FROM outbox_half_local WHERE outcome = 'rolled_back'");
        let found: i64 = found.fetch_one(&database).await.unwrap();
        found == 1
    };
    eventually("the other one is asked after", rolled_back).await;
    member.gets_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_told_so() {
    let options = RocketMqOptions::new().user("outbox", "s3cret");
    let Some(server) = requirement::private_rocketmq(&options) else {
        return;
    };
    let url = |who: &str| server.url().replace("rocketmq://", &format!("rocketmq://{who}@")) + "?timeout=3s";
    let stranger = RocketMq::builder(&url("outbox:wr0ng"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let error = stranger
        .publisher()
        .publish(&[message("k", "a")])
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Unavailable);
    assert!(error.to_string().contains("code 16"), "{error}");
    assert!(!format!("{error} {error:?} {stranger:?}").contains("wr0ng"));
    let builder = RocketMq::builder(&url("outbox:s3cret")).unwrap();
    assert!(!format!("{builder:?}").contains("s3cret"));
    let rocketmq = builder.connect().await.unwrap();
    assert!(!format!("{rocketmq:?}").contains("s3cret"));
    rocketmq.publisher().probe().await.unwrap();
    publish(&rocketmq, &[message("k", "a"), message("k", "b")]).await;
    let mut member = Member::of(&rocketmq, GROUP, Ordering::PerKey).await;
    assert_eq!(member.handle(2).await.len(), 2);
}

#[tokio::test]
async fn settings_that_can_not_be_are_named() {
    for (query, said) in [
        ("prefix=a..b", "prefix"),
        ("queues=0", "queues_per_topic"),
        ("timeout=0s", "timeout"),
        ("lease=1ms", "lease"),
        ("cert=%2Fa", "go together"),
        ("ca=%2Fa", "reading the root certificates"),
        ("cert=%2Fa&key=%2Fb", "reading the client's certificate"),
        ("surprise=1", "no setting \"surprise\""),
    ] {
        let error = outbox_brokers::connect(&format!("rocketmq://127.0.0.1:1?{query}"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(said), "{query}: {error}");
    }
    let error = RocketMq::builder("rocketmq://user@127.0.0.1:1").unwrap_err();
    assert!(error.to_string().contains("secret go together"), "{error}");
    let begun = Instant::now();
    let error = outbox_brokers::connect("rocketmq://127.0.0.1:1?timeout=300ms")
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            BrokerError::Server {
                doing: "asking a name server",
                ..
            }
        ),
        "{error}"
    );
    assert!(begun.elapsed() < LEASE);
}
