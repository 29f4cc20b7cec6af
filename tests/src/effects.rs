use std::collections::HashMap;
use std::future::Future;

use anyhow::Result;
use outbox_core::MessageId;
use sqlx::{MySql, MySqlPool, PgPool, Pool, Postgres, Sqlite, SqlitePool};
use uuid::Uuid;

/// What handlers do: rows of a table without a unique index, so that an effect that took place twice is there twice.
pub trait Effects: sqlx::Database {
    /// Makes the table.
    fn make_effects(pool: &Pool<Self>) -> impl Future<Output = Result<()>> + Send;

    /// One effect, in this transaction.
    fn take_effect(
        connection: &mut Self::Connection,
        group: &str,
        message: MessageId,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// How often each message took effect in the group.
    fn effects(
        pool: &Pool<Self>,
        group: &str,
    ) -> impl Future<Output = Result<HashMap<MessageId, usize>>> + Send;

    /// The message with this key in the log of the durable queue, if there is one.
    fn fatal(pool: &Pool<Self>, key: &str) -> impl Future<Output = Result<Option<MessageId>>> + Send;
}

macro_rules! effects {
    ($database:ty, $pool:ty, $make:literal, $insert:literal, $select:literal, $find:literal) => {
        impl Effects for $database {
            async fn make_effects(pool: &$pool) -> Result<()> {
                sqlx::query($make).execute(pool).await?;
                Ok(())
            }

            async fn take_effect(
                connection: &mut Self::Connection,
                group: &str,
                message: MessageId,
            ) -> sqlx::Result<()> {
                let insert = sqlx::query($insert).bind(group).bind(message.0);
                insert.execute(connection).await.map(drop)
            }

            async fn effects(pool: &$pool, group: &str) -> Result<HashMap<MessageId, usize>> {
                let ids: Vec<Uuid> = sqlx::query_scalar($select)
                    .bind(group)
                    .fetch_all(pool)
                    .await?;
                let mut effects = HashMap::new();
                for id in ids {
                    *effects.entry(MessageId(id)).or_default() += 1;
                }
                Ok(effects)
            }

            async fn fatal(pool: &$pool, key: &str) -> Result<Option<MessageId>> {
                let id: Option<Uuid> = sqlx::query_scalar($find)
                    .bind(key)
                    .fetch_optional(pool)
                    .await?;
                Ok(id.map(MessageId))
            }
        }
    };
}

effects!(
    Postgres,
    PgPool,
    "CREATE TABLE effect (group_name text NOT NULL, message_id uuid NOT NULL)",
    "INSERT INTO effect (group_name, message_id) VALUES ($1, $2)",
    "SELECT message_id FROM effect WHERE group_name = $1",
    "SELECT message_id FROM outbox_queue_message WHERE message_key = $1"
);
effects!(
    MySql,
    MySqlPool,
    "CREATE TABLE effect (group_name VARCHAR(100) NOT NULL, message_id BINARY(16) NOT NULL)",
    "INSERT INTO effect (group_name, message_id) VALUES (?, ?)",
    "SELECT message_id FROM effect WHERE group_name = ?",
    "SELECT message_id FROM outbox_queue_message WHERE message_key = ?"
);
effects!(
    Sqlite,
    SqlitePool,
    "CREATE TABLE effect (group_name TEXT NOT NULL, message_id BLOB NOT NULL)",
    "INSERT INTO effect (group_name, message_id) VALUES (?, ?)",
    "SELECT message_id FROM effect WHERE group_name = ?",
    "SELECT message_id FROM outbox_queue_message WHERE message_key = ?"
);
