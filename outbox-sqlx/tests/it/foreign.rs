//! Programs in other languages: `psql` is the one at hand.

use std::process::Command;

use outbox_core::{MessageId, Shard};
use sqlx::PgPool;
use uuid::Uuid;

use crate::databases::postgres;

/// Runs a script as another program would; the answer, or what psql said.
fn psql(pool: &PgPool, sql: &str) -> Option<Result<String, String>> {
    let options = pool.connect_options();
    let mut command = Command::new("psql");
    command
        .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .env("PGHOST", options.get_host())
        .env("PGPORT", options.get_port().to_string())
        .env("PGUSER", options.get_username())
        .env("PGDATABASE", options.get_database().unwrap());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("left out: psql is not installed");
            return None;
        }
        Err(error) => panic!("psql: {error}"),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Some(match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    })
}

#[tokio::test]
async fn a_plain_insert_of_topic_key_and_payload_works() {
    let Some(pool) = postgres().await else { return };
    let Some(done) = psql(
        &pool,
        "INSERT INTO outbox (topic, message_key, payload) VALUES ('t', 'k', '{\"a\":1}')",
    ) else {
        return;
    };
    done.unwrap();
    let row: (Uuid, i16, Vec<u8>, String, bool) = sqlx::query_as(
        "SELECT message_id, shard, payload, headers::text, due_at IS NULL AND created_at <= now() FROM outbox",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(
        (row.1, &row.2[..], row.3.as_str(), row.4),
        (0, &br#"{"a":1}"#[..], "{}", true)
    );
    assert!(!row.0.is_nil());
}

#[tokio::test]
async fn a_plain_insert_works_on_sqlite_too() {
    let pool = crate::databases::sqlite().await;
    sqlx::query("INSERT INTO outbox (topic, message_key, payload) VALUES ('t', 'k', '{}')")
        .execute(&pool)
        .await
        .unwrap();
    let row: (Uuid, i64, Vec<u8>, String, i64) =
        sqlx::query_as("SELECT message_id, shard, CAST(payload AS BLOB), headers, created_at FROM outbox")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!((row.1, &row.2[..], row.3.as_str()), (0, &b"{}"[..], "{}"));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!((now.as_micros() as i64 - row.4).abs() < 5_000_000);
}

#[tokio::test]
async fn outbox_publish_takes_bytes_text_and_json() {
    let Some(pool) = postgres().await else { return };
    let scripts = [
        r#"SELECT outbox_publish('t', 'k', '{"a":1}')"#,
        r"SELECT outbox_publish('t', 'k', '\x00ff'::bytea, delay => '1 minute')",
        r#"SELECT outbox_publish('t', NULL, '{"a": 1}'::json, '{"tenant": "eu", "n": 1}')"#,
        r#"SELECT outbox_publish('t', 'k', '{"a":1}'::jsonb, message_id => '0193b1f0-0000-7000-8000-000000000001')"#,
        r"SELECT outbox_publish('t', 'é', '', headers => NULL)",
    ];
    let mut ids = Vec::new();
    for script in scripts {
        let Some(answer) = psql(&pool, script) else { return };
        ids.push(MessageId(answer.unwrap().parse::<Uuid>().unwrap()));
    }
    /// Message id, shard, key, payload, headers, and whether it is due in a minute.
    type Stored = (Uuid, i16, Option<String>, Vec<u8>, String, bool);
    let rows: Vec<Stored> = sqlx::query_as(
        "SELECT message_id, shard, message_key, payload, headers::text, coalesce(due_at > now() + interval '50 s', false) \
         FROM outbox ORDER BY id",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let payloads: Vec<&[u8]> = rows.iter().map(|row| &row.3[..]).collect();
    assert_eq!(
        payloads,
        [&br#"{"a":1}"#[..], &[0, 255], br#"{"a": 1}"#, br#"{"a": 1}"#, b""]
    );
    for (row, id) in rows.iter().zip(&ids) {
        assert_eq!(row.0, id.0);
        assert_eq!(row.1, i16::from(Shard::of("t", row.2.as_deref(), *id).number()));
    }
    assert_eq!(rows[2].4, r#"{"tenant": "eu", "n": 1}"#);
    assert_eq!(ids[3].to_string(), "0193b1f0-0000-7000-8000-000000000001");
    assert_eq!(
        rows.iter().map(|row| row.5).collect::<Vec<_>>(),
        [false, true, false, false, false]
    );
}

#[tokio::test]
async fn outbox_publish_refuses_by_name() {
    let Some(pool) = postgres().await else { return };
    let cases = [
        ("outbox_publish('', 'k', '')", "the topic is empty"),
        ("outbox_publish(NULL, 'k', '')", "the topic is empty"),
        ("outbox_publish('a b', 'k', '')", "'a b' may hold only"),
        (
            "outbox_publish(repeat('x', 256), 'k', '')",
            "the topic has 256 bytes",
        ),
        ("outbox_publish('t', '', '')", "the ordering key is empty"),
        (
            "outbox_publish('t', repeat('ü', 128), '')",
            "the ordering key has 256 bytes",
        ),
        (r"outbox_publish('t', E'a\nb', '')", "control character"),
        (r"outbox_publish('t', E'a\u0085b', '')", "control character"),
        ("outbox_publish('t', 'k', NULL)", "the payload is NULL"),
        (
            "outbox_publish('t', 'k', repeat('x', 1048577))",
            "1048577 bytes, at most 1048576",
        ),
        ("outbox_publish('t', 'k', '', '[]')", "not a JSON object"),
        (
            r#"outbox_publish('t', 'k', '', '{"a":{}}')"#,
            "header 'a' is invalid",
        ),
        (
            r#"outbox_publish('t', 'k', '', '{"a b":1}')"#,
            "header 'a b' is invalid",
        ),
        (
            r#"outbox_publish('t', 'k', '', '{"a":"x\ny"}')"#,
            "header 'a' is invalid",
        ),
        (
            "outbox_publish('t', 'k', '', (SELECT json_object_agg(n, n) FROM generate_series(1, 65) n))",
            "more than 64",
        ),
        (
            "outbox_publish('t', 'k', '', json_build_object('a', repeat('x', 16384)))",
            "more than 16384 bytes",
        ),
        ("outbox_publish('t', 'k', '', delay => '-1 s')", "is negative"),
    ];
    for (call, text) in cases {
        let Some(answer) = psql(&pool, &format!("SELECT {call}")) else {
            return;
        };
        let said = answer.expect_err(call);
        assert!(said.contains(text), "{call}: {said}");
    }
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(rows, 0);
}

/// It works from a session whose search path knows nothing of the outbox.
#[tokio::test]
async fn outbox_publish_finds_its_tables() {
    let Some(pool) = postgres().await else { return };
    let script = "SET search_path = pg_catalog; SELECT public.outbox_publish('t', 'k', 'x')";
    let Some(answer) = psql(&pool, script) else { return };
    answer.unwrap();
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(4))]

    /// 200 at a time, because a question to the server takes longer than a thousand hashes.
    #[test]
    fn shards_are_the_same_in_both(
        inputs in proptest::collection::vec(
            ("[A-Za-z0-9._:/-]{1,40}", proptest::option::of("[^\\x00-\\x1f\\x7f-\\u{9f}]{1,60}"), proptest::prelude::any::<u128>()),
            200,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let Some(pool) = postgres().await else { return };
            let ids: Vec<Uuid> = inputs.iter().map(|input| Uuid::from_u128(input.2)).collect();
            let (topics, keys): (Vec<&str>, Vec<Option<&str>>) =
                inputs.iter().map(|input| (input.0.as_str(), input.1.as_deref())).unzip();
            let theirs: Vec<i16> = sqlx::query_scalar(
                "SELECT outbox_shard_of(topic, key, id) FROM unnest($1::text[], $2::text[], $3::uuid[]) AS m (topic, key, id)",
            )
            .bind(&topics)
            .bind(&keys)
            .bind(&ids)
            .fetch_all(&pool)
            .await
            .unwrap();
            for (n, theirs) in theirs.into_iter().enumerate() {
                let ours = Shard::of(topics[n], keys[n], MessageId(ids[n]));
                assert_eq!(theirs, i16::from(ours.number()), "{:?}", inputs[n]);
            }
        });
    }
}
