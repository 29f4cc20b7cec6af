use outbox_core::Message;
use outbox_sqlx::{Dialect, Outbox, OutboxError, check_schema, migrate, schema_sql};
use sqlx::{Executor, PgPool, SqlitePool};

use crate::databases::on_each;

async fn empty_sqlite() -> SqlitePool {
    outbox_sqlx::sqlite::open("sqlite::memory:").await.unwrap()
}

on_each! {
    async fn migrating_again_changes_nothing(pool) {
        let outbox = Outbox::new();
        outbox.transaction(&pool, async |tx| outbox.publish(tx, Message::builder("t")).await).await.unwrap();
        migrate(&pool).await.unwrap();
        check_schema(&pool).await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox").fetch_one(&pool).await.unwrap();
        assert_eq!(rows, 1);
        let shards: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox_shard").fetch_one(&pool).await.unwrap();
        assert_eq!(shards, 64);
    }
}

on_each! {
    async fn another_version_is_named(pool) {
        pool.execute("UPDATE outbox_schema SET version = 99 WHERE version = 5").await.unwrap();
        for refused in [check_schema(&pool).await, migrate(&pool).await] {
            let error = refused.unwrap_err();
            assert!(matches!(error, OutboxError::SchemaNewer { found: 99, known: 5 }), "{error:?}");
            assert!(error.to_string().contains("deploy a newer version"));
        }
        pool.execute("DELETE FROM outbox_schema").await.unwrap();
        let error = check_schema(&pool).await.unwrap_err();
        assert!(matches!(error, OutboxError::SchemaOlder { found: 0, needed: 5, .. }), "{error:?}");
        assert!(error.to_string().contains("missing: 0001_outbox, 0002_queue, 0003_confirmation"), "{error}");
    }
}

on_each! {
    async fn states_are_visible(pool) {
        let outbox = Outbox::new();
        let mut tx = outbox.begin(&pool).await.unwrap();
        for key in ["pending", "delayed", "retrying", "blocked", "parked"] {
            let message = Message::builder("t").key(key);
            let message = match key {
                "pending" | "parked" => message,
                _ => message.delay(std::time::Duration::from_secs(60)),
            };
            outbox.publish(&mut tx, message).await.unwrap();
        }
        tx.commit().await.unwrap();
        pool.execute("UPDATE outbox SET hold = 1 WHERE message_key = 'retrying'").await.unwrap();
        pool.execute("UPDATE outbox SET hold = 2 WHERE message_key = 'blocked'").await.unwrap();
        pool.execute("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('t', 'parked', 0), ('t', 'parked too', 0)").await.unwrap();
        let columns = "message_id, topic, message_key, created_at, attempts";
        for (table, key, more, values) in [
            ("outbox_dead", "dead", ", shard, payload, headers, reason", ", shard, payload, headers, 'skipped'"),
            ("outbox_dead", "parked too", ", shard, payload, headers, reason", ", shard, payload, headers, 'parked'"),
            ("outbox_discarded", "discarded", ", reason", ", 'why'"),
            ("outbox_archive", "delivered", ", shard, payload, headers", ", shard, payload, headers"),
        ] {
            let id = key.len() + 1000;
            let copied = columns.replace("message_key", &format!("'{key}'"));
            let sql = format!("INSERT INTO {table} (id, {columns}{more}) SELECT {id}, {copied}{values} FROM outbox WHERE message_key = 'pending'");
            pool.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        }
        let states: Vec<(String, String)> = sqlx::query_as("SELECT message_key, state FROM outbox_status").fetch_all(&pool).await.unwrap();
        assert_eq!(states.len(), 9);
        for (key, state) in states {
            assert_eq!(state, if key == "parked too" { "parked" } else { &key });
        }
    }
}

#[tokio::test]
async fn missing_tables_are_named_on_sqlite() {
    let pool = empty_sqlite().await;
    let error = check_schema(&pool).await.unwrap_err();
    assert!(
        matches!(error, OutboxError::SchemaMissing { table: "outbox" }),
        "{error:?}"
    );
    assert!(error.to_string().contains("run the migrations"));
}

#[tokio::test]
async fn missing_tables_are_named_on_postgres() {
    let Some(pool) = crate::databases::empty_postgres(2).await else {
        return;
    };
    let error = check_schema(&pool).await.unwrap_err();
    assert!(
        matches!(error, OutboxError::SchemaMissing { table: "outbox" }),
        "{error:?}"
    );
}

/// Flyway, psql, sqlite3 or a colleague: the tables are taken as they are.
#[tokio::test]
async fn another_tool_may_have_migrated_on_sqlite() {
    let pool = empty_sqlite().await;
    pool.execute(schema_sql(Dialect::Sqlite)).await.unwrap();
    check_schema(&pool).await.unwrap();
    migrate(&pool).await.unwrap();
    migrate(&pool).await.unwrap();
    check_schema(&pool).await.unwrap();
}

#[tokio::test]
async fn another_tool_may_have_migrated_on_postgres() {
    let Some(pool) = crate::databases::empty_postgres(2).await else {
        return;
    };
    pool.execute(schema_sql(Dialect::Postgres)).await.unwrap();
    check_schema(&pool).await.unwrap();
    migrate(&pool).await.unwrap();
    migrate(&pool).await.unwrap();
    check_schema(&pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_migrate_at_once_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("outbox.db").display());
    let pools: Vec<SqlitePool> = {
        let mut pools = Vec::new();
        for _ in 0..4 {
            pools.push(outbox_sqlx::sqlite::open(&url).await.unwrap());
        }
        pools
    };
    let tasks: Vec<_> = pools
        .into_iter()
        .map(|pool| tokio::spawn(async move { migrate(&pool).await }))
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_migrate_at_once_on_postgres() {
    let Some(pool) = crate::databases::empty_postgres(8).await else {
        return;
    };
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { migrate(&pool).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    check_schema(&pool).await.unwrap();
    let locks: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(locks, 0);
}

/// All or nothing: a table of the same name that belongs to somebody else.
#[tokio::test]
async fn a_failed_migration_leaves_nothing_behind() {
    async fn tables(pool: &PgPool) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relname LIKE '%outbox%'")
            .fetch_one(pool)
            .await
            .unwrap()
    }
    let Some(pool) = crate::databases::empty_postgres(2).await else {
        return;
    };
    pool.execute("CREATE TABLE outbox_relay (n int)").await.unwrap();
    let error = migrate(&pool).await.unwrap_err();
    assert!(matches!(error, OutboxError::Migration { .. }), "{error:?}");
    assert_eq!(tables(&pool).await, 1);
    pool.execute("DROP TABLE outbox_relay").await.unwrap();
    migrate(&pool).await.unwrap();

    let pool = empty_sqlite().await;
    pool.execute("CREATE TABLE outbox_relay (n int)").await.unwrap();
    assert!(matches!(migrate(&pool).await, Err(OutboxError::Migration { .. })));
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%outbox%'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(tables, 1);
}

/// The hot table's law is what it lacks.
#[tokio::test]
async fn the_hot_table_has_no_more_than_it_needs() {
    let Some(pool) = crate::databases::postgres().await else {
        return;
    };
    let (checks, triggers, indexes, generated): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM pg_constraint WHERE conrelid = 'outbox'::regclass AND contype = 'c'),
                (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'outbox'::regclass),
                (SELECT count(*) FROM pg_index WHERE indrelid = 'outbox'::regclass),
                (SELECT count(*) FROM pg_attribute WHERE attrelid = 'outbox'::regclass AND attgenerated <> '')",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!((checks, triggers, indexes, generated), (0, 0, 2, 0));
    let cache: i64 = sqlx::query_scalar(
        "SELECT seqcache FROM pg_sequence WHERE seqrelid = pg_get_serial_sequence('outbox', 'id')::regclass",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(cache, 1);
}

/// What was installed with the first version keeps its messages, whoever installed it.
async fn gets_what_is_new<DB>(pool: &sqlx::Pool<DB>)
where
    DB: outbox_sqlx::OutboxDatabase,
    for<'c> &'c sqlx::Pool<DB>: Executor<'c, Database = DB>,
    for<'q> DB::Arguments: sqlx::IntoArguments<DB>,
    (i64,): for<'r> sqlx::FromRow<'r, DB::Row>,
{
    let error = check_schema(pool).await.unwrap_err();
    assert!(error.to_string().contains("missing: 0002_queue"), "{error}");
    migrate(pool).await.unwrap();
    check_schema(pool).await.unwrap();
    for (table, rows) in [("outbox", 1), ("outbox_topic", 0)] {
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")));
        assert_eq!(count.fetch_one(pool).await.unwrap(), rows);
    }
}

#[tokio::test]
async fn an_older_schema_gets_what_is_new_on_sqlite() {
    let pool = empty_sqlite().await;
    pool.execute(include_str!("../../migrations/sqlite/0001_outbox.sql"))
        .await
        .unwrap();
    pool.execute("INSERT INTO outbox (topic, payload) VALUES ('t', x'00')")
        .await
        .unwrap();
    gets_what_is_new(&pool).await;
}

#[tokio::test]
async fn an_older_schema_gets_what_is_new_on_postgres() {
    let Some(pool) = crate::databases::empty_postgres(2).await else {
        return;
    };
    pool.execute(include_str!("../../migrations/postgres/0001_outbox.sql"))
        .await
        .unwrap();
    pool.execute("INSERT INTO outbox (topic, payload) VALUES ('t', '')")
        .await
        .unwrap();
    gets_what_is_new(&pool).await;
}
