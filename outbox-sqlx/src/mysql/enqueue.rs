use std::collections::BTreeSet;
use std::sync::LazyLock;

use md5::{Digest, Md5};
use outbox_core::{Message, Order};
use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, MySql};

use super::{ER_NO_SUCH_TABLE, number};
use crate::error::OutboxError;
use crate::many::Statements;
use crate::sql_store::{DueMicros, EnqueueDatabase, enqueue, statement_length};
use transaction_scope::sql;

const PUBLISH: &str = sql!("mysql/publish.sql");
const PUBLISH_FULL: &str = sql!("mysql/publish_full.sql");
const LOCK_KEYS: &str = sql!("mysql/lock_keys.sql");

static PUBLISH_MANY: LazyLock<Statements> = LazyLock::new(|| Statements::new(PUBLISH));
static PUBLISH_MANY_FULL: LazyLock<Statements> = LazyLock::new(|| Statements::new(PUBLISH_FULL));

/// Most payload bytes of one statement: servers take packets of 16 MiB (MariaDB) or 64 MiB (MySQL) by default.
pub(crate) const STATEMENT_BYTES: usize = 4 * 1024 * 1024;

/// How many locks there are for keys; as many as `outbox_key_slot` has rows.
const KEY_SLOTS: u16 = 1_024;

enqueue!(MySql, MySqlConnection);

impl EnqueueDatabase for MySql {
    async fn write(
        connection: &mut MySqlConnection,
        messages: &[Message],
        order: Order,
    ) -> Result<(), OutboxError> {
        <sqlx::MySql as transaction_scope::ScopeDatabase>::check_open(connection).await?;
        if order == Order::KeyLocked {
            lock_keys(connection, messages).await?;
        }
        if statement_length(messages, STATEMENT_BYTES) == messages.len() && Statements::is_one(messages.len())
        {
            return write_rows(connection, messages)
                .await
                .map_err(explain("writing messages"));
        }
        // Several statements: a savepoint makes them all or none, also for a caller who goes on after an error.
        let mut savepoint = connection.begin().await.map_err(explain("writing messages"))?;
        write_rows(&mut savepoint, messages)
            .await
            .map_err(explain("writing messages"))?;
        savepoint.commit().await.map_err(explain("writing messages"))
    }
}

async fn write_rows(connection: &mut MySqlConnection, messages: &[Message]) -> sqlx::Result<()> {
    let due = |message: &Message| DueMicros::of(message.due()).unwrap_or_default();
    let full = messages
        .iter()
        .any(|message| !message.headers().is_empty() || !due(message).is_now());
    let statements: &'static Statements = if full { &PUBLISH_MANY_FULL } else { &PUBLISH_MANY };
    let mut rest = messages;
    while !rest.is_empty() {
        let (sql, rows) = statements.for_rows(statement_length(rest, STATEMENT_BYTES));
        let (rows, later) = rest.split_at(rows);
        let mut query = sqlx::query(sql);
        for message in rows {
            query = query
                .bind(message.id().0)
                .bind(i16::from(message.shard().number()))
                .bind(message.topic())
                .bind(message.key())
                .bind(&message.payload()[..]);
            if full {
                let due = due(message);
                query = query
                    .bind(message.headers().to_json())
                    .bind(due.after)
                    .bind(due.at);
            }
        }
        query.execute(&mut *connection).await?;
        rest = later;
    }
    Ok(())
}

/// Each slot once, and in one order: whoever locks them in another one may meet a deadlock.
async fn lock_keys(connection: &mut MySqlConnection, messages: &[Message]) -> Result<(), OutboxError> {
    let slots: BTreeSet<u16> = messages
        .iter()
        .filter_map(|message| Some(key_slot(message.topic(), message.key()?)))
        .collect();
    for slot in slots {
        sqlx::query(LOCK_KEYS)
            .bind(slot)
            .execute(&mut *connection)
            .await
            .map_err(explain("locking the messages' keys"))?;
    }
    Ok(())
}

/// As the procedure `outbox_lock_key` computes it: from other bits than the shard, or all keys of a shard would share
/// a sixteenth of the slots.
fn key_slot(topic: &str, key: &str) -> u16 {
    let mut hash = Md5::new();
    hash.update(topic.as_bytes());
    hash.update([0x1f]);
    hash.update(key.as_bytes());
    let digest = hash.finalize();
    u16::from_be_bytes([digest[2], digest[3]]) % KEY_SLOTS
}

/// A missing table is the first mistake that everybody makes: it gets an error of its own.
fn explain(doing: &'static str) -> impl FnOnce(sqlx::Error) -> OutboxError {
    move |error| match number(&error) {
        Some(ER_NO_SUCH_TABLE) => OutboxError::SchemaMissing { table: "outbox" },
        _ => OutboxError::database(doing)(error),
    }
}
