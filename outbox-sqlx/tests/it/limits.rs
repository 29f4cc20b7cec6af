use std::time::{Duration, SystemTime};

use outbox_core::{Event, IntoMessage, Limits, Message, MessageBuilder};
use outbox_sqlx::{Outbox, OutboxError};
use sqlx::Connection;

use crate::databases::on_each;

/// What can't be serialized: a map whose keys are not text.
#[derive(serde::Serialize)]
struct Unserializable(std::collections::BTreeMap<(u8, u8), u8>);

impl Event for Unserializable {
    const TOPIC: &'static str = "t";
    fn key(&self) -> Option<std::borrow::Cow<'_, str>> {
        None
    }
}

fn bad_messages() -> Vec<(MessageBuilder, &'static str)> {
    let message = || Message::builder("t");
    vec![
        (Message::builder(""), "the topic is empty"),
        (Message::builder("a b"), "may hold only ASCII letters"),
        (Message::builder("x".repeat(256)), "256 bytes, at most 255"),
        (message().key(""), "the ordering key is empty"),
        (
            message().key("k".repeat(256)),
            "ordering key has 256 bytes, at most 255",
        ),
        (message().key("a\u{1f}b"), "control character"),
        (
            message().payload(vec![b'x'; 101], "text/plain"),
            "101 bytes, at most 100",
        ),
        (message().header("a b", "x"), "header \"a b\" is invalid"),
        (message().header("a", "x\r\ny: z"), "header \"a\" is invalid"),
        (
            message().header("a", "x".repeat(17 * 1024)),
            "headers have 17409 bytes",
        ),
        (message().delay(Duration::MAX), "too far in the future"),
        (
            message().deliver_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)),
            "too far in the future",
        ),
    ]
}

fn outbox() -> Outbox {
    Outbox::builder()
        .limits(Limits::default().with_payload_bytes(100))
        .build()
}

fn assert_says<T: std::fmt::Debug>(result: Result<T, OutboxError>, text: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(text), "{error} does not say {text:?}");
    assert!(!error.is_retryable());
}

on_each! {
    async fn bad_input_is_refused_by_name_and_nothing_is_written(pool) {
        let outbox = outbox();
        let mut tx = outbox.begin(&pool).await.unwrap();
        for (bad, text) in bad_messages() {
            assert_says(outbox.publish(&mut tx, bad.clone()).await, text);
            assert_says(outbox.publish_ordered(&mut tx, bad.clone()).await, text);
            let good = Message::builder("t").into_message().unwrap();
            let batch = [good.clone(), bad.build_unchecked(), good];
            assert_says(outbox.publish_all(&mut tx, batch.clone()).await, text);
            assert_says(outbox.publish_all_ordered(&mut tx, batch).await, text);
        }
        let event = Unserializable([((1, 2), 3)].into());
        assert_says(outbox.publish(&mut tx, event).await, "can't be serialized");
        let endless = std::iter::repeat_with(|| Message::builder("t"));
        assert_says(outbox.publish_all(&mut tx, endless).await, "at most 10000");

        // The transaction is as it was: it can be used and committed.
        outbox.publish(&mut tx, Message::builder("t")).await.unwrap();
        tx.commit().await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&pool).await.unwrap();
        assert_eq!(rows, 1);
    }
}

on_each! {
    async fn a_connection_must_be_in_a_transaction(pool) {
        let outbox = outbox();
        let mut connection = pool.acquire().await.unwrap();
        let refused = outbox.publish(&mut *connection, Message::builder("t")).await;
        assert!(matches!(refused, Err(OutboxError::NotInTransaction)));
        assert_says(refused, "begin one with");
        let refused = outbox.publish_all_ordered(&mut *connection, [Message::builder("t").key("k")]).await;
        assert!(matches!(refused, Err(OutboxError::NotInTransaction)));

        let mut tx = connection.begin().await.unwrap();
        // Through a connection that is in a transaction, and in a savepoint that is given up.
        outbox.publish(&mut *tx, Message::builder("t")).await.unwrap();
        let mut savepoint = tx.begin().await.unwrap();
        outbox.publish(&mut savepoint, Message::builder("t")).await.unwrap();
        savepoint.rollback().await.unwrap();
        tx.commit().await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&mut *connection).await.unwrap();
        assert_eq!(rows, 1);
    }
}

#[tokio::test]
async fn a_missing_table_says_what_to_do() {
    let Some(pool) = crate::databases::empty_postgres(2).await else {
        return;
    };
    let outbox = outbox();
    let mut tx = outbox.begin(&pool).await.unwrap();
    let refused = outbox.publish(&mut tx, Message::builder("t")).await;
    assert!(matches!(
        refused,
        Err(OutboxError::SchemaMissing { table: "outbox" })
    ));
    assert_says(refused, "run the migrations");
    drop(tx);
    let mut tx = outbox.begin(&pool).await.unwrap();
    let refused = outbox
        .publish_ordered(&mut tx, Message::builder("t").key("k"))
        .await;
    assert!(
        matches!(refused, Err(OutboxError::SchemaMissing { .. })),
        "{refused:?}"
    );
}

/// No error text may show a payload.
#[tokio::test]
async fn errors_show_no_content() {
    let pool = crate::databases::sqlite().await;
    let outbox = outbox();
    let mut tx = outbox.begin(&pool).await.unwrap();
    let big = Message::builder("t").payload("secret".repeat(100), "text/plain");
    let error = outbox.publish(&mut tx, big).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
}
