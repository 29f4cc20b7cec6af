//! SQLite: its databases for the suite, and what only it can be asked.

use super::*;
use outbox_sqlx::SqliteRelayStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions};

pub(super) struct Sqlite {
    pool: SqlitePool,
    /// Deleted when the test ends.
    _folder: tempfile::TempDir,
}

impl Sqlite {
    async fn with(connections: u32, busy_timeout: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("outbox.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(busy_timeout);
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .connect_with(options)
            .await
            .unwrap();
        sqlx::raw_sql(outbox_sqlx::schema_sql(outbox_sqlx::Dialect::Sqlite))
            .execute(&pool)
            .await
            .unwrap();
        Self {
            pool,
            _folder: folder,
        }
    }
}

impl Database for Sqlite {
    async fn new() -> Self {
        Self::with(4, Duration::from_secs(5)).await
    }

    fn unopened(&self) -> Box<dyn RelayStore> {
        Box::new(SqliteRelayStore::new(&self.pool))
    }

    async fn insert(&self, row: New) -> i64 {
        let insert = format!(
            "INSERT INTO outbox (topic, message_key, shard, payload, headers, due_at, hold)
             VALUES (?, ?, ?, ?, ?, {}, ?) RETURNING id",
            row.due.map_or("NULL".to_owned(), Self::time)
        );
        sqlx::query_scalar(AssertSqlSafe(insert))
            .bind(row.topic)
            .bind(row.key)
            .bind(row.shard)
            .bind(row.payload)
            .bind(row.headers)
            .bind(row.hold)
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&self.pool)
            .await
            .unwrap();
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    fn time(milliseconds: i64) -> String {
        format!(
            "(CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 + {milliseconds} * 1000)"
        )
    }
}

#[tokio::test]
async fn one_connection_is_enough_for_relay_and_writers() {
    let db = Sqlite::with(1, Duration::from_secs(5)).await;
    let mut store = db.store().await;
    let epoch = store.lease(&lease("a")).await.unwrap().shards[0].1;
    // A writer holds the only connection: the relay queues behind it and goes on when it is done.
    let mut writer = db.pool.begin().await.unwrap();
    sqlx::query("INSERT INTO outbox (topic, payload) VALUES ('t', x'00')")
        .execute(&mut *writer)
        .await
        .unwrap();
    let relay = tokio::spawn(async move { store.fetch(&all()).await.map(|page| (page, store)) });
    tokio::task::yield_now().await;
    writer.commit().await.unwrap();
    let (page, mut store) = relay.await.unwrap().unwrap();
    let [id] = ids(&page)[..] else { panic!("{page:?}") };
    store
        .failed("a", &[failure(id, epoch, FailureAction::Retry(Duration::ZERO))])
        .await
        .unwrap();
    store.delivered(&[id], true).await.unwrap();
    store.leave("a").await.unwrap();
    assert_eq!(db.text("SELECT count(*) || '' FROM outbox_archive").await, "1");
}

#[tokio::test]
async fn a_database_in_memory_needs_a_pool_of_one() {
    let memory = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .connect("sqlite::memory:")
    };
    let pool = memory(2).await.unwrap();
    sqlx::raw_sql(outbox_sqlx::schema_sql(outbox_sqlx::Dialect::Sqlite))
        .execute(&pool)
        .await
        .unwrap();
    let refused = SqliteRelayStore::new(&pool).open().await;
    let Err(StoreError::Unusable { reason }) = refused else {
        panic!("{refused:?}")
    };
    assert!(reason.contains("max_connections(1)"), "{reason}");
    let pool = memory(1).await.unwrap();
    sqlx::raw_sql(outbox_sqlx::schema_sql(outbox_sqlx::Dialect::Sqlite))
        .execute(&pool)
        .await
        .unwrap();
    SqliteRelayStore::new(&pool).open().await.unwrap();
}

#[tokio::test]
async fn a_busy_database_is_a_passing_trouble() {
    let db = Sqlite::with(4, Duration::from_millis(1)).await;
    let id = db.insert(row("k")).await;
    let mut store = db.store().await;
    let mut writer = db.pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = store.delivered(&[id], false).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let refused = store.lease(&lease("a")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(
        ids(&store.fetch(&all()).await.unwrap()),
        [id],
        "who reads doesn't wait"
    );
    sqlx::query("DELETE FROM outbox")
        .execute(&mut *writer)
        .await
        .unwrap();
    writer.rollback().await.unwrap();
    store.open().await.unwrap();
    store.delivered(&[id], false).await.unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_text_are_a_problem_of_their_row() {
    let db = Sqlite::new().await;
    db.run(
        "INSERT INTO outbox (topic, message_key, payload) VALUES
            (CAST(x'ff' AS TEXT), 'k', x'00'), ('t', CAST(x'fe' AS TEXT), x'00');
         INSERT INTO outbox (message_id, topic, payload) VALUES (x'0102', 't', x'00');
         INSERT INTO outbox (topic, payload, headers) VALUES ('t', x'00', 'no json');
         INSERT INTO outbox (topic, payload) VALUES ('t', 'text'), ('t', 12)",
    )
    .await;
    let page = db.store().await.fetch(&all()).await.unwrap();
    let problems: Vec<bool> = page.rows.iter().map(|row| row.problem.is_some()).collect();
    assert_eq!(problems, [true, true, true, true, false, false], "{page:?}");
    assert_eq!(&page.rows[4].message.payload()[..], b"text");
    assert_eq!(&page.rows[5].message.payload()[..], b"12");
}
