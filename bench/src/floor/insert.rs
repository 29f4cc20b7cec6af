//! The floor of `publish`: INSERTs into a table that has the outbox's columns and no index but its primary key.
//!
//! On MySQL it is the first of three steps towards ours, each with all before it, so that each one's price is seen: what
//! a partial index would have cost nothing of (see [`Step::DueIndex`]), and the question that a driver can't
//! answer (see [`Step::Asked`]).
//!
//! It binds the same bytes as ours does and makes an id per message as ours does (any outbox needs one). What it
//! leaves out is what a framework adds: checks, the shard's hash, spans, the wake-up.

use std::future::Future;
use std::sync::LazyLock;

use sqlx::{Executor, MySql, Postgres, Sqlite, Transaction};
use uuid::Uuid;

use crate::content::{Content, TOPIC};
use crate::database::{Engine, ROWS_MAX, many};

const POSTGRES: &str = include_str!("../../sql/postgres/message.sql");
const POSTGRES_MANY: &str = include_str!("../../sql/postgres/messages.sql");
const MYSQL: &str = include_str!("../../sql/mysql/message.sql");
const MYSQL_DUE: &str = include_str!("../../sql/mysql/message_due.sql");
const MYSQL_ASK: &str = include_str!("../../sql/mysql/ask.sql");
const SQLITE: &str = include_str!("../../sql/sqlite/message.sql");

/// Any shard: a hand-written outbox would not compute one.
const SHARD: i16 = 7;

/// How much of what ours does a bare INSERT does, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The floor: nothing.
    Bare,
    /// The table also has the outbox's index on `due_at`. MySQL has no partial indexes, so each row pays for an entry.
    DueIndex,
    /// And the database is asked first whether the transaction is still open, in a round trip.
    Asked,
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "with a bare INSERT",
            Self::DueIndex => "the same, and an index on due_at",
            Self::Asked => "the same, and asks first if it is open",
        }
    }

    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::DueIndex => "due_index",
            Self::Asked => "asked",
        }
    }
}

/// INSERTs written by hand.
pub(crate) trait BareInsert: Engine {
    /// The floor, and what lies between it and ours on this database.
    const STEPS: &[Step] = &[Step::Bare];

    /// One row, the n-th.
    fn insert_message(
        tx: &mut Transaction<'static, Self>,
        step: Step,
        content: &Content,
        n: u64,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Many rows in one statement, from the n-th.
    fn insert_messages(
        tx: &mut Transaction<'static, Self>,
        step: Step,
        content: &Content,
        n: u64,
        rows: usize,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

impl BareInsert for Postgres {
    async fn insert_message(
        tx: &mut Transaction<'static, Self>,
        _: Step,
        content: &Content,
        n: u64,
    ) -> sqlx::Result<()> {
        sqlx::query(POSTGRES)
            .bind(Uuid::now_v7())
            .bind(SHARD)
            .bind(TOPIC)
            .bind(content.key(n))
            .bind(&content.payload[..])
            .execute(&mut **tx)
            .await
            .map(drop)
    }

    async fn insert_messages(
        tx: &mut Transaction<'static, Self>,
        _: Step,
        content: &Content,
        n: u64,
        rows: usize,
    ) -> sqlx::Result<()> {
        let ids: Vec<Uuid> = (0..rows).map(|_| Uuid::now_v7()).collect();
        let keys: Vec<&str> = (n..).take(rows).map(|n| content.key(n)).collect();
        sqlx::query(POSTGRES_MANY)
            .bind(ids)
            .bind(vec![SHARD; rows])
            .bind(vec![TOPIC; rows])
            .bind(keys)
            .bind(vec![&content.payload[..]; rows])
            .execute(&mut **tx)
            .await
            .map(drop)
    }
}

static SQLITE_MANY: LazyLock<Vec<String>> = LazyLock::new(|| many(SQLITE));
static MYSQL_MANY: LazyLock<Vec<String>> = LazyLock::new(|| many(MYSQL));
static MYSQL_MANY_DUE: LazyLock<Vec<String>> = LazyLock::new(|| many(MYSQL_DUE));

impl BareInsert for Sqlite {
    async fn insert_message(
        tx: &mut Transaction<'static, Self>,
        _: Step,
        content: &Content,
        n: u64,
    ) -> sqlx::Result<()> {
        sqlx::query(SQLITE)
            .bind(Uuid::now_v7())
            .bind(SHARD)
            .bind(TOPIC)
            .bind(content.key(n))
            .bind(&content.payload[..])
            .execute(&mut **tx)
            .await
            .map(drop)
    }

    async fn insert_messages(
        tx: &mut Transaction<'static, Self>,
        _: Step,
        content: &Content,
        n: u64,
        rows: usize,
    ) -> sqlx::Result<()> {
        let statements: &'static Vec<String> = &SQLITE_MANY;
        let mut query = sqlx::query(statements[rows.min(ROWS_MAX)].as_str());
        for n in (n..).take(rows) {
            query = query
                .bind(Uuid::now_v7())
                .bind(SHARD)
                .bind(TOPIC)
                .bind(content.key(n))
                .bind(&content.payload[..]);
        }
        query.execute(&mut **tx).await.map(drop)
    }
}

impl BareInsert for MySql {
    const STEPS: &[Step] = &[Step::Bare, Step::DueIndex, Step::Asked];

    async fn insert_message(
        tx: &mut Transaction<'static, Self>,
        step: Step,
        content: &Content,
        n: u64,
    ) -> sqlx::Result<()> {
        Self::insert_messages(tx, step, content, n, 1).await
    }

    async fn insert_messages(
        tx: &mut Transaction<'static, Self>,
        step: Step,
        content: &Content,
        n: u64,
        rows: usize,
    ) -> sqlx::Result<()> {
        let statements: &'static Vec<String> = match step {
            Step::Bare => &MYSQL_MANY,
            Step::DueIndex | Step::Asked => &MYSQL_MANY_DUE,
        };
        if step == Step::Asked {
            tx.execute(MYSQL_ASK).await?;
        }
        let mut query = sqlx::query(statements[rows.min(ROWS_MAX)].as_str());
        for n in (n..).take(rows) {
            query = query
                .bind(Uuid::now_v7())
                .bind(SHARD)
                .bind(TOPIC)
                .bind(content.key(n))
                .bind(&content.payload[..]);
        }
        query.execute(&mut **tx).await.map(drop)
    }
}
