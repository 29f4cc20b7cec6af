//! Making and checking the tables.

use idempotency::{Idempotency, IdempotencyError, check_schema, migrate};
use sqlx::Executor;

use crate::databases::{empty_mysql, empty_postgres, on_each};

macro_rules! from_nothing {
    ($pool:expr) => {
        let missing = check_schema(&$pool).await.unwrap_err();
        assert!(
            matches!(
                missing,
                IdempotencyError::SchemaMissing {
                    table: "idempotency_ledger"
                }
            ),
            "{missing}"
        );
        assert!(Idempotency::builder($pool.clone()).build().await.is_err());
        let (one, other) = tokio::join!(migrate(&$pool), migrate(&$pool));
        one.unwrap();
        other.unwrap();
        migrate(&$pool).await.unwrap();
        check_schema(&$pool).await.unwrap();
    };
}

#[tokio::test]
async fn from_nothing_on_sqlite() {
    let pool = transaction_scope::sqlite::open("sqlite::memory:").await.unwrap();
    from_nothing!(pool);
}

#[tokio::test]
async fn from_nothing_on_postgres() {
    let Some(pool) = empty_postgres(4).await else {
        return;
    };
    from_nothing!(pool);
}

#[tokio::test]
async fn from_nothing_on_mysql() {
    let Some(pool) = empty_mysql(4).await else { return };
    from_nothing!(pool);
}

on_each! {
    async fn a_newer_schema_is_refused_and_other_tools_may_migrate(pool) {
        // As another tool leaves it: no books of ours.
        pool.execute("DROP TABLE _idempotency_migrations").await.unwrap();
        migrate(pool).await.unwrap();
        check_schema(pool).await.unwrap();
        pool.execute("INSERT INTO idempotency_schema (version) VALUES (99)").await.unwrap();
        for refused in [migrate(pool).await, check_schema(pool).await] {
            assert!(matches!(refused, Err(IdempotencyError::SchemaVersion { found: 99, needed: 1 })), "{refused:?}");
        }
    }
}

on_each! {
    async fn a_database_has_one_namespace(pool) {
        let built = async || Idempotency::builder(pool.clone()).build().await.unwrap().namespace();
        let (one, other) = tokio::join!(built(), built());
        assert_eq!((one, built().await), (other, one));
        assert!(!one.is_nil());
        // Another database has another one.
        let elsewhere = transaction_scope::sqlite::open("sqlite::memory:").await.unwrap();
        migrate(&elsewhere).await.unwrap();
        assert_ne!(Idempotency::builder(elsewhere).build().await.unwrap().namespace(), one);
    }
}

/// What one connection commits another does not see.
#[tokio::test]
async fn a_database_in_memory_with_several_connections_is_refused() {
    let options = transaction_scope::sqlite::connect_options("sqlite::memory:").unwrap();
    let pool = sqlx::sqlite::SqlitePoolOptions::new()
        .max_connections(2)
        .connect_lazy_with(options);
    let refused = Idempotency::builder(pool).build().await.unwrap_err();
    assert!(
        matches!(
            refused,
            IdempotencyError::Transaction(transaction_scope::TransactionError::MemoryPool { connections: 2 })
        ),
        "{refused}"
    );
}
