//! Postgres: its databases for the suite, and what only it can be asked.

use super::*;
use outbox_core::Wake;
use outbox_sqlx::{PostgresRelayStore, PostgresWakeListener};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tokio::net::TcpListener;

use crate::proxy::Proxy;

const URL: &str = "OUTBOX_TEST_POSTGRES_URL";

pub(super) struct Postgres {
    pool: PgPool,
}

impl Postgres {
    async fn empty() -> Self {
        let server: PgConnectOptions = std::env::var(URL)
            .unwrap_or_else(|_| panic!("{URL} is not set: run `cargo xtask test`"))
            .parse()
            .unwrap();
        let name = format!("outbox_store_{}", uuid::Uuid::now_v7().simple());
        let mut connection = server.connect().await.unwrap();
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await
            .unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(5)
            .connect_with(server.database(&name))
            .await
            .unwrap();
        Self { pool }
    }

    fn options(&self) -> PgConnectOptions {
        self.pool.connect_options().as_ref().clone()
    }

    async fn connect(&self) -> PgConnection {
        self.options().connect().await.unwrap()
    }
}

impl Database for Postgres {
    async fn new() -> Self {
        let database = Self::empty().await;
        sqlx::raw_sql(outbox_sqlx::schema_sql(outbox_sqlx::Dialect::Postgres))
            .execute(&database.pool)
            .await
            .unwrap();
        database
    }

    fn unopened(&self) -> Box<dyn RelayStore> {
        Box::new(PostgresRelayStore::new(&self.pool))
    }

    async fn insert(&self, row: New) -> i64 {
        let insert = format!(
            "INSERT INTO outbox (topic, message_key, shard, payload, headers, due_at, hold)
             VALUES ($1, $2, $3, $4, $5::json, {}, $6) RETURNING id",
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
        format!("(clock_timestamp() + {milliseconds} * interval '1 millisecond')")
    }
}

#[tokio::test]
async fn writers_are_those_who_may_still_make_a_row_visible() {
    let db = Postgres::new().await;
    let mut store = db.store().await;
    let mut other = db.store().await;
    let mut reader = db.connect().await;
    reader
        .execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM outbox")
        .await
        .unwrap();
    let mut elsewhere = db.connect().await;
    elsewhere
        .execute("CREATE TABLE business (id int); BEGIN; INSERT INTO business VALUES (1)")
        .await
        .unwrap();
    other.fetch(&all()).await.unwrap();
    assert!(store.writers().await.unwrap().is_empty());

    let insert = "INSERT INTO outbox (topic, payload) VALUES ('t', '')";
    let mut first = db.connect().await;
    first.execute("BEGIN").await.unwrap();
    first.execute(insert).await.unwrap();
    let one = store.writers().await.unwrap();
    assert_eq!(one.len(), 1);
    let mut second = db.connect().await;
    second.execute("BEGIN").await.unwrap();
    second.execute(insert).await.unwrap();
    assert_eq!(store.writers().await.unwrap().len(), 2);
    // A savepoint that rolled back may have written before.
    second.execute("COMMIT; BEGIN; SAVEPOINT s").await.unwrap();
    second.execute(insert).await.unwrap();
    second.execute("ROLLBACK TO s").await.unwrap();
    let both = store.writers().await.unwrap();
    assert!(both.is_superset(&one), "the first has not ended");
    first.execute("COMMIT; BEGIN").await.unwrap();
    first.execute(insert).await.unwrap();
    assert!(
        store.writers().await.unwrap().is_disjoint(&one),
        "a new transaction has a new name"
    );
    first.execute("ROLLBACK").await.unwrap();
    second.execute("ROLLBACK").await.unwrap();
    assert!(store.writers().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_prepared_transaction_is_a_writer() {
    let db = Postgres::new().await;
    if db.text("SHOW max_prepared_transactions").await == "0" {
        return; // The server can't have any.
    }
    let mut store = db.store().await;
    let name = uuid::Uuid::now_v7();
    let mut writer = db.connect().await;
    writer.execute("BEGIN").await.unwrap();
    writer
        .execute("INSERT INTO outbox (topic, payload) VALUES ('t', '')")
        .await
        .unwrap();
    let prepare = AssertSqlSafe(format!("PREPARE TRANSACTION '{name}'"));
    writer.execute(prepare).await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(store.writers().await.unwrap().len(), 1);
    db.run(&format!("COMMIT PREPARED '{name}'")).await;
    assert!(store.writers().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_horizon_counts_rows_that_nobody_sees() {
    let db = Postgres::new().await;
    let mut store = db.store().await;
    let mut writer = db.connect().await;
    writer.execute("BEGIN").await.unwrap();
    let id: i64 = sqlx::query_scalar("INSERT INTO outbox (topic, payload) VALUES ('t', '') RETURNING id")
        .fetch_one(&mut writer)
        .await
        .unwrap();
    assert_eq!(store.horizon().await.unwrap(), id);
    writer.execute("ROLLBACK").await.unwrap();
    assert_eq!(store.horizon().await.unwrap(), id);
}

#[tokio::test]
async fn a_pool_whose_only_connection_is_busy_keeps_no_relay_waiting() {
    let db = Postgres::new().await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(db.options())
        .await
        .unwrap();
    let busy = pool.acquire().await.unwrap();
    let id = db.insert(row("k")).await;
    let mut store = PostgresRelayStore::new(&pool);
    store.open().await.unwrap();
    assert_eq!(ids(&store.fetch(&all()).await.unwrap()), [id]);
    assert_eq!(
        db.text(
            "SELECT count(*)::text FROM pg_stat_activity \
                 WHERE application_name = 'outbox-relay' AND datname = current_database()"
        )
        .await,
        "1"
    );
    drop(busy);
}

#[tokio::test]
async fn a_missing_schema_is_refused_with_its_remedy() {
    let db = Postgres::empty().await;
    let refused = db.unopened().open().await;
    let Err(StoreError::Unusable { reason }) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        reason.contains("run the migrations") && reason.contains("search_path"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_role_without_the_rights_is_told_which() {
    let db = Postgres::new().await;
    let role = format!("outbox_role_{}", uuid::Uuid::now_v7().simple());
    db.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA public TO {role};
         GRANT SELECT ON outbox, outbox_schema TO {role}"
    ))
    .await;
    let mut store = PostgresRelayStore::with_options(db.options().username(&role));
    let refused = store.open().await;
    let Err(StoreError::Unusable { reason }) = refused else {
        panic!("{refused:?}")
    };
    assert!(reason.contains("SELECT on the sequence"), "{reason}");
    db.run(&format!("GRANT SELECT ON SEQUENCE outbox_id_seq TO {role}"))
        .await;
    store.open().await.unwrap();
    let refused = store.delivered(&[1], false).await;
    let Err(StoreError::Unusable { reason }) = refused else {
        panic!("{refused:?}")
    };
    assert!(reason.contains("grant the relay's role"), "{reason}");
    db.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_a_passing_trouble() {
    let db = Postgres::new().await;
    let options = db.options().options([("default_transaction_read_only", "on")]);
    let refused = PostgresRelayStore::with_options(options).open().await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn after_an_error_the_store_opens_again() {
    let db = Postgres::new().await;
    let mut store = db.unopened();
    let refused = store.fetch(&all()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "not open yet");
    store.open().await.unwrap();
    let epoch = store.lease(&lease("a")).await.unwrap().shards[0].1;
    let id = db.insert(row("k")).await;
    db.texts(
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
         WHERE application_name = 'outbox-relay' AND datname = current_database()",
    )
    .await;
    for _ in 0..2 {
        let refused = store.delivered(&[id], false).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    store.open().await.unwrap();
    let failures = [failure(id, epoch, FailureAction::Block)];
    assert_eq!(store.failed("a", &failures).await.unwrap(), set(&[id]));
}

#[tokio::test]
async fn a_redrive_that_unparks_a_key_is_waited_for() {
    let db = Postgres::new().await;
    let id = db.insert(row("k")).await;
    db.run("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('t', 'k', 0)")
        .await;
    let mut store = db.store().await;
    let epoch = store.lease(&lease("a")).await.unwrap().shards[0].1;
    let mut operator = db.connect().await;
    operator
        .execute("BEGIN; DELETE FROM outbox_parked")
        .await
        .unwrap();
    let rows = [ParkedRow {
        id,
        shard: Shard::from_stored(0),
        epoch,
    }];
    let moving = tokio::spawn(async move { store.move_parked("a", &rows).await });
    waits(&db).await;
    operator.execute("COMMIT").await.unwrap();
    assert!(
        moving.await.unwrap().unwrap().is_empty(),
        "the key is not parked any more"
    );
    assert_eq!(db.texts(ROWS).await.len(), 1);
}

#[tokio::test]
async fn a_takeover_waits_for_what_its_former_owner_writes_down() {
    let db = Postgres::new().await;
    let id = db.insert(row("k")).await;
    let mut former = db.store().await;
    let epoch = former.lease(&lease("a")).await.unwrap().shards[0].1;
    db.run(&format!(
        "UPDATE outbox_shard SET lease_until = {}",
        Postgres::time(-1)
    ))
    .await;
    db.run(&format!(
        "UPDATE outbox_relay SET seen_until = {}",
        Postgres::time(-1)
    ))
    .await;
    // The former owner holds its fence and waits for the row.
    let mut operator = db.connect().await;
    operator
        .execute("BEGIN; SELECT * FROM outbox FOR UPDATE")
        .await
        .unwrap();
    let failures = [failure(id, epoch, FailureAction::Block)];
    let failing = tokio::spawn(async move { former.failed("a", &failures).await });
    waits(&db).await;
    let mut owner = db.store().await;
    let gained = owner.lease(&lease("b")).await.unwrap().shards;
    assert_eq!(gained.len(), 63, "all but the one that is being written to");
    operator.execute("COMMIT").await.unwrap();
    assert_eq!(failing.await.unwrap().unwrap(), set(&[id]));
    assert_eq!(owner.lease(&lease("b")).await.unwrap().shards.len(), 64);
    assert_eq!(owner.holds("b", ShardSet::ALL, 9).await.unwrap().held.len(), 1);
}

/// Until a relay's statement waits for a lock.
async fn waits(db: &Postgres) {
    let waiting = "SELECT count(*)::text FROM pg_stat_activity WHERE application_name = 'outbox-relay' \
                   AND datname = current_database() AND wait_event_type = 'Lock'";
    for _ in 0..500 {
        if db.text(waiting).await != "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody waits");
}

#[tokio::test]
async fn what_may_not_be_lost_is_on_disk_when_it_returns() {
    let db = Postgres::new().await;
    let id = db.insert(row("k")).await;
    // A trigger sees what the transaction will commit with.
    db.run(
        "CREATE TABLE seen (what text, how text);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO seen VALUES (TG_TABLE_NAME || ' ' || TG_OP, current_setting('synchronous_commit'));
             RETURN NULL;
         END $$;
         CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON outbox EXECUTE FUNCTION note();
         CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON outbox_shard EXECUTE FUNCTION note();
         CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON outbox_dead EXECUTE FUNCTION note()",
    )
    .await;
    let mut store = db.store().await;
    let epoch = store.lease(&lease("a")).await.unwrap().shards[0].1;
    store
        .failed("a", &[failure(id, epoch, FailureAction::Block)])
        .await
        .unwrap();
    store
        .failed("a", &[failure(id, epoch, FailureAction::Park)])
        .await
        .unwrap();
    store.leave("a").await.unwrap();
    assert_eq!(db.texts("SELECT DISTINCT how FROM seen").await, ["on"]);
    db.run("DELETE FROM seen").await;
    store.delivered(&[id], false).await.unwrap();
    assert_eq!(
        db.texts("SELECT what || how FROM seen").await,
        ["outbox DELETEoff"]
    );
}

/// The statistics say that the table is empty; it holds 50,000 rows, and many of them are due.
#[tokio::test]
async fn plans_walk_an_index_whatever_the_statistics_say() {
    let db = Postgres::new().await;
    db.run(
        "ALTER TABLE outbox SET (autovacuum_enabled = off);
         ANALYZE outbox;
         INSERT INTO outbox (topic, message_key, shard, payload, due_at)
         SELECT 't', 'k' || n, n % 64, 'p', CASE WHEN n % 5 = 0 THEN now() - interval '1 minute' END
           FROM generate_series(1, 50000) n",
    )
    .await;
    let mut session = db.connect().await;
    settle_like_a_store(&db, &mut session).await;
    for statement in [
        "relay_fetch",
        "relay_fetch_part",
        "relay_delivered",
        "relay_delivered_range",
        "relay_archive",
        "relay_hold",
        "relay_bury",
        "relay_move_parked",
        "relay_holds",
    ] {
        let plan = plan(&mut session, statement).await;
        for line in plan.lines() {
            let small = ["outbox_parked", "outbox_shard"]
                .iter()
                .any(|table| line.contains(table));
            let bad = ["Seq Scan", "Sort", "Bitmap", "Hash Join", "Merge Join"]
                .iter()
                .any(|node| line.contains(node));
            assert!(!bad || small, "{statement}: {line}\n{plan}");
        }
        assert!(plan.contains("Index Scan using outbox_"), "{plan}");
    }
}

/// Gives `session` what the store sets on its own: a trigger, which runs in the store's session, tells.
async fn settle_like_a_store(db: &Postgres, session: &mut PgConnection) {
    db.run(
        "CREATE TABLE settled AS SELECT name, setting FROM pg_settings WHERE false;
         CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO settled SELECT name, setting FROM pg_settings WHERE source = 'session';
             RETURN NULL;
         END $$;
         CREATE TRIGGER tell AFTER DELETE ON outbox FOR EACH STATEMENT EXECUTE FUNCTION tell()",
    )
    .await;
    db.store().await.delivered(&[-1], false).await.unwrap();
    let settled: Vec<String> = sqlx::query_scalar("SELECT set_config(name, setting, false) FROM settled")
        .fetch_all(session)
        .await
        .unwrap();
    assert!(settled.len() > 10, "{settled:?}");
}

/// The server's plan for one of the store's statements, for any parameters.
async fn plan(session: &mut PgConnection, name: &str) -> String {
    let path = format!("{}/sql/postgres/{name}.sql", env!("CARGO_MANIFEST_DIR"));
    let statement = std::fs::read_to_string(path).unwrap();
    let prepare = format!("PREPARE {name} AS {statement}");
    session.execute(AssertSqlSafe(prepare)).await.unwrap();
    let parameters: i32 =
        sqlx::query_scalar("SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1")
            .bind(name)
            .fetch_one(&mut *session)
            .await
            .unwrap();
    let nulls = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
    let explain = format!("EXPLAIN EXECUTE {name} ({nulls})");
    let lines = session
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(explain)))
        .await
        .unwrap();
    let lines: Vec<&str> = lines.iter().map(|line| line.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    // Nobody answers here.
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = deaf.local_addr().unwrap().port();
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port);
    tokio::time::pause();
    let refused = PostgresRelayStore::with_options(options).open().await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    tokio::time::resume();

    // And here a server that was fine falls silent.
    let db = Postgres::new().await;
    let server = db.options();
    let proxy = Proxy::start(server.get_host(), server.get_port()).await;
    let mut store = PostgresRelayStore::with_options(server.host("127.0.0.1").port(proxy.port()));
    store.open().await.unwrap();
    store.fetch(&all()).await.unwrap();
    proxy.silence();
    tokio::time::pause();
    let refused = store.fetch(&all()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let refused = store.fetch(&all()).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "its connection is closed: {refused:?}"
    );
}

#[tokio::test]
async fn the_listener_arms_the_relay_and_survives_its_connection() {
    let db = Postgres::empty().await;
    let wake = Wake::new();
    let listener = PostgresWakeListener::new(&db.pool, wake.clone());
    // It arms when it has connected, because something may have been said before.
    wake.notified().await;
    disarmed(&wake).await;
    db.run("NOTIFY outbox").await;
    wake.notified().await;
    assert!(wake.is_armed());
    disarmed(&wake).await;
    db.texts(
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
         WHERE application_name = 'outbox-relay-listener' AND datname = current_database()",
    )
    .await;
    wake.notified().await;
    disarmed(&wake).await;
    db.run("NOTIFY outbox").await;
    wake.notified().await;

    drop(listener);
    let listeners = "SELECT count(*)::text FROM pg_stat_activity \
                     WHERE application_name = 'outbox-relay-listener' AND datname = current_database()";
    for _ in 0..500 {
        if db.text(listeners).await == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it still listens");
}

async fn disarmed(wake: &Wake) {
    while wake.is_armed() {
        tokio::time::sleep(Wake::ARMED / 10).await;
    }
}
