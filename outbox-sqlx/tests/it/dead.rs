use outbox_core::MessageId;
use outbox_sqlx::{OutboxDatabase, OutboxError, dead};
use sqlx::{AssertSqlSafe, Executor, Pool};
use uuid::Uuid;

use crate::databases::on_each;

pub(crate) fn id(n: u128) -> MessageId {
    MessageId(Uuid::from_u128(n))
}

/// Dead letters as a relay leaves them: row, topic, key, reason. The message id is the row's number.
pub(crate) async fn bury<DB>(pool: &Pool<DB>, letters: &[(i64, &str, Option<&str>, &str)])
where
    DB: OutboxDatabase,
    for<'c> &'c Pool<DB>: Executor<'c, Database = DB>,
{
    for (row, topic, key, reason) in letters {
        let shard = outbox_core::Shard::of(topic, *key, id(*row as u128)).number();
        let key = key.map_or("NULL".to_owned(), |key| format!("'{key}'"));
        let (uuid, bytes) = (format!("x'{row:032x}'"), format!("x'{row:02x}'"));
        let (uuid, bytes, now) = match DB::NAME {
            "SQLite" => (uuid, bytes, "1000000"),
            "MySQL" => (uuid, bytes, "'1970-01-01 00:00:01'"),
            _ => (
                format!("'{row:032x}'"),
                format!(r"'\x{row:02x}'"),
                "'1970-01-01 00:00:01Z'",
            ),
        };
        let sql = format!(
            "INSERT INTO outbox_dead (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason)
             VALUES ({row}, {uuid}, {shard}, '{topic}', {key}, {bytes}, '{{\"n\":\"1\"}}', {now}, 10, 'no', '{reason}')"
        );
        pool.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

fn rows_of(letters: &[dead::DeadLetter]) -> Vec<i64> {
    letters.iter().map(|letter| letter.row).collect()
}

macro_rules! scalar {
    ($pool:expr, $sql:expr) => {{
        let value: i64 = sqlx::query_scalar($sql).fetch_one(&$pool).await.unwrap();
        value
    }};
}

on_each! {
    async fn letters_are_listed_in_pages_and_shown(pool) {
        bury(&pool, &[(1, "a", Some("k"), "skipped"), (2, "b", None, "invalid"), (3, "a", Some("l"), "parked"), (4, "a", Some("k"), "skipped")]).await;
        pool.execute("INSERT INTO outbox_parked (topic, message_key, shard, error) VALUES ('a', 'l', 0, 'no'), ('a', 'm', 0, NULL), ('b', 'a', 0, NULL)").await.unwrap();
        let all = dead::DeadFilter::default();
        let letters = dead::list(&pool, &all).await.unwrap();
        assert_eq!(rows_of(&letters), [1, 2, 3, 4]);
        assert_eq!(letters[1].key, None);
        assert_eq!(letters[1].reason, dead::DeadReason::Invalid);
        assert_eq!(letters.iter().map(|letter| letter.is_parked).collect::<Vec<_>>(), [false, false, true, false]);
        assert_eq!(letters[0].id, id(1));
        assert_eq!((letters[0].attempts, letters[0].last_error.as_deref(), letters[0].payload_bytes), (10, Some("no"), 1));
        assert_eq!(letters[0].created_at, std::time::UNIX_EPOCH + std::time::Duration::from_secs(1));
        assert!(letters[0].died_at > letters[0].created_at);
        let page = dead::DeadFilter { after: Some(1), limit: 2, ..all.clone() };
        assert_eq!(rows_of(&dead::list(&pool, &page).await.unwrap()), [2, 3]);
        let topic = dead::DeadFilter { topic: Some("a".into()), ..all.clone() };
        assert_eq!(rows_of(&dead::list(&pool, &topic).await.unwrap()), [1, 3, 4]);
        let key = dead::DeadFilter { topic: Some("a".into()), key: Some("k".into()), ..all };
        assert_eq!(rows_of(&dead::list(&pool, &key).await.unwrap()), [1, 4]);

        let content = dead::show(&pool, id(4)).await.unwrap();
        assert_eq!(content.letter, letters[3]);
        assert_eq!((&content.payload[..], content.headers.as_str()), (&[4_u8][..], r#"{"n":"1"}"#));
        assert!(matches!(dead::show(&pool, id(9)).await, Err(OutboxError::NotDead { .. })));

        let keys = dead::parked(&pool, None, 2).await.unwrap();
        assert_eq!(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>(), ["l", "m"]);
        let rest = dead::parked(&pool, keys.last(), 0).await.unwrap();
        assert_eq!(rest.iter().map(|key| (key.topic.as_str(), key.key.as_str())).collect::<Vec<_>>(), [("b", "a")]);
    }
}

on_each! {
    async fn a_redrive_gives_the_message_back_as_it_was(pool) {
        bury(&pool, &[(5, "a", Some("k"), "skipped"), (6, "a", None, "skipped")]).await;
        let shard = outbox_core::Shard::of("a", Some("k"), id(0)).number();
        pool.execute(AssertSqlSafe(format!("UPDATE outbox_shard SET rewind_to = 3 WHERE shard = {shard}"))).await.unwrap();
        dead::redrive(&pool, id(5), "me").await.unwrap();
        dead::redrive(&pool, id(6), "me").await.unwrap();
        let rows: Vec<(i64, Uuid, Vec<u8>, i32, bool, bool)> = sqlx::query_as(
            "SELECT id, message_id, payload, attempts, due_at IS NULL AND last_error IS NULL, created_at < died_at \
             FROM outbox CROSS JOIN (SELECT CURRENT_TIMESTAMP AS died_at) AS now ORDER BY id",
        ).fetch_all(&pool).await.unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].0, rows[0].1, rows[0].2.clone(), rows[0].3, rows[0].4), (5, id(5).0, vec![5], 0, true));
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_dead"), 0);
        // The lower wish stays: somebody else's row waits there.
        assert_eq!(scalar!(pool, AssertSqlSafe(format!("SELECT rewind_to FROM outbox_shard WHERE shard = {shard}"))), 3);
        let keyless = outbox_core::Shard::of("a", None, id(6)).number();
        if keyless != shard {
            assert_eq!(scalar!(pool, AssertSqlSafe(format!("SELECT rewind_to FROM outbox_shard WHERE shard = {keyless}"))), 6);
        }
        assert!(matches!(dead::redrive(&pool, id(5), "me").await, Err(OutboxError::NotDead { .. })));
        // New messages get new ids.
        pool.execute("INSERT INTO outbox (topic, payload) VALUES ('a', '')").await.unwrap();
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox"), 3);
    }
}

on_each! {
    async fn a_parked_key_comes_back_as_a_whole(pool) {
        bury(&pool, &[(7, "a", Some("k"), "parked"), (8, "a", Some("l"), "parked"), (9, "a", Some("k"), "parked")]).await;
        pool.execute("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('a', 'k', 0), ('a', 'l', 0)").await.unwrap();
        let error = dead::redrive(&pool, id(9), "me").await.unwrap_err();
        assert!(matches!(error, OutboxError::KeyParked { others: 1, .. }), "{error:?}");
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox"), 0);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_shard WHERE rewind_to IS NOT NULL"), 0);
        assert_eq!(dead::redrive_key(&pool, "a", "k", "me").await.unwrap(), 2);
        let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM outbox ORDER BY id").fetch_all(&pool).await.unwrap();
        assert_eq!(ids, [7, 9]);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_parked"), 1);
        let shard = outbox_core::Shard::of("a", Some("k"), id(0)).number();
        assert_eq!(scalar!(pool, AssertSqlSafe(format!("SELECT rewind_to FROM outbox_shard WHERE shard = {shard}"))), 7);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_shard WHERE rewind_to IS NOT NULL"), 1);
        // The last letter of a parked key un-parks it; a parked key without letters can be un-parked.
        dead::redrive(&pool, id(8), "me").await.unwrap();
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_parked"), 0);
        pool.execute("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('z', 'z', 0)").await.unwrap();
        assert_eq!(dead::redrive_key(&pool, "z", "z", "me").await.unwrap(), 0);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_parked"), 0);
    }
}

on_each! {
    /// Foreign code chose a shard that is none: it counts as 0 everywhere.
    async fn a_foreign_shard_rewinds_shard_0(pool) {
        bury(&pool, &[(7, "a", Some("k"), "skipped"), (8, "a", Some("k"), "skipped")]).await;
        pool.execute("UPDATE outbox_dead SET shard = 700").await.unwrap();
        dead::redrive(&pool, id(7), "me").await.unwrap();
        assert_eq!(scalar!(pool, "SELECT rewind_to FROM outbox_shard WHERE shard = 0"), 7);
        pool.execute("UPDATE outbox_shard SET rewind_to = NULL").await.unwrap();
        assert_eq!(dead::redrive_key(&pool, "a", "k", "me").await.unwrap(), 1);
        assert_eq!(scalar!(pool, "SELECT rewind_to FROM outbox_shard WHERE shard = 0"), 8);
    }
}

on_each! {
    /// A row that is in both tables, as two settlers of one row may leave it, does not fail for ever.
    async fn a_redrive_of_what_is_there_already_just_ends(pool) {
        bury(&pool, &[(1, "a", Some("k"), "skipped")]).await;
        pool.execute("INSERT INTO outbox (topic, message_key, payload) VALUES ('a', 'k', '')").await.unwrap();
        dead::redrive(&pool, id(1), "me").await.unwrap();
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox"), 1);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_dead"), 0);
    }
}

on_each! {
    async fn what_is_discarded_is_remembered(pool) {
        bury(&pool, &[(1, "a", Some("k"), "skipped")]).await;
        assert!(matches!(dead::discard(&pool, id(1), "  ", "me").await, Err(OutboxError::ReasonEmpty)));
        dead::discard(&pool, id(1), "sent by hand", "me").await.unwrap();
        let note: (i64, Uuid, String, String, String, i32) =
            sqlx::query_as("SELECT id, message_id, topic, reason, discarded_by, attempts FROM outbox_discarded").fetch_one(&pool).await.unwrap();
        assert_eq!(note, (1, id(1).0, "a".into(), "sent by hand".into(), "me".into(), 10));
        let state: String = sqlx::query_scalar("SELECT state FROM outbox_status").fetch_one(&pool).await.unwrap();
        assert_eq!(state, "discarded");
        assert!(matches!(dead::discard(&pool, id(1), "again", "me").await, Err(OutboxError::NotDead { .. })));
    }
}

on_each! {
    async fn blocked_messages_are_unblocked_or_discarded(pool) {
        for n in 1..=3 {
            let outbox = outbox_sqlx::Outbox::new();
            let message = outbox_core::Message::builder("t").key("k").id(id(n)).delay(std::time::Duration::from_secs(1000));
            outbox.transaction(&pool, async |tx| outbox.publish(tx, message).await).await.unwrap();
        }
        pool.execute("UPDATE outbox SET hold = 2, attempts = 10, last_error = 'no' WHERE id < 3").await.unwrap();
        let blocked = dead::blocked(&pool, None, 0).await.unwrap();
        assert_eq!(blocked.iter().map(|message| (message.row, message.id)).collect::<Vec<_>>(), [(1, id(1)), (2, id(2))]);
        assert_eq!(dead::blocked(&pool, Some(1), 5).await.unwrap(), blocked[1..]);
        assert_eq!((blocked[0].attempts, blocked[0].last_error.as_deref()), (10, Some("no")));

        dead::unblock(&pool, id(1), "me").await.unwrap();
        // It holds its key as before, is due, and has its attempts back.
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox WHERE id = 1 AND hold = 1 AND attempts = 0 AND due_at < (SELECT due_at FROM outbox WHERE id = 3)"), 1);
        for refused in [1, 3, 9] {
            assert!(matches!(dead::unblock(&pool, id(refused), "me").await, Err(OutboxError::NotBlocked { .. })));
        }
        dead::discard(&pool, id(2), "wrong", "me").await.unwrap();
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox"), 2);
        assert_eq!(scalar!(pool, "SELECT count(*) FROM outbox_discarded WHERE id = 2"), 1);
        // A message on its way can't be discarded.
        assert!(matches!(dead::discard(&pool, id(3), "wrong", "me").await, Err(OutboxError::NotDead { .. })));
    }
}

/// A relay that is just burying holds the shard FOR SHARE; a redrive waits for it, and so finds all letters.
#[tokio::test]
async fn a_redrive_waits_for_the_shards_settlements() {
    let Some(pool) = crate::databases::postgres().await else {
        return;
    };
    bury(&pool, &[(1, "a", Some("k"), "parked")]).await;
    let mut relay = pool.begin().await.unwrap();
    relay
        .execute("SELECT 1 FROM outbox_shard FOR SHARE")
        .await
        .unwrap();
    let redrive = tokio::spawn({
        let pool = pool.clone();
        async move { dead::redrive_key(&pool, "a", "k", "me").await }
    });
    loop {
        let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
            .fetch_one(&pool)
            .await
            .unwrap();
        if waiting > 0 {
            break;
        }
        assert!(!redrive.is_finished());
    }
    relay
        .execute("INSERT INTO outbox_dead SELECT 2, gen_random_uuid(), shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason FROM outbox_dead")
        .await
        .unwrap();
    relay.commit().await.unwrap();
    assert_eq!(redrive.await.unwrap().unwrap(), 2);
}
