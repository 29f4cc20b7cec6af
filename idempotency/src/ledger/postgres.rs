use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, SqlSafeStr as _, Transaction};
use transaction_scope::{ScopeDatabase, TransactionError, sql};
use uuid::Uuid;

use super::Stored;
use super::name::Name;
use super::statements::{ClaimTexts, LedgerStatements, NewRow, Row, common_statements};

const BEGIN: &str = sql!("postgres/claim_begin.sql");

impl LedgerStatements for Postgres {
    const ONE_WRITER: bool = false;
    const SHOWS_EARLY: bool = false;

    fn texts(lock_timeout: Duration) -> ClaimTexts {
        // 0 would be "for ever".
        let milliseconds = format!("{}ms", lock_timeout.as_millis().max(1));
        // A number and its unit: nothing that comes from outside.
        let begin: Arc<str> = BEGIN.replace("{milliseconds}", &milliseconds).into();
        ClaimTexts {
            begin: AssertSqlSafe(begin).into_sql_str(),
            arm: milliseconds,
            claim: sql!("postgres/claim.sql").into_sql_str(),
            claim_many: sql!("postgres/claim_many.sql").into_sql_str(),
            read: sql!("postgres/read.sql").into_sql_str(),
            take_over: sql!("postgres/take_over.sql").into_sql_str(),
        }
    }

    async fn begin_claim(
        pool: &PgPool,
        texts: &ClaimTexts,
    ) -> Result<Transaction<'static, Self>, TransactionError> {
        Self::begin_with(pool, texts.begin.clone()).await
    }

    async fn arm(connection: &mut PgConnection, texts: &ClaimTexts) -> sqlx::Result<()> {
        sqlx::query(sql!("postgres/claim_arm.sql"))
            .bind(&texts.arm)
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn claim(connection: &mut PgConnection, texts: &ClaimTexts, row: NewRow<'_>) -> sqlx::Result<bool> {
        let claimed = sqlx::query(texts.claim.clone())
            .bind(row.name.scope)
            .bind(row.name.key)
            .bind(row.fingerprint())
            .bind(row.keep)
            .execute(connection)
            .await?;
        Ok(claimed.rows_affected() > 0)
    }

    async fn claim_many(
        connection: &mut PgConnection,
        texts: &ClaimTexts,
        scope: &str,
        keys: &[&str],
        keep: i64,
    ) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(texts.claim_many.clone())
            .bind(scope)
            .bind(keys)
            .bind(keep)
            .fetch_one(connection)
            .await
    }

    async fn read_many(
        connection: &mut PgConnection,
        scope: &str,
        keys: &[&str],
    ) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(sql!("postgres/read_many.sql"))
            .bind(scope)
            .bind(keys)
            .fetch_all(connection)
            .await
    }

    common_statements!("postgres");
}
