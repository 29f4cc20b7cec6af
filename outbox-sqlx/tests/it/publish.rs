use std::time::{Duration, SystemTime, UNIX_EPOCH};

use outbox_core::{Event, Headers, Message, Shard};
use outbox_sqlx::Outbox;
use uuid::Uuid;

use sqlx::AssertSqlSafe;

use crate::databases::{Speaks, on_each};

type Row = (
    i64,
    Uuid,
    i16,
    String,
    Option<String>,
    Vec<u8>,
    String,
    bool,
    i16,
    i32,
);

fn rows(pool: &impl Speaks) -> AssertSqlSafe<String> {
    let text = pool.say("TEXT", "TEXT", "CHAR");
    AssertSqlSafe(format!(
        "SELECT id, message_id, shard, topic, message_key, payload, \
         CAST(headers AS {text}), due_at IS NOT NULL, hold, attempts FROM outbox ORDER BY id"
    ))
}

#[derive(serde::Serialize)]
struct Placed {
    order: String,
    total: i64,
}

impl Event for Placed {
    const TOPIC: &'static str = "orders.placed";
    fn key(&self) -> Option<std::borrow::Cow<'_, str>> {
        Some(self.order.as_str().into())
    }
}

on_each! {
    async fn a_message_is_a_row_of_the_transaction(pool) {
        let outbox = Outbox::new();
        let mut tx = outbox.begin(&pool).await.unwrap();
        let event = Placed { order: "o-1".into(), total: 7 };
        let plain = outbox.publish(&mut tx, event).await.unwrap();
        let keyless = Message::builder("t").payload(vec![0, 255, 39], "application/octet-stream").header("tenant", "é\"x");
        let keyless = outbox.publish(&mut tx, keyless).await.unwrap();
        let late = Message::builder("t").key("k").delay(Duration::from_secs(60)).build().unwrap();
        let late = outbox.publish(&mut *tx, late).await.unwrap();
        tx.commit().await.unwrap();

        let found: Vec<Row> = sqlx::query_as(rows(&pool)).fetch_all(&pool).await.unwrap();
        assert_eq!(found.len(), 3);
        let (_, id, shard, topic, key, payload, headers, delayed, hold, attempts) = &found[0];
        assert_eq!(*id, plain.0);
        assert_eq!(*shard, i16::from(Shard::of("orders.placed", Some("o-1"), plain).number()));
        assert_eq!((topic.as_str(), key.as_deref()), ("orders.placed", Some("o-1")));
        assert_eq!(payload, br#"{"order":"o-1","total":7}"#);
        assert_eq!((headers.as_str(), *delayed, *hold, *attempts), ("{}", false, 0, 0));
        assert_eq!((found[1].1, found[1].4.as_deref()), (keyless.0, None));
        assert_eq!(found[1].5, [0, 255, 39]);
        let headers = Headers::from_json(&found[1].6).unwrap();
        assert_eq!(headers.get("tenant"), Some("é\"x"));
        assert_eq!(headers.get("content-type"), Some("application/octet-stream"));
        assert_eq!((found[2].1, found[2].7), (late.0, true));
    }
}

on_each! {
    async fn what_rolls_back_was_never_published(pool) {
        let outbox = Outbox::new();
        let mut tx = outbox.begin(&pool).await.unwrap();
        outbox.publish(&mut tx, Message::builder("t")).await.unwrap();
        outbox.publish_all(&mut tx, (0..300).map(|_| Message::builder("t"))).await.unwrap();
        tx.rollback().await.unwrap();
        let mut tx = outbox.begin(&pool).await.unwrap();
        outbox.publish(&mut tx, Message::builder("t")).await.unwrap();
        drop(tx);
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&pool).await.unwrap();
        assert_eq!(rows, 0);
    }
}

on_each! {
    /// Of every length that a statement's size could get wrong, with and without headers and delays.
    async fn many_are_written_in_their_order(pool) {
        let outbox = Outbox::new();
        for count in [0_usize, 1, 2, 3, 64, 100, 127, 128, 129, 300] {
            for full in [false, true] {
                sqlx::query("DELETE FROM outbox").execute(&pool).await.unwrap();
                let messages: Vec<Message> = (0..count)
                    .map(|n| {
                        let message = Message::builder("t").payload(n.to_string(), "application/json");
                        let message = if n % 3 == 0 { message } else { message.key(format!("k{}", n % 7)) };
                        let message = if full && n % 2 == 0 { message.header("n", n.to_string()) } else { message };
                        let message = if full && n % 5 == 1 { message.delay(Duration::from_secs(9)) } else { message };
                        message.build_unchecked()
                    })
                    .collect();
                let mut tx = outbox.begin(&pool).await.unwrap();
                let ids = outbox.publish_all(&mut tx, messages.clone()).await.unwrap();
                tx.commit().await.unwrap();
                let found: Vec<Row> = sqlx::query_as(rows(&pool)).fetch_all(&pool).await.unwrap();
                assert_eq!(found.len(), count);
                for ((row, message), id) in found.iter().zip(&messages).zip(&ids) {
                    assert_eq!((row.1, *id), (message.id().0, message.id()));
                    assert_eq!(row.2, i16::from(message.shard().number()));
                    assert_eq!(row.4.as_deref(), message.key());
                    assert_eq!(row.5, &message.payload()[..]);
                    assert_eq!(&Headers::from_json(&row.6).unwrap(), message.headers());
                    assert_eq!(row.7, !matches!(message.due(), outbox_core::Due::Now));
                }
            }
        }
    }
}

/// Four messages: delayed by a minute, due at a time, due before 1970, due after no time at all.
fn due_messages() -> (i64, Vec<Message>) {
    let at = UNIX_EPOCH + Duration::from_micros(4_000_000_000_000_123);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    let messages = vec![
        Message::builder("t")
            .delay(Duration::from_secs(60))
            .build_unchecked(),
        Message::builder("t").deliver_at(at).build_unchecked(),
        Message::builder("t")
            .deliver_at(UNIX_EPOCH - Duration::from_secs(5))
            .build_unchecked(),
        Message::builder("t").delay(Duration::ZERO).build_unchecked(),
    ];
    (now, messages)
}

fn check_due(now: i64, due: &[Option<i64>]) {
    let minute = due[0].unwrap() - now;
    assert!((59_900_000..70_000_000).contains(&minute), "{minute}");
    assert_eq!(due[1], Some(4_000_000_000_000_123));
    assert_eq!(due[2..], [None, None]);
}

on_each! {
    async fn due_times_are_the_databases(pool) {
        // Microseconds since 1970, as SQLite stores them and the others compute them.
        let micros = pool.say(
            "due_at",
            "(extract(epoch FROM due_at) * 1000000)::bigint",
            "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', due_at)",
        );
        let outbox = Outbox::new();
        for batch in [1, 4] {
            sqlx::query("DELETE FROM outbox").execute(&pool).await.unwrap();
            let (now, messages) = due_messages();
            let mut tx = outbox.begin(&pool).await.unwrap();
            for messages in messages.chunks(batch) {
                outbox.publish_all(&mut tx, messages.to_vec()).await.unwrap();
            }
            tx.commit().await.unwrap();
            let due = format!("SELECT {micros} FROM outbox ORDER BY id");
            let due: Vec<Option<i64>> = sqlx::query_scalar(AssertSqlSafe(due)).fetch_all(&pool).await.unwrap();
            check_due(now, &due);
        }
    }
}

on_each! {
    /// Statements of a few MiB at most: a batch of larger content is cut, and is still all or nothing.
    async fn large_batches_are_cut(pool) {
        let outbox = Outbox::new();
        let messages = || (0..20_u8).map(|n| Message::builder("t").payload(vec![n; 1024 * 1024], "x/y"));
        let mut tx = outbox.begin(&pool).await.unwrap();
        outbox.publish_all(&mut tx, messages()).await.unwrap();
        tx.commit().await.unwrap();
        let payloads: Vec<Vec<u8>> = sqlx::query_scalar("SELECT payload FROM outbox ORDER BY id").fetch_all(&pool).await.unwrap();
        let firsts: Vec<u8> = payloads.iter().map(|payload| payload[0]).collect();
        assert_eq!(firsts, (0..20).collect::<Vec<_>>());
    }
}

on_each! {
    async fn a_publish_arms_the_relays_signal(pool) {
        let outbox = Outbox::new();
        assert!(!outbox.waker().is_armed());
        let mut tx = outbox.begin(&pool).await.unwrap();
        outbox.publish_all(&mut tx, Vec::<Message>::new()).await.unwrap();
        assert!(!outbox.waker().is_armed());
        outbox.publish(&mut tx, Message::builder("t")).await.unwrap();
        assert!(outbox.waker().is_armed());
    }
}
