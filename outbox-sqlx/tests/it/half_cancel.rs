//! A decision about a half message that is dropped at any of its polls leaves no pooled connection inside a transaction, and
//! the message is appended with its commit or not at all.

use std::time::Duration;

use outbox_core::half::{Checker, Decided, TombstoneChecker};
use outbox_core::{Message, MessageId};
use outbox_sqlx::queue::{SqlLocalRecord, SqlQueue};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::begin::poll_times;
use crate::databases::{distant_mysql_pool, distant_postgres_pool, outsider};

/// More polls than a commit takes.
const POLLS: u32 = 200;
/// What a drop may cost the pool: asking the connection that came back, or making another one.
const SOON: Duration = Duration::from_secs(15);

fn half_message() -> Message {
    Message::builder("t").key("k").build().unwrap()
}

/// How often a message is in a table, as seen from outside of the pool.
macro_rules! rows_of {
    ($outside:expr, $table:literal, $id:expr) => {{
        let id: MessageId = $id;
        let sql = format!(
            "SELECT count(*) FROM {} WHERE lower(hex(message_id)) = '{}'",
            $table,
            id.0.simple()
        );
        let sql = match std::any::type_name_of_val(&$outside) {
            name if name.contains("postgres") => {
                sql.replace("lower(hex(message_id))", "replace(message_id::text, '-', '')")
            }
            _ => sql,
        };
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut $outside)
            .await
            .unwrap();
        count
    }};
}

/// Drops a commit at each of its polls.
macro_rules! drop_commits {
    ($pool:expr, $outside:expr, $polls:expr) => {{
        let half = SqlQueue::new($pool.clone()).half_messages();
        let mut dropped = 0;
        for polls in $polls {
            let id = half.prepare(half_message()).await.unwrap();
            let finished = poll_times(Box::pin(half.commit(id)).as_mut(), polls).await;
            // What goes through the same connection next is committed by itself.
            let witness = tokio::time::timeout(SOON, half.prepare(half_message()))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(
                rows_of!($outside, "outbox_half", witness),
                1,
                "dropped after {polls} polls: the pool is in a transaction"
            );
            let appended = rows_of!($outside, "outbox_queue_message", id);
            let again = half.commit(id).await.unwrap();
            assert_eq!(
                again == Decided::Before,
                appended == 1,
                "dropped after {polls} polls: torn"
            );
            assert_eq!(rows_of!($outside, "outbox_queue_message", id), 1);
            if finished {
                break;
            }
            dropped += 1;
        }
        dropped
    }};
}

#[tokio::test]
async fn a_commit_dropped_at_any_poll_on_postgres() {
    let Some(pool) = distant_postgres_pool(1).await else {
        return;
    };
    let mut outside = outsider(&pool).await;
    let dropped = drop_commits!(pool, outside, 1..POLLS);
    // Begin, the row, the topic, the end, the append and the commit have to be waited for.
    assert!((6..POLLS - 1).contains(&dropped), "dropped at {dropped} polls");
}

#[tokio::test]
async fn a_commit_dropped_at_any_poll_on_mysql() {
    let Some(pool) = distant_mysql_pool(1).await else {
        return;
    };
    let mut outside = crate::mysql::outsider(&pool).await;
    // Not at each, because there are many, and each may cost the pool its connection.
    let dropped = drop_commits!(pool, outside, (1..POLLS).step_by(3));
    assert!((2..POLLS - 1).contains(&dropped), "dropped at {dropped} polls");
}

#[tokio::test]
async fn a_commit_dropped_at_any_poll_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("half.db").display());
    let options = outbox_sqlx::sqlite::connect_options(&url).unwrap();
    let pool = sqlx::sqlite::SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options.clone())
        .await
        .unwrap();
    outbox_sqlx::migrate(&pool).await.unwrap();
    let mut outside = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let dropped = drop_commits!(pool, outside, 1..POLLS);
    assert!((2..POLLS - 1).contains(&dropped), "dropped at {dropped} polls");
    // And a check of local work, which has to begin a transaction of the only connection.
    let checker = TombstoneChecker::new(SqlLocalRecord::new(pool.clone()));
    for polls in 1..40 {
        let message = half_message();
        poll_times(checker.check(&message).as_mut(), polls).await;
        let tx = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
        tx.rollback().await.unwrap();
    }
}
