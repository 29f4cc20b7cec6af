use std::future::Future;

use anyhow::{Context, Result};
use outbox_sqlx::queue::QueueDatabase;
use sqlx::{Executor, MySql, Pool, Postgres, Sqlite};

use super::engine::Engine;
use super::{mysql, postgres, sqlite};
use crate::content::payload_parts;

/// Offsets of each queue that are filled by one statement: progress is seen, and no transaction is huge.
const RETAIN_AT_A_TIME: i64 = 25_000;

/// What the scenarios of the durable queue need of a database.
pub(crate) trait QueueEngine: Engine + QueueDatabase {
    /// Empties the queue's tables and the bare log, and lets the server write to disk what it still has to.
    fn empty_queue(pool: &Pool<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Vacuums and analyses what was written, and writes to disk what is still to be written.
    fn settle_queue(pool: &Pool<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Fills every queue with messages at the offsets 0 to `each` - 1. The queues are empty.
    fn retain(
        pool: &Pool<Self>,
        each: i64,
        progress: impl Fn(i64) + Send,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Removes what lies above that again, and puts the groups back to there.
    fn cut_queue(pool: &Pool<Self>, each: i64) -> impl Future<Output = Result<()>> + Send;
}

macro_rules! statements {
    ($dialect:literal) => {
        const EMPTY: &str = include_str!(concat!("../../sql/", $dialect, "/queue_empty.sql"));
        const RETAIN: &str = include_str!(concat!("../../sql/", $dialect, "/queue_retain.sql"));
        const RETAINED: &str = include_str!(concat!("../../sql/", $dialect, "/queue_retained.sql"));
        const CUT: &str = include_str!(concat!("../../sql/", $dialect, "/queue_cut.sql"));
        const PLACE: &str = include_str!(concat!("../../sql/", $dialect, "/queue_place.sql"));
    };
}

macro_rules! same_for_each_database {
    () => {
        async fn empty_queue(pool: &Pool<Self>) -> Result<()> {
            pool.execute(EMPTY).await.context("emptying the queue")?;
            Self::settle_queue(pool).await
        }

        async fn retain(pool: &Pool<Self>, each: i64, progress: impl Fn(i64) + Send) -> Result<()> {
            let (before, after) = payload_parts();
            let mut from = 0;
            while from < each {
                let to = (from + RETAIN_AT_A_TIME).min(each);
                sqlx::query(RETAIN)
                    .bind(from)
                    .bind(to - 1)
                    .bind(before)
                    .bind(&after)
                    .execute(pool)
                    .await
                    .context("filling the log")?;
                from = to;
                progress(from);
            }
            sqlx::query(RETAINED)
                .bind(each)
                .execute(pool)
                .await
                .context("filling the log")?;
            Self::settle_queue(pool).await
        }

        async fn cut_queue(pool: &Pool<Self>, each: i64) -> Result<()> {
            for statement in [CUT, RETAINED, PLACE] {
                sqlx::query(statement)
                    .bind(each)
                    .execute(pool)
                    .await
                    .context("cutting the log")?;
            }
            Self::settle_queue(pool).await
        }
    };
}

const _: () = {
    const SETTLE: &str = include_str!("../../sql/postgres/queue_settle.sql");
    statements!("postgres");

    impl QueueEngine for Postgres {
        same_for_each_database!();

        async fn settle_queue(pool: &Pool<Self>) -> Result<()> {
            pool.execute(SETTLE).await.context("vacuuming the queue")?;
            postgres::checkpoint(pool).await
        }
    }
};

const _: () = {
    const SETTLE: &str = include_str!("../../sql/mysql/queue_settle.sql");
    statements!("mysql");

    impl QueueEngine for MySql {
        same_for_each_database!();

        async fn settle_queue(pool: &Pool<Self>) -> Result<()> {
            mysql::write_out(pool, SETTLE).await
        }
    }
};

const _: () = {
    statements!("sqlite");

    impl QueueEngine for Sqlite {
        same_for_each_database!();

        async fn settle_queue(pool: &Pool<Self>) -> Result<()> {
            sqlite::checkpoint(pool).await
        }
    }
};
