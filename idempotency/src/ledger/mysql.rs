use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, MySql, MySqlConnection, SqlSafeStr as _, SqlStr};
use transaction_scope::sql;
use uuid::Uuid;

use super::Stored;
use super::name::Name;
use super::statements::{ClaimTexts, LedgerStatements, NewRow, Row, common_statements, take_over_statement};

/// How many rows `idempotency_flush` has.
const FLUSH_ROWS: i32 = 16;

impl LedgerStatements for MySql {
    const ONE_WRITER: bool = false;
    const SHOWS_EARLY: bool = true;

    /// Seconds are all that there is. Part of each statement, so nothing of it can stay with the session.
    fn texts(lock_timeout: Duration) -> ClaimTexts {
        let seconds = lock_timeout.as_millis().div_ceil(1_000).max(1).to_string();
        let text = |file: &'static str| -> SqlStr {
            // A number: nothing that comes from outside.
            let text: Arc<str> = file.replace("{seconds}", &seconds).into();
            AssertSqlSafe(text).into_sql_str()
        };
        ClaimTexts {
            wait: String::new(),
            claim: text(sql!("mysql/claim.sql")),
            claim_many: text(sql!("mysql/claim_many.sql")),
            read: text(sql!("mysql/read.sql")),
            take_over: text(sql!("mysql/take_over.sql")),
        }
    }

    async fn claim(
        connection: &mut MySqlConnection,
        texts: &ClaimTexts,
        row: NewRow<'_>,
    ) -> sqlx::Result<bool> {
        let claimed = sqlx::query(texts.claim.clone())
            .bind(row.name.scope)
            .bind(row.name.key)
            .bind(row.fingerprint())
            .bind(row.keep)
            .execute(connection)
            .await;
        match claimed {
            Ok(_) => Ok(true),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn claim_many(
        connection: &mut MySqlConnection,
        texts: &ClaimTexts,
        scope: &str,
        keys: &[&str],
        keep: i64,
    ) -> sqlx::Result<Vec<String>> {
        let claimed = sqlx::query(texts.claim_many.clone())
            .bind(scope)
            .bind(keep)
            .bind(sqlx::types::Json(keys))
            .execute(connection)
            .await;
        match claimed {
            Ok(_) => Ok(keys.iter().map(|key| (*key).to_owned()).collect()),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn read_many(
        connection: &mut MySqlConnection,
        scope: &str,
        keys: &[&str],
    ) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(sql!("mysql/read_many.sql"))
            .bind(sqlx::types::Json(keys))
            .bind(scope)
            .fetch_all(connection)
            .await
    }

    async fn flush_with_commit(connection: &mut MySqlConnection) -> sqlx::Result<()> {
        sqlx::query(sql!("mysql/flush.sql"))
            .bind(fastrand::i32(0..FLUSH_ROWS))
            .execute(connection)
            .await?;
        Ok(())
    }

    take_over_statement!();
    common_statements!("mysql");
}
