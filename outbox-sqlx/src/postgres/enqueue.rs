use std::collections::HashSet;

use outbox_core::{Message, Order};
use sqlx::{PgConnection, Postgres};

use crate::error::OutboxError;
use crate::sql_store::{DueMicros, EnqueueDatabase, enqueue, statement_length};
use transaction_scope::sql;

const PUBLISH: &str = sql!("postgres/publish.sql");
const PUBLISH_HEADERS: &str = sql!("postgres/publish_headers.sql");
const PUBLISH_DUE: &str = sql!("postgres/publish_due.sql");
const PUBLISH_ALL: &str = sql!("postgres/publish_all.sql");
const PUBLISH_ALL_FULL: &str = sql!("postgres/publish_all_full.sql");
const LOCK_KEYS: &str = sql!("postgres/lock_keys.sql");

/// Most payload bytes of one statement, far below the protocol's 1 GiB: the connection's buffer grows to
/// the largest statement it ever sent.
const STATEMENT_BYTES: usize = 8 * 1024 * 1024;

/// Most keys of one ordered publish. The server's lock table has room for about 6,400 locks by default, for
/// everybody together.
const LOCKED_KEYS_MAX: usize = 1_000;

enqueue!(Postgres, PgConnection);

impl EnqueueDatabase for Postgres {
    async fn write(
        connection: &mut PgConnection,
        messages: &[Message],
        order: Order,
    ) -> Result<(), OutboxError> {
        if order == Order::KeyLocked {
            lock_keys(connection, messages).await?;
        }
        if let [message] = messages {
            return write_one(connection, message)
                .await
                .map_err(explain("writing a message"));
        }
        let mut rest = messages;
        while !rest.is_empty() {
            let (statement, later) = rest.split_at(statement_length(rest, STATEMENT_BYTES));
            write_many(connection, statement)
                .await
                .map_err(explain("writing messages"))?;
            rest = later;
        }
        Ok(())
    }
}

async fn write_one(connection: &mut PgConnection, message: &Message) -> sqlx::Result<()> {
    let due = DueMicros::of(message.due()).unwrap_or_default();
    let sql = match (due.is_now(), message.headers().is_empty()) {
        (true, true) => PUBLISH,
        (true, false) => PUBLISH_HEADERS,
        (false, _) => PUBLISH_DUE,
    };
    let mut query = sqlx::query(sql)
        .bind(message.id().0)
        .bind(i16::from(message.shard().number()))
        .bind(message.topic())
        .bind(message.key())
        .bind(&message.payload()[..]);
    if sql != PUBLISH {
        query = query.bind(message.headers().to_json());
    }
    if sql == PUBLISH_DUE {
        query = query.bind(due.after).bind(due.at);
    }
    query.execute(connection).await.map(drop)
}

async fn write_many(connection: &mut PgConnection, messages: &[Message]) -> sqlx::Result<()> {
    let full = messages.iter().any(|message| {
        !message.headers().is_empty() || !DueMicros::of(message.due()).unwrap_or_default().is_now()
    });
    let ids: Vec<_> = messages.iter().map(|message| message.id().0).collect();
    let shards: Vec<_> = messages
        .iter()
        .map(|message| i16::from(message.shard().number()))
        .collect();
    let topics: Vec<_> = messages.iter().map(Message::topic).collect();
    let keys: Vec<_> = messages.iter().map(Message::key).collect();
    let payloads: Vec<_> = messages.iter().map(|message| &message.payload()[..]).collect();
    let mut query = sqlx::query(if full { PUBLISH_ALL_FULL } else { PUBLISH_ALL })
        .bind(ids)
        .bind(shards)
        .bind(topics)
        .bind(keys)
        .bind(payloads);
    if full {
        let headers = messages.iter().map(|message| {
            let headers = message.headers();
            (!headers.is_empty()).then(|| headers.to_json())
        });
        let due = messages
            .iter()
            .map(|message| DueMicros::of(message.due()).unwrap_or_default());
        query = query
            .bind(headers.collect::<Vec<_>>())
            .bind(due.clone().map(|due| due.after).collect::<Vec<_>>())
            .bind(due.map(|due| due.at).collect::<Vec<_>>());
    }
    query.execute(connection).await.map(drop)
}

async fn lock_keys(connection: &mut PgConnection, messages: &[Message]) -> Result<(), OutboxError> {
    let keys: HashSet<_> = messages
        .iter()
        .filter_map(|message| Some((message.topic(), message.key()?)))
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    if keys.len() > LOCKED_KEYS_MAX {
        return Err(OutboxError::TooManyKeys {
            count: keys.len(),
            max: LOCKED_KEYS_MAX,
        });
    }
    let (topics, keys): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
    sqlx::query(LOCK_KEYS)
        .bind(topics)
        .bind(keys)
        .execute(connection)
        .await
        .map(drop)
        .map_err(explain("locking the messages' keys"))
}

/// A missing table is the first mistake that everybody makes: it gets an error of its own.
fn explain(doing: &'static str) -> impl FnOnce(sqlx::Error) -> OutboxError {
    move |error| match &error {
        // undefined_table, undefined_function
        sqlx::Error::Database(database) if matches!(database.code().as_deref(), Some("42P01" | "42883")) => {
            OutboxError::SchemaMissing { table: "outbox" }
        }
        _ => OutboxError::database(doing)(error),
    }
}
