//! The floor of `publish`: INSERTs into a table that has the outbox's columns and no index but its primary key.
//!
//! It binds the same bytes as ours does and makes an id per message as ours does (any outbox needs one). What it
//! leaves out is what a framework adds: checks, the shard's hash, spans, the wake-up.

use std::fmt::Write;
use std::future::Future;
use std::sync::LazyLock;

use sqlx::{Postgres, Sqlite, Transaction};
use uuid::Uuid;

use crate::content::{Content, TOPIC};
use crate::database::Engine;

const POSTGRES: &str = include_str!("../../sql/postgres/message.sql");
const POSTGRES_MANY: &str = include_str!("../../sql/postgres/messages.sql");
const SQLITE: &str = include_str!("../../sql/sqlite/message.sql");

/// Any shard: a hand-written outbox would not compute one.
const SHARD: i16 = 7;

/// INSERTs written by hand.
pub(crate) trait BareInsert: Engine {
    /// One row, the n-th.
    fn insert_message(
        tx: &mut Transaction<'static, Self>,
        content: &Content,
        n: u64,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Many rows in one statement, from the n-th.
    fn insert_messages(
        tx: &mut Transaction<'static, Self>,
        content: &Content,
        n: u64,
        rows: usize,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

impl BareInsert for Postgres {
    async fn insert_message(
        tx: &mut Transaction<'static, Self>,
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

/// The most rows of one statement here; SQLite takes 32,766 parameters.
const SQLITE_ROWS_MAX: usize = 1_000;

static SQLITE_MANY: LazyLock<Vec<String>> = LazyLock::new(|| {
    let (insert, row) = SQLITE.trim_end().split_once("VALUES ").unwrap_or((SQLITE, ""));
    let mut statement = format!("{insert}VALUES {row}");
    let mut all = vec![String::new(), statement.clone()];
    while all.len() <= SQLITE_ROWS_MAX {
        let _ = write!(statement, ", {row}");
        all.push(statement.clone());
    }
    all
});

impl BareInsert for Sqlite {
    async fn insert_message(
        tx: &mut Transaction<'static, Self>,
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
        content: &Content,
        n: u64,
        rows: usize,
    ) -> sqlx::Result<()> {
        let statements: &'static Vec<String> = &SQLITE_MANY;
        let mut query = sqlx::query(statements[rows.min(SQLITE_ROWS_MAX)].as_str());
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
