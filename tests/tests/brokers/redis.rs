//! What is Redis Streams' own: what others append, room, trimming, groups that go, and what Redis refuses.

use std::time::{Duration, Instant, SystemTime};

use outbox_brokers::redis_streams::RedisStreams;
use outbox_brokers::{BrokerError, Ordering, connect};
use outbox_core::{Message, PublishErrorKind};
use outbox_sqlx::Outbox;
use redis::Commands as _;

use crate::engine::{Engine, GROUP, Kind, Member, TOPIC, eventually, message, spread};
use crate::support::{self, SOON, World, start};

async fn engine() -> Option<Engine> {
    Engine::start(Kind::Redis).await
}

/// As its own clients connect.
fn client(engine: &Engine) -> redis::Connection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", engine.server.port())).unwrap();
    client.get_connection().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_appends_is_a_message_too() {
    let Some(engine) = engine().await else { return };
    let mut member = engine.member().await;
    let stream = "{outbox:orders.placed}:3";
    let words = [
        ("payload", "theirs"),
        ("content-type", "text/plain"),
        ("tenant", "eu"),
    ];
    let _: String = client(&engine).xadd(stream, "*", &words).unwrap();
    let _: String = client(&engine).xadd(stream, "*", &[("bare", "1")]).unwrap();
    let first = member.one().await;
    let published = first.message().clone();
    assert_eq!(
        (published.topic(), published.key(), &published.payload()[..]),
        (TOPIC, None, &b"theirs"[..])
    );
    assert_eq!(
        (published.content_type(), published.headers().get("tenant")),
        ("text/plain", Some("eu"))
    );
    assert!(published.created_at().elapsed().unwrap() < SOON);
    first.retry(Duration::ZERO, "not now").await.unwrap();
    let again = member.one().await;
    assert_eq!(again.message().id(), published.id(), "the same in every delivery");
    again.ack().await.unwrap();
    let bare = member.one().await;
    assert_eq!(
        (
            bare.message().payload().len(),
            bare.message().headers().get("bare")
        ),
        (0, Some("1"))
    );
    bare.ack().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_can_read_what_is_published() {
    let Some(engine) = engine().await else { return };
    let published = message("order-7", "seven");
    engine.publish(std::slice::from_ref(&published)).await;
    let mut client = client(&engine);
    let found: Vec<redis::streams::StreamRangeReply> = (0..8)
        .map(|queue| {
            client
                .xrange_all(format!("{{outbox:orders.placed}}:{queue}"))
                .unwrap()
        })
        .collect();
    let entries: Vec<_> = found.into_iter().flat_map(|found| found.ids).collect();
    assert_eq!(entries.len(), 1);
    let word = |name: &str| entries[0].get::<String>(name);
    assert_eq!(word("payload").as_deref(), Some("seven"));
    assert_eq!(word("outbox-key").as_deref(), Some("order-7"));
    assert_eq!(word("outbox-id"), Some(published.id().to_string()));
}

/// How many messages the topic's queues have.
fn appended(client: &mut redis::Connection) -> usize {
    (0..8)
        .map(|queue| -> usize { client.xlen(format!("{{outbox:orders.placed}}:{queue}")).unwrap() })
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_is_known_for_the_window_and_not_for_good() {
    let Some(engine) = engine().await else { return };
    let mut client = client(&engine);
    let window = Duration::from_millis(700);
    let broker = connect(&engine.url("&duplicate_window=700ms")).await.unwrap();
    let publisher = broker.publisher();
    // One queue has them all.
    let [a, b, c] = ["a", "b", "c"].map(|text| message("k", text));
    let publish = async |messages: &[&Message]| {
        for message in messages {
            let answers = publisher.publish(std::slice::from_ref(*message)).await;
            answers[0].as_ref().unwrap();
        }
    };
    let begun = Instant::now();
    publish(&[&a]).await;
    publish(&[&b, &a]).await;
    assert!(appended(&mut client) == 2 || begun.elapsed() >= window);
    let (answered, mut again) = (Instant::now(), Instant::now());
    while appended(&mut client) == 2 {
        assert!(again - answered < 2 * window, "it is known for too long");
        again = Instant::now();
        publish(&[&a]).await;
    }
    assert!(begun.elapsed() >= window, "{:?}", begun.elapsed());
    // Among the ids of the window that began meanwhile, it is known again.
    publish(&[&c, &a]).await;
    assert!(appended(&mut client) == 4 || again.elapsed() >= window);
}

/// Its connections are lost together, and that is noticed once: otherwise a message is refused again and again, and taken for the one
/// at fault.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_back_fails_one_call_and_not_one_for_each_connection() {
    let Some(mut engine) = engine().await else { return };
    let publisher = engine.publisher();
    let calls = publisher.capabilities().max_in_flight;
    assert!(calls > 1);
    let publish = async || publisher.publish(&[message("k", "a")]).await.remove(0);
    for _ in 0..calls {
        publish().await.unwrap();
    }
    engine.server.kill();
    engine.server.restart();
    let mut failed = 0;
    for _ in 0..2 * calls {
        failed += usize::from(publish().await.is_err());
    }
    assert!(failed <= 1, "{failed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_without_order_has_many_out_at_a_time() {
    let Some(engine) = engine().await else { return };
    let mut member = Member::of(&*engine.broker, GROUP, Ordering::None { out: 80 }).await;
    // One key, one queue: of each of the eight a tenth of the eighty is out.
    engine.publish(&spread(1, 30)).await;
    let mut held = Vec::new();
    while held.len() < 10 {
        held.extend(member.next(50).await);
    }
    member.gets_nothing().await;
    // One that failed does not hold up the others.
    held.remove(0)
        .retry(Duration::from_secs(60), "not now")
        .await
        .unwrap();
    for delivery in held {
        delivery.ack().await.unwrap();
    }
    assert_eq!(member.handle(20).await.len(), 20);
    member.gets_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_settles_nothing_and_goes_on_when_there_is_room() {
    let Some(engine) = engine().await else { return };
    let Some(world) = World::new(support::Kind::Sqlite).await else {
        return;
    };
    let mut member = engine.member().await;
    let broker = connect(&engine.url("&max_length=10&max_age=0s&duplicate_window=0s"))
        .await
        .unwrap();
    let answers = broker.publisher().publish(&spread(1, 15)).await;
    let taken = answers.iter().filter(|answer| answer.is_ok()).count();
    let error = answers[14].as_ref().unwrap_err();
    assert_eq!((taken, error.kind()), (10, PublishErrorKind::Unavailable));
    assert!(
        error.to_string().contains("is full") && error.to_string().contains("max_length"),
        "{error}"
    );
    let outbox = Outbox::new();
    let relay = start(&world, &outbox, broker.publisher(), |_| {});
    let more = (0..20).map(|n| {
        Message::builder(TOPIC)
            .key("k0")
            .payload(n.to_string(), "text/plain")
    });
    world.publish(&outbox, more).await;
    eventually("the breaker is open", async || {
        relay.stats.breaker_opened.get() > 0
    })
    .await;
    assert_eq!(world.backend.pending().await.unwrap(), 20);
    member.handle(10).await;
    // Room is what was trimmed. Otherwise a process does it once in a while.
    let stream = client(&engine)
        .keys::<_, Vec<String>>("{outbox:orders.placed}:?")
        .unwrap();
    for stream in stream {
        let _: i64 = redis::cmd("XTRIM")
            .arg(stream)
            .arg("MAXLEN")
            .arg(0)
            .query(&mut client(&engine))
            .unwrap();
    }
    let seen = tokio::join!(member.handle(10), async {
        eventually("half of it was taken", async || {
            world.backend.pending().await.unwrap() <= 10
        })
        .await;
    });
    assert_eq!(seen.0.len(), 10);
    assert_eq!((relay.stats.dead.get(), relay.stats.refused.get()), (0, 0));
    relay.stop().await;
}

/// Old and finished by every group: gone. Old and not finished by one of them: kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trimming_takes_nothing_that_a_group_has_not_finished() {
    let Some(engine) = engine().await else { return };
    let redis = RedisStreams::builder(&engine.url("&max_age=0s"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut shipping = engine.member().await;
    drop(engine.member_of("billing").await);
    drop(engine.member_of("idle").await);
    // An entry is trimmed with all of its node, a hundred of them.
    for _ in 0..5 {
        engine.publish(&spread(1, 100)).await;
    }
    shipping.handle(500).await;
    let mut billing = engine.member_of("billing").await;
    billing.handle(250).await;
    let in_hand = billing.one().await;
    let mut client = client(&engine);
    let mut left = || -> usize {
        let streams: Vec<String> = client.keys("{outbox:orders.placed}:?").unwrap();
        streams
            .iter()
            .map(|stream| client.xlen::<_, usize>(stream).unwrap())
            .sum()
    };
    redis.trim(TOPIC).await.unwrap();
    assert_eq!(left(), 500, "one group has begun with none");
    redis.remove_group("idle", TOPIC).await.unwrap();
    redis.trim(TOPIC).await.unwrap();
    let kept = left();
    assert!(
        (250..=350).contains(&kept),
        "{kept} of 500 are kept, and 250 are not finished"
    );
    in_hand.ack().await.unwrap();
    billing.handle(249).await;
    billing.gets_nothing().await;
    redis.trim(TOPIC).await.unwrap();
    assert!(left() <= 100, "{} are left", left());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_gone_keeps_nothing() {
    let Some(engine) = engine().await else { return };
    let redis = RedisStreams::builder(&engine.url(""))
        .unwrap()
        .connect()
        .await
        .unwrap();
    drop(engine.member_of("abandoned").await);
    engine.publish(&spread(4, 2)).await;
    assert!(redis.remove_group("abandoned", TOPIC).await.unwrap());
    assert!(!redis.remove_group("abandoned", TOPIC).await.unwrap());
    assert!(!redis.remove_group("abandoned", "no.such.topic").await.unwrap());
    // Whoever comes again begins anew.
    assert_eq!(engine.member_of("abandoned").await.handle(8).await.len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_refuses_is_named_and_is_not_the_message_s_fault() {
    let Some(engine) = engine().await else { return };
    for queue in 0..8 {
        let _: () = client(&engine)
            .set(format!("{{outbox:orders.placed}}:{queue}"), "mine")
            .unwrap();
    }
    let answers = engine.publisher().publish(&spread(1, 1)).await;
    let error = answers[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Unavailable);
    assert!(
        error.to_string().contains("{outbox:orders.placed}") && error.to_string().contains("is no stream"),
        "{error}"
    );

    let broker = connect(&engine.url("&replicas=1&prefix=other")).await.unwrap();
    let answers = broker.publisher().publish(&spread(1, 1)).await;
    let error = answers[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Unavailable);
    assert!(error.to_string().contains("0 of 1 replicas"), "{error}");

    let _: () = redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxmemory")
        .arg(1)
        .query(&mut client(&engine))
        .unwrap();
    let broker = connect(&engine.url("&prefix=another")).await.unwrap();
    let answers = broker.publisher().publish(&spread(1, 1)).await;
    let error = answers[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Unavailable);
    assert!(error.to_string().contains("memory"), "{error}");
    assert!(
        broker.publisher().probe().await.is_err(),
        "the breaker has to stay open"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_can_t_be_called_as_the_payload_is() {
    let Some(engine) = engine().await else { return };
    let bad = Message::builder(TOPIC)
        .header("payload", "x")
        .json(&1)
        .unwrap()
        .build()
        .unwrap();
    let answers = engine.publisher().publish(&[message("k", "a"), bad]).await;
    assert!(answers[0].is_ok());
    let error = answers[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::Invalid);
    assert!(error.to_string().contains("\"payload\""), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_is_told_so() {
    let Some(engine) = engine().await else {
        return;
    };
    let _: () = redis::cmd("CONFIG")
        .arg("SET")
        .arg("requirepass")
        .arg("s3cret")
        .query(&mut client(&engine))
        .unwrap();
    let url = engine.url("");
    let error = connect(&url).await.unwrap_err();
    assert!(
        matches!(
            error,
            BrokerError::Server {
                doing: "connecting",
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().to_lowercase().contains("auth"), "{error}");
    let wrong = connect(&url.replace("://", "://:wr0ng@")).await.unwrap_err();
    assert!(!format!("{wrong} {wrong:?}").contains("wr0ng"));
    let url = url.replace("://", "://:s3cret@");
    let broker = connect(&url).await.unwrap();
    broker.publisher().probe().await.unwrap();
    assert!(!format!("{broker:?} {:?}", RedisStreams::builder(&url).unwrap()).contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_in_pages() {
    let Some(engine) = engine().await else { return };
    let mut member = engine.member().await;
    engine.publish(&spread(8, 4)).await;
    let begun = SystemTime::now();
    for n in 0..32 {
        member.one().await.dead(&n.to_string()).await.unwrap();
    }
    let dead = engine.broker.dead_letters(GROUP).unwrap();
    let (mut after, mut seen) = (None::<String>, Vec::new());
    loop {
        let page = dead.list(after.as_deref(), 5).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.reference.clone());
        seen.extend(page);
    }
    let errors: Vec<_> = seen
        .iter()
        .map(|letter| letter.error.parse::<u32>().unwrap())
        .collect();
    let mut sorted = errors.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, (0..32).collect::<Vec<_>>(), "each once");
    assert!(seen.is_sorted_by_key(|letter| letter.died_at), "the oldest first");
    assert!(
        seen.iter()
            .all(|letter| letter.died_at + Duration::from_secs(60) > begun)
    );
    assert!(dead.discard(&seen[0].reference).await.unwrap());
    assert!(!dead.discard(&seen[0].reference).await.unwrap());
    assert_eq!(engine.dead(GROUP).await.len(), 31);
    for reference in ["", "1", "1-1@x@t", "1-1@1", "a-b@1@t"] {
        let error = dead.redrive(reference).await.unwrap_err();
        assert!(
            matches!(error, BrokerError::Setting { .. }),
            "{reference}: {error}"
        );
    }
}
