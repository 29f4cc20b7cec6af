//! What is particular to MySQL and MariaDB: transactions that the server gives up, waiting, isolation, the procedures,
//! migrations that commit by themselves.

use std::time::Duration;

use outbox_core::{Message, MessageId, Shard};
use outbox_sqlx::{Dialect, Outbox, OutboxError, check_schema, dead, migrate, schema_sql};
use sqlx::{AssertSqlSafe, Connection, Executor, MySqlConnection, MySqlPool};
use uuid::Uuid;

use crate::begin::poll_times;
use crate::databases::{distant_mysql_pool, empty_mysql, mysql, mysql_pool};

fn good() -> outbox_core::MessageBuilder {
    Message::builder("t").key("k")
}

async fn count(pool: &MySqlPool, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(pool)
        .await
        .unwrap()
}

/// A connection outside of the pool, which sees only what was committed.
pub(crate) async fn outsider(pool: &MySqlPool) -> MySqlConnection {
    MySqlConnection::connect_with(&pool.connect_options())
        .await
        .unwrap()
}

/// Waits until a session of this database waits for a lock.
pub(crate) async fn wait_until_waiting(pool: &MySqlPool) {
    /// MariaDB takes a new picture only when nobody has looked at the last one for a tenth of a second.
    const NEW_PICTURE: Duration = Duration::from_millis(120);
    // MySQL has a table of locks; MariaDB has one of transactions, which MySQL can't read where a statement holds bytes.
    let version: String = sqlx::query_scalar("SELECT VERSION()")
        .fetch_one(pool)
        .await
        .unwrap();
    let waiting = if version.contains("MariaDB") {
        "SELECT COUNT(*) FROM information_schema.innodb_trx t
           JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
          WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
    } else {
        "SELECT COUNT(*) FROM performance_schema.data_locks WHERE lock_status = 'WAITING' AND object_schema = DATABASE()"
    };
    for _ in 0..200 {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(pool).await.unwrap();
        if waiting > 0 {
            return;
        }
        tokio::time::sleep(NEW_PICTURE).await;
    }
    panic!("nobody waits for a lock");
}

/// Two rows that two transactions lock in opposite order; the first of them to ask again is the victim or goes on.
/// Returns what each one's last statement said.
async fn deadlock(
    first: &mut MySqlConnection,
    second: &mut MySqlConnection,
    pool: &MySqlPool,
) -> [sqlx::Result<()>; 2] {
    first
        .execute("UPDATE pair SET n = n + 1 WHERE id = 1")
        .await
        .unwrap();
    // The heavier one survives.
    second
        .execute("UPDATE pair SET n = n + 1 WHERE id > 1")
        .await
        .unwrap();
    let one = async {
        first
            .execute("UPDATE pair SET n = n + 1 WHERE id = 2")
            .await
            .map(drop)
    };
    let two = async {
        wait_until_waiting(pool).await;
        second
            .execute("UPDATE pair SET n = n + 1 WHERE id = 1")
            .await
            .map(drop)
    };
    let (one, two) = tokio::join!(one, two);
    [one, two]
}

async fn pair(pool: &MySqlPool) {
    pool.execute("CREATE TABLE pair (id INT PRIMARY KEY, n INT NOT NULL)")
        .await
        .unwrap();
    pool.execute("INSERT INTO pair VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0)")
        .await
        .unwrap();
}

/// The server rolls the whole transaction back, the driver doesn't notice, and what is written then would commit on its
/// own: a message of a transaction that never was.
#[tokio::test]
async fn after_a_swallowed_deadlock_nothing_can_be_published_or_committed() {
    let Some(pool) = mysql().await else { return };
    pair(&pool).await;
    let outbox = Outbox::new();
    for publish_after in [true, false] {
        let mut other = outsider(&pool).await;
        other.execute("BEGIN").await.unwrap();
        let answer = outbox
            .transaction(&pool, async |tx| {
                outbox.publish(tx, good()).await?;
                let [ours, theirs] = deadlock(tx, &mut other, &pool).await;
                theirs.unwrap();
                let error = ours.unwrap_err();
                assert!(outbox_sqlx::is_retryable(&error), "{error}");
                if publish_after {
                    let refused = outbox.publish(tx, good()).await;
                    assert!(
                        matches!(refused, Err(OutboxError::TransactionAborted)),
                        "{refused:?}"
                    );
                }
                Ok::<_, OutboxError>(())
            })
            .await;
        assert!(
            matches!(answer, Err(OutboxError::TransactionAborted)),
            "{answer:?}"
        );
        other.execute("ROLLBACK").await.unwrap();
        assert_eq!(count(&pool, "outbox").await, 0);
    }
    // And through sqlx's own transaction, which a service may prefer.
    let mut other = outsider(&pool).await;
    other.execute("BEGIN").await.unwrap();
    let mut tx = outbox.begin(&pool).await.unwrap();
    let [ours, _] = deadlock(&mut tx, &mut other, &pool).await;
    ours.unwrap_err();
    for _ in 0..2 {
        let refused = outbox
            .publish_all(&mut tx, [good(), good(), good(), good(), good()])
            .await;
        assert!(
            matches!(refused, Err(OutboxError::TransactionAborted)),
            "{refused:?}"
        );
    }
    tx.commit().await.unwrap();
    assert_eq!(
        count(&pool, "outbox").await,
        0,
        "sqlx commits nothing and says Ok"
    );
}

/// A publish that itself is the victim says so in words that help.
#[tokio::test]
async fn a_publish_that_meets_a_deadlock_says_so() {
    let Some(pool) = mysql().await else { return };
    pair(&pool).await;
    let outbox = Outbox::new();
    let mut tx = outbox.begin(&pool).await.unwrap();
    tx.execute("UPDATE pair SET n = n + 1 WHERE id = 1")
        .await
        .unwrap();
    let mut other = outsider(&pool).await;
    other.execute("BEGIN").await.unwrap();
    other
        .execute("UPDATE pair SET n = n + 1 WHERE id > 1")
        .await
        .unwrap();
    other
        .execute("SELECT slot FROM outbox_key_slot FOR UPDATE")
        .await
        .unwrap();
    let (published, gone_on) = tokio::join!(outbox.publish_ordered(&mut tx, good()), async {
        wait_until_waiting(&pool).await;
        other.execute("UPDATE pair SET n = n + 1 WHERE id = 1").await
    });
    gone_on.unwrap();
    let error = published.unwrap_err();
    assert!(matches!(error, OutboxError::Deadlock { .. }), "{error:?}");
    assert!(error.is_retryable());
    assert!(
        error
            .to_string()
            .contains("begin it again from its first statement"),
        "{error}"
    );
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("1213"), "{source}");
}

#[tokio::test]
async fn a_publish_that_waits_too_long_says_so() {
    let Some(pool) = mysql().await else { return };
    let outbox = Outbox::new();
    let mut other = outsider(&pool).await;
    other.execute("BEGIN").await.unwrap();
    other
        .execute("SELECT slot FROM outbox_key_slot FOR UPDATE")
        .await
        .unwrap();
    let mut tx = outbox.begin(&pool).await.unwrap();
    tx.execute("SET SESSION innodb_lock_wait_timeout = 1")
        .await
        .unwrap();
    let error = outbox.publish_ordered(&mut tx, good()).await.unwrap_err();
    assert!(matches!(error, OutboxError::LockTimeout { .. }), "{error:?}");
    assert!(error.is_retryable());
    assert!(
        error.to_string().contains("roll this transaction back"),
        "{error}"
    );
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("1205"), "{source}");
    // The transaction is still open, as the text says; a plain publish goes through.
    outbox.publish(&mut tx, good()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&pool, "outbox").await, 1);
}

/// DDL commits what came before it. The scope can't undo that, but it doesn't call it a success either.
#[tokio::test]
async fn ddl_inside_of_a_transaction_is_told() {
    let Some(pool) = mysql().await else { return };
    let outbox = Outbox::new();
    let answer = outbox
        .transaction(&pool, async |tx| {
            tx.execute("CREATE TABLE business (n INT)").await.unwrap();
            outbox.publish(tx, good()).await
        })
        .await;
    assert!(
        matches!(answer, Err(OutboxError::TransactionAborted)),
        "{answer:?}"
    );
    assert_eq!(count(&pool, "outbox").await, 0);
}

/// Applications choose their isolation. Everything that publishes works in each, and sees nothing it should not.
#[tokio::test(flavor = "multi_thread")]
async fn publishing_works_in_any_isolation() {
    let Some(pool) = mysql_pool(20).await else { return };
    let outbox = Outbox::new();
    for isolation in [
        "READ UNCOMMITTED",
        "READ COMMITTED",
        "REPEATABLE READ",
        "SERIALIZABLE",
    ] {
        pool.execute("DELETE FROM outbox").await.unwrap();
        // A writer that has an old snapshot and locks of its own, and others that go on beside it.
        let mut old = outsider(&pool).await;
        let begin = format!("SET SESSION TRANSACTION ISOLATION LEVEL {isolation}");
        old.execute(AssertSqlSafe(begin.clone())).await.unwrap();
        let mut old = old.begin().await.unwrap();
        let _: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM outbox_schema")
            .fetch_one(&mut *old)
            .await
            .unwrap();
        outbox.publish(&mut old, good()).await.unwrap();
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (outbox, pool, begin) = (outbox.clone(), pool.clone(), begin.clone());
                tokio::spawn(async move {
                    let mut connection = outsider(&pool).await;
                    connection.execute(AssertSqlSafe(begin)).await.unwrap();
                    for n in 0..20 {
                        let key = format!("w{writer}");
                        let mut tx = connection.begin().await.unwrap();
                        outbox
                            .publish(&mut tx, Message::builder("t").key(key.as_str()))
                            .await?;
                        outbox
                            .publish_ordered(
                                &mut tx,
                                Message::builder("t")
                                    .key("shared")
                                    .payload(n.to_string(), "text/plain"),
                            )
                            .await?;
                        outbox
                            .publish_all(
                                &mut tx,
                                (0..3).map(|_| Message::builder("t").delay(Duration::from_secs(60))),
                            )
                            .await?;
                        tx.commit().await.unwrap();
                    }
                    Ok::<_, OutboxError>(())
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        outbox.publish_ordered(&mut old, good()).await.unwrap();
        old.commit().await.unwrap();
        assert_eq!(count(&pool, "outbox").await, 2 + 8 * 20 * 5, "{isolation}");
    }
}

/// Why there is an ordered publish, and what it waits for.
#[tokio::test]
async fn an_ordered_publish_waits_for_the_one_before() {
    let Some(pool) = mysql().await else { return };
    let outbox = Outbox::new();
    let mut first = outbox.begin(&pool).await.unwrap();
    let a = outbox.publish_ordered(&mut first, good()).await.unwrap();
    let second = tokio::spawn({
        let (outbox, pool) = (outbox.clone(), pool.clone());
        async move {
            let mut second = outbox.begin(&pool).await.unwrap();
            let b = outbox.publish_ordered(&mut second, good()).await.unwrap();
            second.commit().await.unwrap();
            b
        }
    });
    // Others do not wait: a key of another slot, a message without a key, a plain publish of the same key.
    let mut other = outbox.begin(&pool).await.unwrap();
    outbox
        .publish_ordered(&mut other, Message::builder("t").key("l"))
        .await
        .unwrap();
    outbox
        .publish_ordered(&mut other, Message::builder("t"))
        .await
        .unwrap();
    outbox.publish(&mut other, good()).await.unwrap();
    other.rollback().await.unwrap();
    wait_until_waiting(&pool).await;
    assert!(!second.is_finished());
    first.commit().await.unwrap();
    let b = second.await.unwrap();
    let order: Vec<Uuid> = sqlx::query_scalar("SELECT message_id FROM outbox ORDER BY id")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(order, [a.0, b.0]);
}

/// The slots of a batch are locked in one order, whatever that of its keys is.
#[tokio::test(flavor = "multi_thread")]
async fn ordered_batches_of_the_same_keys_do_not_deadlock() {
    let Some(pool) = mysql().await else { return };
    let outbox = Outbox::new();
    let writers: Vec<_> = (0..8)
        .map(|writer: usize| {
            let (outbox, pool) = (outbox.clone(), pool.clone());
            tokio::spawn(async move {
                for round in 0..20 {
                    let mut keys: Vec<usize> = (0..12).collect();
                    keys.rotate_left((writer * 5 + round) % 12);
                    if writer.is_multiple_of(2) {
                        keys.reverse();
                    }
                    outbox
                        .transaction(&pool, async |tx| {
                            let messages = keys.iter().map(|key| Message::builder("t").key(key.to_string()));
                            outbox.publish_all_ordered(tx, messages).await
                        })
                        .await?;
                }
                Ok::<_, OutboxError>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(count(&pool, "outbox").await, 8 * 20 * 12);
}

/// As many keys as there may be in a batch take at most as many locks as there are slots.
#[tokio::test]
async fn an_ordered_batch_may_have_any_number_of_keys() {
    let Some(pool) = mysql().await else { return };
    let outbox = Outbox::new();
    let mut tx = outbox.begin(&pool).await.unwrap();
    outbox
        .publish_all_ordered(
            &mut tx,
            (0..3000).map(|n| Message::builder("t").key(n.to_string())),
        )
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&pool, "outbox").await, 3000);
}

/// Statements of a few lengths serve every batch: the application's own stay prepared.
#[tokio::test]
async fn batches_of_every_length_leave_the_statement_cache_alone() {
    let Some(pool) = mysql_pool(1).await else { return };
    let outbox = Outbox::new();
    let mut tx = outbox.begin(&pool).await.unwrap();
    for length in 1..=200 {
        outbox
            .publish_all(&mut tx, (0..length).map(|_| good()))
            .await
            .unwrap();
    }
    let cached = tx.cached_statements_size();
    assert!(cached <= 16, "{cached} statements are cached");
    tx.rollback().await.unwrap();
}

/// Why pools are made with `mysql::pool_options`: sqlx alone loses a connection, and its place in the pool.
#[tokio::test]
async fn a_statement_that_is_dropped_half_way_does_not_cost_the_pool_its_connection() {
    async fn lost(pool: MySqlPool, polls: u32) -> bool {
        let work = async {
            let mut tx = pool.begin().await?;
            sqlx::query("INSERT INTO business VALUES (?, ?, ?)")
                .bind(1)
                .bind(2)
                .bind(3)
                .execute(&mut *tx)
                .await?;
            tx.commit().await
        };
        poll_times(Box::pin(work).as_mut(), polls).await;
        let next = sqlx::query_scalar::<_, i64>("SELECT 7").fetch_one(&pool);
        !matches!(
            tokio::time::timeout(Duration::from_secs(15), next).await,
            Ok(Ok(7))
        )
    }
    let mut without = 0;
    for polls in 1..10 {
        let Some(ours) = distant_mysql_pool(1).await else {
            return;
        };
        ours.execute("CREATE TABLE business (a INT, b INT, c INT)")
            .await
            .unwrap();
        // As sqlx makes it, without the question.
        let theirs = sqlx::mysql::MySqlPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(2))
            .connect_with(ours.connect_options().as_ref().clone())
            .await
            .unwrap();
        assert!(!lost(ours, polls).await, "dropped after {polls} polls");
        without += u32::from(lost(theirs, polls).await);
    }
    assert!(
        without > 0,
        "sqlx is fixed: a dropped statement no longer costs the pool its connection, so src/mysql/pool.rs can go"
    );
}

#[tokio::test]
async fn ours_begin_does_not_poison_the_pool_when_dropped() {
    let outbox = Outbox::new();
    for (dropped, polls) in (1..50).enumerate() {
        let Some(pool) = distant_mysql_pool(1).await else {
            return;
        };
        pool.execute("CREATE TABLE witness (n INT)").await.unwrap();
        let finished = poll_times(Box::pin(outbox.begin(&pool)).as_mut(), polls).await;
        pool.execute("INSERT INTO witness VALUES (1)").await.unwrap();
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM witness")
            .fetch_one(&mut outsider(&pool).await)
            .await
            .unwrap();
        assert_eq!(rows, 1, "begin dropped after {polls} polls");
        if finished {
            assert!(dropped >= 2, "no begin was dropped after it was sent");
            return;
        }
    }
    panic!("begin never finishes");
}

#[tokio::test]
async fn a_scope_dropped_at_any_poll_is_whole_or_not_there() {
    let Some(pool) = distant_mysql_pool(1).await else {
        return;
    };
    pool.execute("CREATE TABLE business (n INT)").await.unwrap();
    let outbox = Outbox::new();
    let mut outside = outsider(&pool).await;
    for polls in 1..300 {
        let key = polls.to_string();
        let scope = outbox.transaction(&pool, async |tx| {
            sqlx::query("INSERT INTO business VALUES (?)")
                .bind(polls)
                .execute(&mut **tx)
                .await
                .unwrap();
            outbox
                .publish_ordered(tx, Message::builder("t").key(key.as_str()))
                .await?;
            outbox
                .publish_all(tx, (0..5).map(|_| Message::builder("t").key(key.as_str())))
                .await?;
            Ok::<_, OutboxError>(())
        });
        let finished = poll_times(Box::pin(scope).as_mut(), polls).await;
        // The next statement through the pool is committed by itself.
        let witness = sqlx::query("INSERT INTO business VALUES (0)").execute(&pool);
        tokio::time::timeout(Duration::from_secs(10), witness)
            .await
            .unwrap()
            .unwrap();
        let (business, messages, witness): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM business WHERE n = ?), (SELECT COUNT(*) FROM outbox WHERE message_key = ?), \
                    (SELECT COUNT(*) FROM business WHERE n = 0)",
        )
        .bind(polls)
        .bind(&key)
        .fetch_one(&mut outside)
        .await
        .unwrap();
        assert_eq!(
            witness,
            i64::from(polls),
            "dropped after {polls} polls: the pool is in a transaction"
        );
        assert_eq!(messages, business * 6, "dropped after {polls} polls: torn");
        if finished {
            assert_eq!(business, 1);
            // Six statements at least, each of which has to be waited for.
            assert!(polls > 6, "only {polls} polls were tried");
            return;
        }
    }
    panic!("the scope never finishes");
}

#[tokio::test]
async fn a_redrive_dropped_at_any_poll_is_whole_or_not_done() {
    let Some(pool) = distant_mysql_pool(1).await else {
        return;
    };
    let mut outside = outsider(&pool).await;
    for polls in 1..300 {
        for table in ["outbox", "outbox_dead", "outbox_parked"] {
            pool.execute(AssertSqlSafe(format!("DELETE FROM {table}")))
                .await
                .unwrap();
        }
        let letters = [(1, "t", Some("k"), "skipped"), (2, "t", Some("k"), "skipped")];
        crate::dead::bury(&pool, &letters).await;
        let finished = poll_times(Box::pin(dead::redrive_key(&pool, "t", "k", "me")).as_mut(), polls).await;
        pool.execute("INSERT INTO outbox_parked (topic, message_key, shard) VALUES ('w', 'w', 0)")
            .await
            .unwrap();
        let (dead, back, witness): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM outbox_dead), (SELECT COUNT(*) FROM outbox), (SELECT COUNT(*) FROM outbox_parked)",
        )
        .fetch_one(&mut outside)
        .await
        .unwrap();
        assert_eq!(
            witness, 1,
            "dropped after {polls} polls: the pool is in a transaction"
        );
        assert!(
            dead + back == 2 && dead != 1,
            "dropped after {polls} polls: {dead} dead, {back} back"
        );
        if finished {
            assert_eq!(back, 2);
            return;
        }
    }
    panic!("the redrive never finishes");
}

/// A relay that is just burying holds the shard in share mode; a redrive waits for it, and so finds all letters.
#[tokio::test]
async fn a_redrive_waits_for_the_shards_settlements() {
    let Some(pool) = mysql().await else { return };
    crate::dead::bury(&pool, &[(1, "a", Some("k"), "parked")]).await;
    let mut relay = outsider(&pool).await;
    relay.execute("BEGIN").await.unwrap();
    relay
        .execute("SELECT shard FROM outbox_shard LOCK IN SHARE MODE")
        .await
        .unwrap();
    let redrive = tokio::spawn({
        let pool = pool.clone();
        async move { dead::redrive_key(&pool, "a", "k", "me").await }
    });
    wait_until_waiting(&pool).await;
    assert!(!redrive.is_finished());
    relay
        .execute(
            "INSERT INTO outbox_dead (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason)
             SELECT 2, message_id, shard, topic, message_key, payload, headers, created_at, attempts, last_error, reason FROM outbox_dead",
        )
        .await
        .unwrap();
    relay.execute("COMMIT").await.unwrap();
    assert_eq!(redrive.await.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn one_process_purges_at_a_time() {
    use outbox_sqlx::maintenance::{Retention, purge};
    let Some(pool) = mysql().await else { return };
    crate::dead::bury(&pool, &[(1, "a", None, "skipped")]).await;
    let mut other = outsider(&pool).await;
    other
        .execute("SELECT GET_LOCK(CONCAT('outbox maintenance ', LEFT(SHA2(DATABASE(), 256), 32)), 0)")
        .await
        .unwrap();
    let retention = Retention::DEFAULT.dead(Duration::ZERO);
    let purged = purge(&pool, &retention, |_| {}).await.unwrap();
    assert!(purged.elsewhere && purged.total() == 0);
    other.execute("SELECT RELEASE_ALL_LOCKS()").await.unwrap();
    // Dropped half-way, it gives the lock back by closing its connection.
    for polls in 1..6 {
        let mut dropped = Box::pin(purge(&pool, &Retention::DEFAULT, |_| {}));
        poll_times(dropped.as_mut(), polls).await;
    }
    let purged = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let purged = purge(&pool, &retention, |_| {}).await.unwrap();
            if !purged.elsewhere {
                return purged;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(purged.await.unwrap().dead, 1);
}

#[tokio::test]
async fn a_missing_table_says_what_to_do() {
    let Some(pool) = empty_mysql(2).await else { return };
    let error = check_schema(&pool).await.unwrap_err();
    assert!(
        matches!(error, OutboxError::SchemaMissing { table: "outbox" }),
        "{error:?}"
    );
    let outbox = Outbox::new();
    let mut tx = outbox.begin(&pool).await.unwrap();
    for refused in [
        outbox.publish(&mut tx, good()).await,
        outbox.publish_ordered(&mut tx, good()).await,
    ] {
        let error = refused.unwrap_err();
        assert!(
            matches!(error, OutboxError::SchemaMissing { table: "outbox" }),
            "{error:?}"
        );
        assert!(error.to_string().contains("run the migrations"));
    }
}

#[tokio::test]
async fn another_tool_may_have_migrated() {
    let Some(pool) = empty_mysql(2).await else { return };
    pool.execute(schema_sql(Dialect::MySql)).await.unwrap();
    check_schema(&pool).await.unwrap();
    migrate(&pool).await.unwrap();
    migrate(&pool).await.unwrap();
    check_schema(&pool).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_migrate_at_once() {
    let Some(pool) = empty_mysql(8).await else { return };
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
    assert_eq!(count(&pool, "outbox_key_slot").await, 1024);
}

/// DDL commits by itself: what a killed process left half done is completed, whether the migrator noted it or not.
#[tokio::test]
async fn an_interrupted_migration_is_completed() {
    let Some(pool) = empty_mysql(2).await else { return };
    // A table of somebody else's in the way of the last steps.
    pool.execute("CREATE TABLE outbox_schema (n INT)").await.unwrap();
    let error = migrate(&pool).await.unwrap_err();
    assert!(
        matches!(
            error,
            OutboxError::Migration { .. } | OutboxError::Database { .. }
        ),
        "{error:?}"
    );
    pool.execute("DROP TABLE outbox_schema").await.unwrap();
    migrate(&pool).await.unwrap();
    check_schema(&pool).await.unwrap();

    let Some(pool) = empty_mysql(2).await else { return };
    migrate(&pool).await.unwrap();
    Outbox::new()
        .transaction(&pool, async |tx| Outbox::new().publish(tx, good()).await)
        .await
        .unwrap();
    // As a kill in the middle of the first one leaves it.
    pool.execute("UPDATE _outbox_migrations SET success = FALSE WHERE version = 1")
        .await
        .unwrap();
    pool.execute("DELETE FROM _outbox_migrations WHERE version > 1")
        .await
        .unwrap();
    pool.execute("DELETE FROM outbox_schema").await.unwrap();
    pool.execute("DROP PROCEDURE outbox_publish").await.unwrap();
    pool.execute("DROP TABLE outbox_relay").await.unwrap();
    migrate(&pool).await.unwrap();
    check_schema(&pool).await.unwrap();
    assert_eq!(count(&pool, "outbox").await, 1, "messages are not touched");
    let procedures: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = DATABASE() AND routine_name LIKE 'outbox%'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(procedures, 2);
}

#[tokio::test]
async fn an_older_schema_gets_what_is_new() {
    let Some(pool) = empty_mysql(2).await else { return };
    pool.execute(include_str!("../../migrations/mysql/0001_outbox.sql"))
        .await
        .unwrap();
    pool.execute("INSERT INTO outbox (topic, payload) VALUES ('t', '')")
        .await
        .unwrap();
    let error = check_schema(&pool).await.unwrap_err();
    assert!(error.to_string().contains("missing: 0002_queue"), "{error}");
    migrate(&pool).await.unwrap();
    check_schema(&pool).await.unwrap();
    assert_eq!(count(&pool, "outbox").await, 1);
}

/// The hot table's law is what it lacks.
#[tokio::test]
async fn the_hot_table_has_no_more_than_it_needs() {
    let Some(pool) = mysql().await else { return };
    for (sql, expected) in [
        (
            "SELECT COUNT(*) FROM information_schema.table_constraints WHERE table_schema = DATABASE() AND table_name = 'outbox' AND constraint_type = 'CHECK'",
            0,
        ),
        (
            "SELECT COUNT(*) FROM information_schema.triggers WHERE event_object_schema = DATABASE() AND event_object_table = 'outbox'",
            0,
        ),
        (
            "SELECT COUNT(DISTINCT index_name) FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'outbox'",
            2,
        ),
        (
            "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'outbox' AND extra LIKE '% GENERATED'",
            0,
        ),
    ] {
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
        assert_eq!(found, expected, "{sql}");
    }
}

#[tokio::test]
async fn what_a_commit_is_worth_is_told() {
    let Some(pool) = mysql().await else { return };
    let durability = outbox_sqlx::mysql::check_durability(&pool).await.unwrap();
    assert_eq!(durability.flush_log_at_commit, 1);
    assert!(durability.is_safe(), "{durability}");
}

/// A plain INSERT of a session in another character set: what it means is stored, not its bytes.
#[tokio::test]
async fn a_plain_insert_works_in_any_character_set() {
    let Some(pool) = mysql().await else { return };
    let mut latin = outsider(&pool).await;
    latin.execute("SET NAMES latin1").await.unwrap();
    latin
        .execute("INSERT INTO outbox (topic, message_key, payload) VALUES ('t', _latin1 x'e9', '{\"a\":1}')")
        .await
        .unwrap();
    let row: (Uuid, i16, String, Vec<u8>, String, bool) = sqlx::query_as(
        "SELECT message_id, shard, message_key, payload, headers, created_at <= UTC_TIMESTAMP(6) FROM outbox",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(!row.0.is_nil());
    assert_eq!((row.1, row.2.as_str(), &row.3[..]), (0, "é", &br#"{"a":1}"#[..]));
    assert_eq!((row.4.as_str(), row.5), ("{}", true));
}

/// A database whose server has MD5(): newer ones of MySQL have it in a component.
async fn with_md5() -> Option<MySqlPool> {
    let pool = mysql().await?;
    if pool.execute("SELECT MD5('')").await.is_err() {
        // Another test may have done it meanwhile.
        let _ = pool
            .execute("INSTALL COMPONENT 'file://component_classic_hashing'")
            .await;
        pool.execute("SELECT MD5('')").await.unwrap();
    }
    Some(pool)
}

#[tokio::test]
async fn outbox_publish_writes_what_the_library_would() {
    let Some(pool) = with_md5().await else { return };
    let id = MessageId(Uuid::parse_str("0193b1f0-0000-7000-8000-000000000001").unwrap());
    for call in [
        r#"CALL outbox_publish('t', 'k', '{"a":1}', NULL, NULL, NULL)"#,
        "CALL outbox_publish('t', 'k', x'00ff', NULL, 60, NULL)",
        r#"CALL outbox_publish('t', NULL, '{"a": 1}', '{"tenant": "eu", "n": 1}', NULL, x'0193b1f0000070008000000000000001')"#,
        "CALL outbox_publish('t', 'é', '', '{}', NULL, NULL)",
        "CALL outbox_publish('t', 'k ', '', NULL, 0.5, NULL)",
    ] {
        pool.execute(call).await.unwrap();
    }
    type Stored = (Uuid, i16, Option<String>, Vec<u8>, String, Option<i64>);
    let rows: Vec<Stored> = sqlx::query_as(
        "SELECT message_id, shard, message_key, payload, headers, TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), due_at) FROM outbox ORDER BY id",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let payloads: Vec<&[u8]> = rows.iter().map(|row| &row.3[..]).collect();
    assert_eq!(
        payloads,
        [&br#"{"a":1}"#[..], &[0, 255], br#"{"a": 1}"#, b"", b""]
    );
    for row in &rows {
        let shard = Shard::of("t", row.2.as_deref(), MessageId(row.0));
        assert_eq!(row.1, i16::from(shard.number()), "{row:?}");
    }
    assert_eq!(rows[2].0, id.0);
    assert_eq!(rows[2].4, r#"{"tenant": "eu", "n": 1}"#);
    let due: Vec<Option<i64>> = rows.iter().map(|row| row.5).collect();
    assert!(
        matches!(due[..], [None, Some(55..=60), None, None, Some(-1..=0)]),
        "{due:?}"
    );
}

#[tokio::test]
async fn outbox_publish_refuses_by_name() {
    let Some(pool) = with_md5().await else { return };
    let many: Vec<String> = (0..65).map(|n| format!(r#""h{n}":1"#)).collect();
    let many = format!("'t', 'k', '', '{{{}}}', NULL, NULL", many.join(","));
    for (arguments, text) in [
        ("'', 'k', '', NULL, NULL, NULL", "the topic is empty"),
        ("NULL, 'k', '', NULL, NULL, NULL", "the topic is empty"),
        ("'a b', 'k', '', NULL, NULL, NULL", "'a b' may hold only"),
        ("'a\\n', 'k', '', NULL, NULL, NULL", "may hold only"),
        (
            "REPEAT('x', 256), 'k', '', NULL, NULL, NULL",
            "the topic has 256 bytes",
        ),
        ("'t', '', '', NULL, NULL, NULL", "the ordering key is empty"),
        (
            "'t', REPEAT('ü', 128), '', NULL, NULL, NULL",
            "the ordering key has 256 bytes",
        ),
        ("'t', 'a\\nb', '', NULL, NULL, NULL", "control character"),
        ("'t', 'a\u{85}b', '', NULL, NULL, NULL", "control character"),
        ("'t', 'k', NULL, NULL, NULL, NULL", "the payload is NULL"),
        (
            "'t', 'k', REPEAT('x', 1048577), NULL, NULL, NULL",
            "1048577 bytes, at most 1048576",
        ),
        ("'t', 'k', '', '[]', NULL, NULL", "not a JSON object"),
        ("'t', 'k', '', 'x', NULL, NULL", "not a JSON object"),
        (r#"'t', 'k', '', '{"a":{}}', NULL, NULL"#, "header 'a' is invalid"),
        (
            r#"'t', 'k', '', '{"a b":1}', NULL, NULL"#,
            "header 'a b' is invalid",
        ),
        (r#"'t', 'k', '', '{"a\\"b":1}', NULL, NULL"#, "is invalid"),
        (
            r#"'t', 'k', '', '{"a":"x\\ny"}', NULL, NULL"#,
            "header 'a' is invalid",
        ),
        (&many, "more than 64"),
        (
            "'t', 'k', '', JSON_OBJECT('a', REPEAT('x', 16384)), NULL, NULL",
            "more than 16384 bytes",
        ),
        ("'t', 'k', '', NULL, -1, NULL", "is negative"),
    ] {
        let error = pool
            .execute(AssertSqlSafe(format!("CALL outbox_publish({arguments})")))
            .await
            .expect_err(arguments)
            .to_string();
        assert!(error.contains(text), "{arguments}: {error}");
    }
    assert_eq!(count(&pool, "outbox").await, 0);
}

/// Programs that lock by the procedure and programs that lock by the library wait for each other.
#[tokio::test]
async fn the_procedure_and_the_library_lock_the_same_key() {
    let Some(pool) = with_md5().await else { return };
    let outbox = Outbox::new();
    for key in ["k", "é", "order-7", "k "] {
        let mut foreign = outsider(&pool).await;
        foreign.execute("BEGIN").await.unwrap();
        foreign
            .execute(AssertSqlSafe(format!("CALL outbox_lock_key('t', '{key}')")))
            .await
            .unwrap();
        let ours = tokio::spawn({
            let (outbox, pool) = (outbox.clone(), pool.clone());
            async move {
                outbox
                    .transaction(&pool, async |tx| {
                        outbox.publish_ordered(tx, Message::builder("t").key(key)).await
                    })
                    .await
            }
        });
        wait_until_waiting(&pool).await;
        assert!(!ours.is_finished());
        foreign.execute("COMMIT").await.unwrap();
        ours.await.unwrap().unwrap();
    }
}
