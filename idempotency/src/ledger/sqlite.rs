use std::time::Duration;

use sqlx::{SqlSafeStr as _, Sqlite, SqliteConnection, SqlitePool};
use transaction_scope::{TransactionError, sql};
use uuid::Uuid;

use super::Stored;
use super::name::Name;
use super::statements::{ClaimTexts, LedgerStatements, NewRow, Row, common_statements, take_over_statement};

impl LedgerStatements for Sqlite {
    const ONE_WRITER: bool = true;
    const SHOWS_EARLY: bool = false;

    /// What waits here is BEGIN, as long as the connection's busy timeout says.
    fn texts(_: Duration) -> ClaimTexts {
        ClaimTexts {
            wait: String::new(),
            claim: sql!("sqlite/claim.sql").into_sql_str(),
            claim_many: sql!("sqlite/claim_many.sql").into_sql_str(),
            read: sql!("sqlite/read.sql").into_sql_str(),
            take_over: sql!("sqlite/take_over.sql").into_sql_str(),
        }
    }

    fn check_pool(pool: &SqlitePool) -> Result<(), TransactionError> {
        transaction_scope::sqlite::check_pool(pool)
    }

    async fn claim(
        connection: &mut SqliteConnection,
        texts: &ClaimTexts,
        row: NewRow<'_>,
    ) -> sqlx::Result<bool> {
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
        connection: &mut SqliteConnection,
        texts: &ClaimTexts,
        scope: &str,
        keys: &[&str],
        keep: i64,
    ) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(texts.claim_many.clone())
            .bind(scope)
            .bind(sqlx::types::Json(keys))
            .bind(keep)
            .fetch_all(connection)
            .await
    }

    async fn read_many(
        connection: &mut SqliteConnection,
        scope: &str,
        keys: &[&str],
    ) -> sqlx::Result<Vec<String>> {
        sqlx::query_scalar(sql!("sqlite/read_many.sql"))
            .bind(scope)
            .bind(sqlx::types::Json(keys))
            .fetch_all(connection)
            .await
    }

    take_over_statement!();
    common_statements!("sqlite");
}
