//! MySQL and MariaDB: their databases for the suite, and what only they can be asked.

use super::*;
use outbox_sqlx::MySqlRelayStore;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPool, MySqlPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _};

const URL: &str = "OUTBOX_TEST_MYSQL_URL";

pub(super) struct MySql {
    pool: MySqlPool,
}

impl MySql {
    async fn empty() -> Self {
        let server: MySqlConnectOptions = std::env::var(URL)
            .unwrap_or_else(|_| panic!("{URL} is not set: run `cargo xtask test`"))
            .parse()
            .unwrap();
        let name = format!("outbox_store_{}", uuid::Uuid::now_v7().simple());
        let mut connection = server.connect().await.unwrap();
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .unwrap();
        let pool = MySqlPoolOptions::new()
            .max_connections(5)
            .connect_with(server.database(&name))
            .await
            .unwrap();
        Self { pool }
    }

    async fn connect(&self) -> MySqlConnection {
        self.pool.connect_options().connect().await.unwrap()
    }
}

impl Database for MySql {
    async fn new() -> Self {
        let database = Self::empty().await;
        sqlx::raw_sql(outbox_sqlx::schema_sql(outbox_sqlx::Dialect::MySql))
            .execute(&database.pool)
            .await
            .unwrap();
        database
    }

    fn unopened(&self) -> Box<dyn RelayStore> {
        Box::new(MySqlRelayStore::new(&self.pool))
    }

    async fn insert(&self, row: New) -> i64 {
        let insert = format!(
            "INSERT INTO outbox (topic, message_key, shard, payload, headers, due_at, hold)
             VALUES (?, ?, ?, ?, ?, {}, ?)",
            row.due.map_or("NULL".to_owned(), Self::time)
        );
        let inserted = sqlx::query(AssertSqlSafe(insert))
            .bind(row.topic)
            .bind(row.key)
            .bind(row.shard)
            .bind(row.payload)
            .bind(row.headers)
            .bind(row.hold)
            .execute(&self.pool)
            .await
            .unwrap();
        inserted.last_insert_id().try_into().unwrap()
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
            "(UTC_TIMESTAMP(6) + INTERVAL {} MICROSECOND)",
            milliseconds * 1000
        )
    }
}

/// A server with a lock wait of its own, so that a test that waits fails soon.
async fn writer(db: &MySql) -> MySqlConnection {
    let mut writer = db.connect().await;
    writer
        .execute("SET SESSION innodb_lock_wait_timeout = 1")
        .await
        .unwrap();
    writer
}

#[tokio::test]
async fn the_horizon_counts_rows_that_nobody_sees() {
    let db = MySql::new().await;
    let mut store = db.store().await;
    assert_eq!(store.horizon().await.unwrap(), 0);
    let mut writer = writer(&db).await;
    writer.execute("BEGIN").await.unwrap();
    let insert = "INSERT INTO outbox (topic, payload) VALUES ('t', '')";
    writer.execute(insert).await.unwrap();
    writer.execute(insert).await.unwrap();
    assert_eq!(store.horizon().await.unwrap(), 2);
    writer.execute("ROLLBACK").await.unwrap();
    writer.execute(insert).await.unwrap();
    assert_eq!(store.horizon().await.unwrap(), 3);
    store.delivered(&[3], false).await.unwrap();
    assert_eq!(store.horizon().await.unwrap(), 3, "ids are not given again");
}

#[tokio::test]
async fn a_page_is_one_snapshot() {
    let db = MySql::new().await;
    let mut store = db.store().await;
    let mut writer = writer(&db).await;
    // In the parts of a page that is read by several statements a row is either fresh or due, never both or neither.
    let id = db.insert(row("a")).await;
    let mover = tokio::spawn(async move {
        for n in 0..300 {
            let due = if n % 2 == 0 { "'2000-01-01'" } else { "NULL" };
            let update = format!("UPDATE outbox SET due_at = {due} WHERE id = {id}");
            writer.execute(AssertSqlSafe(update)).await.unwrap();
        }
    });
    let (mut fresh, mut due) = (0, 0);
    while !mover.is_finished() {
        for fetch in [all(), part(shards(&[0]))] {
            let page = store.fetch(&fetch).await.unwrap();
            assert_eq!(page.rows.len() + page.due.len(), 1);
            fresh += page.rows.len();
            due += page.due.len();
        }
    }
    mover.await.unwrap();
    assert!(fresh > 0 && due > 0);
}

/// MySQL knows dates that are none, and a session that is not strict may write them.
#[tokio::test]
async fn a_zero_date_is_due() {
    let db = MySql::new().await;
    let mut store = db.store().await;
    let mut foreign = writer(&db).await;
    foreign.execute("SET SESSION sql_mode = ''").await.unwrap();
    foreign
        .execute(
            "INSERT INTO outbox (topic, payload, due_at, created_at) VALUES
             ('t', '', '0000-00-00', '0000-00-00'), ('t', '', '0001-01-01', '2020-01-01'), ('t', '', '1960-01-01', '1960-01-01')",
        )
        .await
        .unwrap();
    let page = store.fetch(&all()).await.unwrap();
    assert_eq!(due_ids(&page), [1, 2, 3]);
    let mut after = all();
    after.due_after = page.due[0].due;
    let rest = store.fetch(&after).await.unwrap();
    assert_eq!(due_ids(&rest), [2, 3]);
    after.due_after = page.due[2].due;
    assert_eq!(due_ids(&store.fetch(&after).await.unwrap()), [] as [i64; 0]);
}

/// Trailing spaces and upper case make other keys, in tables that are joined too.
#[tokio::test]
async fn keys_are_compared_by_their_bytes() {
    let db = MySql::new().await;
    let mut store = db.store().await;
    let epoch = store.lease(&lease("a")).await.unwrap().shards[0].1;
    let ids = db.insert_all([row("k"), row("k "), row("K")]).await;
    db.run("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('t', 'k ', 0)")
        .await;
    let rows: Vec<_> = ids
        .iter()
        .map(|&id| ParkedRow {
            id,
            shard: Shard::from_stored(0),
            epoch,
        })
        .collect();
    assert_eq!(store.move_parked("a", &rows).await.unwrap(), set(&ids[1..2]));
    let mut without = all();
    without.exclude_keys = vec![("t".into(), "k".into())];
    assert_eq!(super::ids(&store.fetch(&without).await.unwrap()), [ids[2]]);
}

/// The session's own promise: nothing of it locks a gap, so inserts never wait, in any transaction of any isolation.
#[tokio::test]
async fn nothing_that_a_relay_holds_keeps_an_insert_waiting() {
    let db = MySql::new().await;
    let mut writer = writer(&db).await;
    let ids = db
        .insert_all((0..50).map(|n| New {
            due: (n % 2 == 0).then_some(-1000),
            hold: n % 2,
            ..row(&format!("k{n}"))
        }))
        .await;
    // As a relay that is stopped in the middle of a settlement leaves them: rows locked, deleted, moved and updated.
    let mut stopped = db.connect().await;
    for sql in include_str!("../../../transaction-scope/sql/mysql/begin_own.sql")
        .lines()
        .filter(|line| !line.starts_with("--"))
    {
        stopped.execute(sql).await.unwrap();
    }
    let list = serde_json::json!(ids[10..40]).to_string();
    for file in [
        include_str!("../../sql/mysql/relay_lock_rows.sql"),
        include_str!("../../sql/mysql/relay_move_parked.sql"),
    ] {
        let sql = file.replace("?1", &format!("'{list}'"));
        stopped.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    for id in &ids[10..20] {
        let delete = format!("DELETE FROM outbox WHERE id IN ({id})");
        stopped.execute(AssertSqlSafe(delete)).await.unwrap();
    }
    stopped
        .execute("UPDATE outbox SET due_at = UTC_TIMESTAMP(6), hold = 1 WHERE id IN (25, 30, 49)")
        .await
        .unwrap();
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        writer
            .execute(AssertSqlSafe(format!(
                "SET SESSION TRANSACTION ISOLATION LEVEL {isolation}"
            )))
            .await
            .unwrap();
        for due in ["NULL", "UTC_TIMESTAMP(6)", "'1970-01-01'", "'2100-01-01'"] {
            let insert = format!(
                "INSERT INTO outbox (topic, message_key, payload, due_at) VALUES ('t', 'k20', '', {due})"
            );
            writer
                .execute(AssertSqlSafe(insert))
                .await
                .unwrap_or_else(|error| panic!("an insert under {isolation}, due {due}, waited: {error}"));
        }
    }
    stopped.execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn a_database_without_tables_and_a_server_that_takes_no_writes_are_refused() {
    let db = MySql::empty().await;
    let mut store = db.unopened();
    let error = store.open().await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unusable { reason } if reason.contains("outbox-relay schema mysql"))
    );
}

/// The network is gone without a word: the relay gives its connection up, and opens another.
#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let db = MySql::new().await;
    let server = db.pool.connect_options().as_ref().clone();
    let proxy = crate::proxy::Proxy::start(server.get_host(), server.get_port()).await;
    let mut store = MySqlRelayStore::with_options(server.host("127.0.0.1").port(proxy.port()));
    store.open().await.unwrap();
    store.fetch(&all()).await.unwrap();
    proxy.silence();
    tokio::time::pause();
    for _ in 0..2 {
        let refused = store.fetch(&all()).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn debug_shows_no_password() {
    let options = MySqlConnectOptions::new().password("secret");
    let store = MySqlRelayStore::with_options(options);
    assert!(!format!("{store:?}").contains("secret"));
}

/// On a small table the servers would rather read all of it than look rows up, and a statement that locks what it reads
/// would wait there for whatever is not committed yet. So a relay beside one long transaction would stand still.
#[tokio::test]
async fn nothing_that_a_relay_does_waits_for_an_open_insert() {
    const AT_ONCE: Duration = Duration::from_secs(5);
    let db = MySql::new().await;
    let mut store = db.store().await;
    let grant = store.lease(&lease("a")).await.unwrap();
    let epoch = grant.shards[0].1;
    let mut writer = writer(&db).await;
    let mut open = db.connect().await;
    open.execute("BEGIN").await.unwrap();
    let mut insert = async |due: &str| {
        let insert =
            format!("INSERT INTO outbox (topic, message_key, payload, due_at) VALUES ('t', 'k', '', {due})");
        open.execute(AssertSqlSafe(insert)).await.unwrap();
    };
    // Open rows before, between and after those that are settled, fresh and due.
    insert("NULL").await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(db.insert(row("k")).await);
        insert("'2000-01-01'").await;
        insert("NULL").await;
    }
    let settle = async {
        assert_eq!(store.fetch(&all()).await.unwrap().rows.len(), ids.len());
        assert_eq!(
            store.fetch(&part(shards(&[0]))).await.unwrap().rows.len(),
            ids.len()
        );
        store.horizon().await.unwrap();
        let actions = [
            FailureAction::Retry(Duration::ZERO),
            FailureAction::Block,
            FailureAction::Bury,
            FailureAction::BuryInvalid,
            FailureAction::Park,
        ];
        for (&id, action) in ids.iter().zip(actions) {
            let settled = store.failed("a", &[failure(id, epoch, action)]).await.unwrap();
            assert_eq!(settled, set(&[id]));
        }
        let parked = ParkedRow {
            id: ids[5],
            shard: Shard::from_stored(0),
            epoch,
        };
        assert_eq!(store.move_parked("a", &[parked]).await.unwrap(), set(&ids[5..6]));
        store.delivered(&ids[6..8], false).await.unwrap();
        store.delivered(&ids[8..10], true).await.unwrap();
        store.holds("a", ShardSet::ALL, 10).await.unwrap();
        store
            .clear_rewinds("a", &[(Shard::from_stored(0), 1)])
            .await
            .unwrap();
        store.lease(&lease("a")).await.unwrap();
        // And what operators do.
        let dead: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT message_id FROM outbox_dead ORDER BY id")
            .fetch_all(&mut writer)
            .await
            .unwrap();
        let blocked: uuid::Uuid = sqlx::query_scalar("SELECT message_id FROM outbox WHERE hold = 2")
            .fetch_one(&mut writer)
            .await
            .unwrap();
        outbox_sqlx::dead::unblock(&db.pool, outbox_core::MessageId(blocked), "me")
            .await
            .unwrap();
        outbox_sqlx::dead::discard(&db.pool, outbox_core::MessageId(dead[0]), "why", "me")
            .await
            .unwrap();
        assert_eq!(
            outbox_sqlx::dead::redrive_key(&db.pool, "t", "k", "me")
                .await
                .unwrap(),
            3
        );
    };
    tokio::time::timeout(AT_ONCE, settle)
        .await
        .expect("something waited for a row that is not committed");
}
