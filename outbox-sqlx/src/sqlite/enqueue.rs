use std::sync::LazyLock;

use outbox_core::{Message, Order};
use sqlx::{Connection, Sqlite, SqliteConnection};

use crate::error::OutboxError;
use crate::many::Statements;
use crate::sql_store::{DueMicros, EnqueueDatabase, enqueue};
use transaction_scope::sql;

const PUBLISH: &str = sql!("sqlite/publish.sql");
const PUBLISH_FULL: &str = sql!("sqlite/publish_full.sql");

static PUBLISH_MANY: LazyLock<Statements> = LazyLock::new(|| Statements::new(PUBLISH));
static PUBLISH_MANY_FULL: LazyLock<Statements> = LazyLock::new(|| Statements::new(PUBLISH_FULL));

enqueue!(Sqlite, SqliteConnection);

impl EnqueueDatabase for Sqlite {
    // There is no lock for an ordered publish: an insert needs the database's only write lock, which is held to
    // the end of the transaction. So ids are given in the order of the commits by themselves.
    async fn write(
        connection: &mut SqliteConnection,
        messages: &[Message],
        _: Order,
    ) -> Result<(), OutboxError> {
        <sqlx::Sqlite as transaction_scope::ScopeDatabase>::check_open(connection).await?;
        if Statements::is_one(messages.len()) {
            return write_rows(connection, messages)
                .await
                .map_err(OutboxError::database("writing messages"));
        }
        // Several statements: a savepoint makes them all or none, also for a caller who goes on after an error.
        let mut savepoint = connection
            .begin()
            .await
            .map_err(OutboxError::database("writing messages"))?;
        write_rows(&mut savepoint, messages)
            .await
            .map_err(OutboxError::database("writing messages"))?;
        savepoint
            .commit()
            .await
            .map_err(OutboxError::database("writing messages"))
    }
}

async fn write_rows(connection: &mut SqliteConnection, messages: &[Message]) -> sqlx::Result<()> {
    let due = |message: &Message| DueMicros::of(message.due()).unwrap_or_default();
    let full = messages
        .iter()
        .any(|message| !message.headers().is_empty() || !due(message).is_now());
    let statements: &'static Statements = if full { &PUBLISH_MANY_FULL } else { &PUBLISH_MANY };
    let mut rest = messages;
    while !rest.is_empty() {
        let (sql, rows) = statements.for_rows(rest.len());
        let (rows, later) = rest.split_at(rows);
        let mut query = sqlx::query(sql);
        for message in rows {
            query = query
                .bind(message.id().0)
                .bind(message.shard().number())
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
