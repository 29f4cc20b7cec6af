use std::time::Duration;

use sqlx::{PgConnection, Postgres, SqlSafeStr as _, SqlStr};
use transaction_scope::sql;
use uuid::Uuid;

use super::Stored;
use super::name::Name;
use super::statements::{ClaimTexts, LedgerStatements, NewRow, Row, common_statements};

impl LedgerStatements for Postgres {
    const ONE_WRITER: bool = false;
    const SHOWS_EARLY: bool = false;

    fn texts(lock_timeout: Duration) -> ClaimTexts {
        ClaimTexts {
            // 0 would be "for ever".
            wait: format!("{}ms", lock_timeout.as_millis().max(1)),
            claim: sql!("postgres/claim.sql").into_sql_str(),
            claim_many: sql!("postgres/claim_many.sql").into_sql_str(),
            read: sql!("postgres/read.sql").into_sql_str(),
            take_over: sql!("postgres/take_over.sql").into_sql_str(),
        }
    }

    async fn claim(connection: &mut PgConnection, texts: &ClaimTexts, row: NewRow<'_>) -> sqlx::Result<bool> {
        called(connection, texts.claim.clone(), texts, row).await
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
            .bind(&texts.wait)
            .fetch_one(connection)
            .await
    }

    async fn take_over(
        connection: &mut PgConnection,
        texts: &ClaimTexts,
        row: NewRow<'_>,
    ) -> sqlx::Result<bool> {
        called(connection, texts.take_over.clone(), texts, row).await
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

/// A function that says whether the row is ours, and waits for others as long as the texts say.
async fn called(
    connection: &mut PgConnection,
    function: SqlStr,
    texts: &ClaimTexts,
    row: NewRow<'_>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(function)
        .bind(row.name.scope)
        .bind(row.name.key)
        .bind(row.fingerprint())
        .bind(row.keep)
        .bind(&texts.wait)
        .fetch_one(connection)
        .await
}
