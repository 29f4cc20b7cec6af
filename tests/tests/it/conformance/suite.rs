use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use outbox_core::relay::StopReason;
use outbox_core::retry::{RetryPolicy, WhenSpent};
use outbox_core::{Message, PublishError};
use outbox_sqlx::Outbox;
use outbox_tests::{Open, RecordingSink};

use crate::support::{Kind, SOON, World, message, start};

/// What a store promises beyond what all of them do.
#[derive(Debug, Clone, Copy)]
pub struct Guarantees {
    /// Several relays may share it.
    pub several_relays: bool,
    /// A lower id may become visible after a higher one.
    pub id_is_taken_before_commit: bool,
}

/// Defines the suite's tests for one kind of store.
macro_rules! conformance {
    ($kind:expr, $guarantees:expr) => {
        conformance!(@each $kind, $guarantees,
            what_commits_is_delivered_and_what_rolls_back_is_not
            a_message_arrives_as_it_was_published
            messages_of_a_key_arrive_in_order
            a_plain_insert_is_delivered
            a_row_that_is_no_message_is_buried_and_delays_nobody
            a_delayed_message_waits_for_its_time
            a_refused_message_delays_only_its_key
            a_freed_key_with_more_rows_than_a_page_goes_on_in_order
            attempts_are_bounded_and_then_the_message_is_skipped
            a_blocked_key_waits_for_an_operator
            a_parked_key_goes_on_in_order_after_its_redrive
            a_skipped_message_can_be_redriven_with_its_id
            a_queue_that_is_away_costs_no_attempt
            a_message_that_silences_the_queue_is_found
            what_is_delivered_can_be_kept
            after_a_stop_nothing_is_held_and_nothing_published
            a_relay_that_starts_takes_over_what_was_left
            relays_share_the_work
            rows_that_appear_below_the_mark_are_found_and_keep_their_order
        );
    };
    (@each $kind:expr, $guarantees:expr, $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::suite::$name($kind, $guarantees).await;
            }
        )*
    };
}

fn numbers(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|n| n.to_string()).collect()
}

pub async fn what_commits_is_delivered_and_what_rolls_back_is_not(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let relay = start(&world, &outbox, sink.clone(), |_| {});
    let mut committed = Vec::new();
    for n in 0..60 {
        match world
            .backend
            .write(&outbox, &format!("k{}", n % 7), n % 3 == 0)
            .await
        {
            outbox_tests::Write::Acknowledged(id) => committed.push(id),
            outbox_tests::Write::RolledBack(_) => {}
            outbox_tests::Write::Unknown => panic!("the database failed"),
        }
    }
    sink.wait_for(committed.len(), SOON).await;
    world.wait_empty(SOON).await;
    assert!(relay.stop().await.is_clean());
    let mut taken: Vec<_> = sink.taken().iter().map(|(message, _)| message.id()).collect();
    taken.sort();
    committed.sort();
    assert_eq!(taken, committed);
}

pub async fn a_message_arrives_as_it_was_published(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let refuse = Arc::new(AtomicBool::new(true));
    let rule = refuse.clone();
    sink.answer(move |_| {
        if rule.swap(false, Ordering::Relaxed) {
            Err(PublishError::refused("once"))
        } else {
            Ok(())
        }
    });
    let relay = start(&world, &outbox, sink.clone(), |_| {});
    let bytes: Vec<u8> = (0..=255).collect();
    let published = Message::builder("a.topic:with/all_of-it")
        .key("schlüssel ✓")
        .payload(bytes, "application/octet-stream")
        .header("Tenant", "eu \"quoted\" \\ ü")
        .header("x-unknown", "kept");
    world.publish(&outbox, [published.clone()]).await;
    sink.wait_for(1, SOON).await;
    relay.stop().await;
    let (taken, published) = (&sink.taken()[0].0, published.build().unwrap());
    assert_eq!(taken.id(), published.id());
    assert_eq!(taken.topic(), published.topic());
    assert_eq!(taken.key(), published.key());
    assert_eq!(taken.payload(), published.payload());
    assert_eq!(taken.headers(), published.headers());
    let age = SystemTime::now()
        .duration_since(taken.created_at())
        .unwrap_or_default();
    assert!(age < SOON, "created {age:?} ago");
}

pub async fn messages_of_a_key_arrive_in_order(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let random = std::sync::Mutex::new(fastrand::Rng::with_seed(7));
    sink.answer(move |_| {
        if random.lock().unwrap().u8(0..10) == 0 {
            Err(PublishError::refused("dice"))
        } else {
            Ok(())
        }
    });
    let relay = start(&world, &outbox, sink.clone(), |config| config.page_rows = 16);
    for n in 1..=60 {
        world
            .publish(&outbox, ["a", "b", "c"].map(|key| message(key, &n.to_string())))
            .await;
    }
    sink.wait_for(180, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    for key in ["a", "b", "c"] {
        let of_key: Vec<_> = sink
            .taken()
            .iter()
            .filter(|(message, _)| message.key() == Some(key))
            .map(|(message, _)| String::from_utf8_lossy(message.payload()).into_owned())
            .collect();
        assert_eq!(of_key, numbers(1, 60), "key {key}");
    }
}

pub async fn a_plain_insert_is_delivered(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let sink = RecordingSink::new();
    let relay = start(&world, &Outbox::new(), sink.clone(), |_| {});
    // The dialects write bytes differently; columns and defaults are the same.
    let sql = match kind {
        Kind::Postgres | Kind::MySql => {
            "INSERT INTO outbox (topic, message_key, payload) VALUES ('plain', 'k', '{\"a\":1}')"
        }
        Kind::Sqlite => {
            "INSERT INTO outbox (topic, message_key, payload) VALUES ('plain', 'k', CAST('{\"a\":1}' AS BLOB))"
        }
    };
    world.backend.execute(sql).await.unwrap();
    sink.wait_for(1, SOON).await;
    relay.stop().await;
    let message = &sink.taken()[0].0;
    assert_eq!(
        (message.topic(), message.key(), message.content_type()),
        ("plain", Some("k"), "application/json")
    );
    assert_eq!(&message.payload()[..], b"{\"a\":1}");
    assert!(!message.id().0.is_nil());
}

pub async fn a_row_that_is_no_message_is_buried_and_delays_nobody(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let none = match kind {
        Kind::Postgres | Kind::MySql => "''",
        Kind::Sqlite => "x''",
    };
    for (columns, values) in [
        ("topic", "'not a topic!'"),
        ("topic", "''"),
        ("topic, message_key", "'t', ''"),
        ("topic, headers", "'t', '[1]'"),
        ("topic, headers", "'t', '{\"a\":{\"b\":1}}'"),
    ] {
        world
            .execute_text(format!(
                "INSERT INTO outbox ({columns}, payload) VALUES ({values}, {none})"
            ))
            .await;
    }
    // A key no index could hold; on MySQL the column's characters are limited, not their bytes.
    let long = match kind {
        Kind::MySql => "ü".repeat(255),
        Kind::Postgres | Kind::Sqlite => "k".repeat(20_000),
    };
    world
        .execute_text(format!(
            "INSERT INTO outbox (topic, message_key, payload) VALUES ('t', '{long}', {none})"
        ))
        .await;
    let relay = start(&world, &outbox, sink.clone(), |_| {});
    world.publish(&outbox, [message("k", "good")]).await;
    sink.wait_for(1, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    assert_eq!(sink.payloads(), ["good"]);
    let invalid = world
        .backend
        .count("SELECT count(*) FROM outbox_dead WHERE reason = 'invalid' AND last_error <> ''")
        .await;
    assert_eq!(invalid.unwrap(), 6);
}

pub async fn a_delayed_message_waits_for_its_time(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let relay = start(&world, &outbox, sink.clone(), |_| {});
    let begun = std::time::Instant::now();
    world
        .publish(
            &outbox,
            [
                message("k", "after").delay(Duration::from_millis(700)),
                message("k", "at").deliver_at(SystemTime::now() + Duration::from_millis(1_400)),
                message("k", "past").deliver_at(SystemTime::now() - Duration::from_secs(60)),
                message("k", "now"),
            ],
        )
        .await;
    sink.wait_for(4, SOON).await;
    relay.stop().await;
    let mut taken = sink.payloads();
    assert_eq!(taken.split_off(2), ["after", "at"]);
    taken.sort();
    assert_eq!(taken, ["now", "past"]);
    let at = |n: usize| sink.taken()[n].1.duration_since(begun).as_millis();
    assert!(
        (690..2_500).contains(&at(2)),
        "due after 700 ms, delivered after {} ms",
        at(2)
    );
    assert!(
        (1_390..3_500).contains(&at(3)),
        "due at 1400 ms, delivered after {} ms",
        at(3)
    );
}

/// Refuses the payload `bad` while the switch is on.
fn refuse_bad(sink: &RecordingSink) -> Arc<AtomicBool> {
    let bad = Arc::new(AtomicBool::new(true));
    let rule = bad.clone();
    sink.answer(move |message| {
        if rule.load(Ordering::Relaxed) && &message.payload()[..] == b"bad" {
            Err(PublishError::refused("no thanks"))
        } else {
            Ok(())
        }
    });
    bad
}

pub async fn a_refused_message_delays_only_its_key(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let bad = refuse_bad(&sink);
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config.default_policy = config.default_policy.with_max_attempts(10_000);
    });
    world.publish(&outbox, [message("poison", "bad")]).await;
    for n in 1..=20 {
        world
            .publish(
                &outbox,
                [
                    message("poison", &format!("p{n}")),
                    message("fine", &format!("f{n}")),
                ],
            )
            .await;
    }
    sink.wait_for(20, SOON).await;
    assert!(
        sink.payloads().iter().all(|payload| payload.starts_with('f')),
        "{:?}",
        sink.payloads()
    );
    bad.store(false, Ordering::Relaxed);
    sink.wait_for(41, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    let poison: Vec<_> = sink
        .payloads()
        .into_iter()
        .filter(|payload| !payload.starts_with('f'))
        .collect();
    let expected: Vec<_> = ["bad".to_owned()]
        .into_iter()
        .chain((1..=20).map(|n| format!("p{n}")))
        .collect();
    assert_eq!(poison, expected);
}

/// The rows that waited are below the floor by then, on several pages, and newer ones above it.
pub async fn a_freed_key_with_more_rows_than_a_page_goes_on_in_order(kind: Kind, _: Guarantees) {
    const FLOOR_MOVES: Duration = Duration::from_millis(500);
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let bad = refuse_bad(&sink);
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config.page_rows = 16;
        config.default_policy = config.default_policy.with_max_attempts(10_000);
    });
    world.publish(&outbox, [message("poison", "bad")]).await;
    sink.wait_for_attempts(1, SOON).await;
    world
        .publish(&outbox, (1..=100).map(|n| message("poison", &n.to_string())))
        .await;
    // The traffic of others, by which the floor rises.
    let (begun, mut others) = (std::time::Instant::now(), 0);
    while begun.elapsed() < FLOOR_MOVES {
        world.publish(&outbox, [message("fine", "fine")]).await;
        others += 1;
        sink.wait_for(others, SOON).await;
    }
    world
        .publish(&outbox, (101..=110).map(|n| message("poison", &n.to_string())))
        .await;
    bad.store(false, Ordering::Relaxed);
    sink.wait_for(others + 111, SOON).await;
    relay.stop().await;
    let mut poison = sink.payloads();
    poison.retain(|payload| payload != "fine");
    assert_eq!(poison.remove(0), "bad");
    assert_eq!(poison, numbers(1, 110));
}

pub async fn attempts_are_bounded_and_then_the_message_is_skipped(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    refuse_bad(&sink);
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config
            .policies
            .insert("work.done".into(), config.default_policy.with_max_attempts(4));
    });
    world
        .publish(&outbox, [message("k", "bad"), message("k", "next")])
        .await;
    sink.wait_for(1, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    assert_eq!(sink.payloads(), ["next"]);
    assert_eq!(sink.attempts(), 5, "four for the bad one, one for the next");
    let dead = "SELECT count(*) FROM outbox_dead WHERE reason = 'skipped' AND attempts = 4 AND last_error = 'no thanks'";
    assert_eq!(world.backend.count(dead).await.unwrap(), 1);
}

pub async fn a_blocked_key_waits_for_an_operator(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let bad = refuse_bad(&sink);
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config.default_policy = config
            .default_policy
            .with_max_attempts(2)
            .with_when_spent(WhenSpent::Block);
    });
    world
        .publish(
            &outbox,
            [message("k", "bad"), message("k", "1"), message("other", "o")],
        )
        .await;
    sink.wait_for(1, SOON).await;
    world
        .wait_count(
            "SELECT count(*) FROM outbox_status WHERE state = 'blocked'",
            1,
            SOON,
        )
        .await;
    world
        .publish(&outbox, [message("k", "2"), message("other", "o")])
        .await;
    sink.wait_for(2, SOON).await;
    assert_eq!(sink.payloads(), ["o", "o"]);
    world.wait_count("SELECT count(*) FROM outbox", 3, SOON).await;
    bad.store(false, Ordering::Relaxed);
    let blocked = world
        .backend
        .ids("SELECT message_id FROM outbox WHERE hold = 2")
        .await
        .unwrap();
    world.backend.unblock(blocked[0]).await.unwrap();
    sink.wait_for(5, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    assert_eq!(sink.payloads()[2..], ["bad", "1", "2"]);
}

pub async fn a_parked_key_goes_on_in_order_after_its_redrive(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let bad = refuse_bad(&sink);
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config.default_policy = config
            .default_policy
            .with_max_attempts(2)
            .with_when_spent(WhenSpent::Park);
    });
    world
        .publish(
            &outbox,
            [
                message("k", "bad"),
                message("k", "1"),
                message("k", "2"),
                message("other", "o"),
            ],
        )
        .await;
    world
        .wait_count(
            "SELECT count(*) FROM outbox_dead WHERE reason = 'parked'",
            3,
            SOON,
        )
        .await;
    // Later ones of the key follow it, others don't notice.
    world
        .publish(&outbox, [message("k", "3"), message("other", "o")])
        .await;
    world
        .wait_count(
            "SELECT count(*) FROM outbox_dead WHERE reason = 'parked'",
            4,
            SOON,
        )
        .await;
    sink.wait_for(2, SOON).await;
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_status WHERE state = 'parked'")
            .await
            .unwrap(),
        4
    );
    bad.store(false, Ordering::Relaxed);
    // New messages of the key arrive while it is redriven.
    let writer = tokio::spawn({
        let (backend, outbox) = (world.backend.clone(), outbox.clone());
        async move {
            for _ in 0..30 {
                backend.write(&outbox, "k", false).await;
            }
        }
    });
    let redriven = world.backend.redrive_key("k").await.unwrap();
    assert!(redriven >= 4, "{redriven}");
    writer.await.unwrap();
    sink.wait_for(2 + 4 + 30, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    let of_key: Vec<_> = sink
        .payloads()
        .into_iter()
        .filter(|payload| payload != "o")
        .collect();
    let expected: Vec<_> = ["bad", "1", "2", "3"]
        .into_iter()
        .map(str::to_owned)
        .chain(numbers(1, 30))
        .collect();
    assert_eq!(of_key, expected);
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_dead")
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_parked")
            .await
            .unwrap(),
        0
    );
}

pub async fn a_skipped_message_can_be_redriven_with_its_id(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let bad = refuse_bad(&sink);
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config.default_policy = config.default_policy.with_max_attempts(1);
        // The full pass must not be what finds it.
        config.full_pass = Duration::from_secs(3600);
    });
    let published = message("k", "bad");
    let id = published.clone().build().unwrap().id();
    world.publish(&outbox, [published, message("k", "1")]).await;
    sink.wait_for(1, SOON).await;
    world
        .wait_count("SELECT count(*) FROM outbox_dead", 1, SOON)
        .await;
    bad.store(false, Ordering::Relaxed);
    world.backend.redrive(id).await.unwrap();
    sink.wait_for(2, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    assert_eq!(sink.taken()[1].0.id(), id);
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_dead")
            .await
            .unwrap(),
        0
    );
}

pub async fn a_queue_that_is_away_costs_no_attempt(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    sink.set_down(true);
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config.default_policy = RetryPolicy::DEFAULT.with_max_attempts(1);
    });
    world
        .publish(&outbox, (1..=20).map(|n| message("k", &n.to_string())))
        .await;
    sink.wait_for_attempts(1, SOON).await;
    // Three probes later, nothing has been charged to any message.
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox WHERE attempts > 0")
            .await
            .unwrap(),
        0
    );
    assert!(
        sink.attempts() < 10,
        "the breaker hands nothing over: {}",
        sink.attempts()
    );
    sink.set_down(false);
    sink.wait_for(20, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    assert_eq!(sink.payloads(), numbers(1, 20));
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_dead")
            .await
            .unwrap(),
        0
    );
}

pub async fn a_message_that_silences_the_queue_is_found(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    sink.answer(|message| {
        if &message.payload()[..] == b"bad" {
            Err(PublishError::unavailable("connection reset"))
        } else {
            Ok(())
        }
    });
    world
        .publish(
            &outbox,
            (1..=20).map(|n| message(&format!("k{n}"), if n == 7 { "bad" } else { "good" })),
        )
        .await;
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config.default_policy = config.default_policy.with_max_attempts(2);
    });
    sink.wait_for(19, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    let dead = "SELECT count(*) FROM outbox_dead WHERE reason = 'skipped' AND attempts = 2";
    assert_eq!(world.backend.count(dead).await.unwrap(), 1);
    let mut ids: Vec<_> = sink.taken().iter().map(|(message, _)| message.id()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 19);
}

pub async fn what_is_delivered_can_be_kept(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let relay = start(&world, &outbox, sink.clone(), |config| config.archive = true);
    world
        .publish(&outbox, (1..=10).map(|n| message("k", &n.to_string())))
        .await;
    sink.wait_for(10, SOON).await;
    world.wait_empty(SOON).await;
    relay.stop().await;
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_archive")
            .await
            .unwrap(),
        10
    );
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_status WHERE state = 'delivered'")
            .await
            .unwrap(),
        10
    );
}

pub async fn after_a_stop_nothing_is_held_and_nothing_published(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let relay = start(&world, &outbox, sink.clone(), |_| {});
    world
        .publish(&outbox, (1..=50).map(|n| message(&format!("k{n}"), "x")))
        .await;
    sink.wait_for(1, SOON).await;
    let stopped = relay.stop().await;
    assert!(
        stopped.is_clean() && matches!(stopped.reason, StopReason::Asked),
        "{stopped:?}"
    );
    let taken = sink.taken().len();
    assert_eq!(stopped.delivered, taken as u64);
    assert_eq!(
        world.backend.pending().await.unwrap(),
        50 - taken as i64,
        "what was delivered is settled"
    );
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_shard WHERE owner IS NOT NULL")
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        world
            .backend
            .count("SELECT count(*) FROM outbox_relay")
            .await
            .unwrap(),
        0
    );
    world.publish(&outbox, [message("late", "x")]).await;
    // Nobody is left who could: another relay is what delivers it.
    assert_eq!(sink.taken().len(), taken);
    let next = start(&world, &outbox, sink.clone(), |_| {});
    sink.wait_for(51, SOON).await;
    next.stop().await;
}

pub async fn a_relay_that_starts_takes_over_what_was_left(kind: Kind, _: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let bad = refuse_bad(&sink);
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config.default_policy = config
            .default_policy
            .with_backoff(SOON * 10, SOON * 10, SOON * 10);
    });
    world
        .publish(&outbox, [message("k", "bad"), message("k", "1")])
        .await;
    world
        .wait_count("SELECT count(*) FROM outbox WHERE hold = 1", 1, SOON)
        .await;
    assert!(relay.stop().await.is_clean());
    bad.store(false, Ordering::Relaxed);
    // The key is held by a row that is not due for long, and goes on being written: nothing may pass it.
    let relay = start(&world, &outbox, sink.clone(), |_| {});
    world
        .publish(&outbox, [message("k", "2"), message("other", "o")])
        .await;
    sink.wait_for(1, SOON).await;
    assert_eq!(sink.payloads(), ["o"]);
    let now = match kind {
        Kind::Postgres => "UPDATE outbox SET due_at = now() WHERE hold = 1",
        Kind::MySql => "UPDATE outbox SET due_at = UTC_TIMESTAMP(6) WHERE hold = 1",
        Kind::Sqlite => "UPDATE outbox SET due_at = 0 WHERE hold = 1",
    };
    world.backend.execute(now).await.unwrap();
    sink.wait_for(4, SOON).await;
    relay.stop().await;
    assert_eq!(sink.payloads(), ["o", "bad", "1", "2"]);
}

pub async fn relays_share_the_work(kind: Kind, guarantees: Guarantees) {
    let Some(world) = World::new(kind).await else {
        return;
    };
    let outbox = Outbox::new();
    let sinks = [RecordingSink::new(), RecordingSink::new()];
    let relays = sinks.clone().map(|sink| {
        start(&world, &outbox, sink, |config| {
            config.lease = Duration::from_secs(3)
        })
    });
    if !guarantees.several_relays {
        // One owns everything, the other waits for its turn; still nothing is lost or doubled.
        world
            .publish(&outbox, (1..=20).map(|n| message(&format!("k{n}"), "x")))
            .await;
        world.wait_empty(SOON).await;
        assert_eq!(sinks.iter().map(|sink| sink.taken().len()).sum::<usize>(), 20);
        for relay in relays {
            relay.stop().await;
        }
        return;
    }
    let shares =
        "SELECT count(*) FROM (SELECT owner FROM outbox_shard GROUP BY owner HAVING count(*) = 32) AS fair";
    world.wait_count(shares, 2, SOON).await;
    world
        .publish(&outbox, (1..=200).map(|n| message(&format!("k{n}"), "x")))
        .await;
    world.wait_empty(SOON).await;
    let counts = sinks.each_ref().map(|sink| sink.taken().len());
    assert_eq!(counts.iter().sum::<usize>(), 200, "{counts:?}");
    assert!(counts.iter().all(|&count| count > 30), "{counts:?}");
    let [first, second] = relays;
    assert!(first.stop().await.is_clean());
    world
        .publish(&outbox, (1..=200).map(|n| message(&format!("k{n}"), "y")))
        .await;
    sinks[1].wait_for(counts[1] + 200, SOON).await;
    second.stop().await;
}

pub async fn rows_that_appear_below_the_mark_are_found_and_keep_their_order(
    kind: Kind,
    guarantees: Guarantees,
) {
    if !guarantees.id_is_taken_before_commit {
        return;
    }
    let Some(world) = World::new(kind).await else {
        return;
    };
    let (outbox, sink) = (Outbox::new(), RecordingSink::new());
    let relay = start(&world, &outbox, sink.clone(), |config| {
        config.full_pass = Duration::from_secs(3600)
    });
    for round in 0..20 {
        let mut early = Open::begin(&world.backend, &outbox).await.unwrap();
        early
            .publish(&outbox, message("k", &format!("{round}-early")))
            .await
            .unwrap();
        // Higher ids are committed and delivered while the lower one is still open.
        world.publish(&outbox, [message("other", "o")]).await;
        sink.wait_for(round * 3 + 1, SOON).await;
        early.commit().await.unwrap();
        world
            .publish(&outbox, [message("k", &format!("{round}-late"))])
            .await;
        sink.wait_for(round * 3 + 3, SOON).await;
    }
    world.wait_empty(SOON).await;
    assert_eq!(relay.stats.late.get(), 0, "the floor never passed a row");
    relay.stop().await;
    let of_key: Vec<_> = sink
        .payloads()
        .into_iter()
        .filter(|payload| payload != "o")
        .collect();
    let expected: Vec<_> = (0..20)
        .flat_map(|round| [format!("{round}-early"), format!("{round}-late")])
        .collect();
    assert_eq!(of_key, expected);
}
