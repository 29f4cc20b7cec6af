//! Not found is not rolled back: while the local transaction runs nothing is decided, and after a negative answer a late
//! commit fails.

use std::sync::Arc;
use std::time::Duration;

use outbox_core::half::{CheckAnswer, Checker, LocalRefused, TombstoneChecker};
use outbox_core::{Message, MessageId};
use outbox_sqlx::queue::{LocalRecordError, SqlLocalRecord};
use outbox_sqlx::{Outbox, OutboxError};
use outbox_tests::{Open, on_pool};

use crate::support::{Kind, World};

/// As short as the servers can wait: MySQL counts whole seconds.
const PATIENCE: Duration = Duration::from_millis(100);

fn half_message() -> Message {
    Message::builder("orders.placed").build().unwrap()
}

async fn begin(world: &World) -> Open {
    Open::begin(&world.backend, &Outbox::default()).await.unwrap()
}

async fn ask(checker: &Arc<dyn Checker>, message: &Message) -> CheckAnswer {
    checker.check(message).await.unwrap()
}

async fn refused(world: &World, id: MessageId) -> LocalRefused {
    let mut late = begin(world).await;
    match late.record(&world.backend, id).await {
        Err(LocalRecordError::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

on_servers! {
    async fn local_work_that_still_runs_is_not_rolled_back_and_counts_once_it_commits(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let checker = world.backend.tombstone_checker(PATIENCE);
        let message = half_message();
        let mut work = begin(&world).await;
        work.record(&world.backend, message.id()).await.unwrap();
        assert_eq!(ask(&checker, &message).await, CheckAnswer::Unknown);
        work.commit().await.unwrap();
        assert_eq!(ask(&checker, &message).await, CheckAnswer::Committed);
        assert_eq!(ask(&checker, &message).await, CheckAnswer::Committed);
        assert_eq!(refused(&world, message.id()).await, LocalRefused::RecordedBefore { id: message.id() });
    }

    async fn a_check_that_waits_for_local_work_answers_with_what_it_came_to(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        for commits in [true, false] {
            let message = half_message();
            let mut work = begin(&world).await;
            work.record(&world.backend, message.id()).await.unwrap();
            let checker = world.backend.tombstone_checker(crate::support::SOON);
            let asked = message.clone();
            let asking = tokio::spawn(async move { checker.check(&asked).await.unwrap() });
            let waiting = world.backend.ask(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
                "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'INSERT INTO outbox_half_local%'",
            );
            world.wait_count(waiting, 1, crate::support::SOON).await;
            let expected = if commits {
                work.commit().await.unwrap();
                CheckAnswer::Committed
            } else {
                drop(work);
                CheckAnswer::RolledBack
            };
            assert_eq!(asking.await.unwrap(), expected);
        }
    }
}

on_each! {
    async fn after_a_negative_answer_a_late_local_commit_fails(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let checker = world.backend.tombstone_checker(PATIENCE);
        let message = half_message();
        assert_eq!(ask(&checker, &message).await, CheckAnswer::RolledBack);
        assert_eq!(refused(&world, message.id()).await, LocalRefused::RolledBack { id: message.id() });
        assert_eq!(ask(&checker, &message).await, CheckAnswer::RolledBack);
    }

    async fn local_work_records_itself_in_a_transaction_or_not_at_all(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let id = MessageId::new();
        let refused = on_pool!(&world.backend, pool => {
            let record = SqlLocalRecord::new(pool.clone());
            let mut connection = pool.acquire().await.unwrap();
            record.record(&mut connection, id).await.unwrap_err()
        });
        assert!(matches!(refused, LocalRecordError::Database(OutboxError::NotInTransaction)), "{refused}");
    }

    async fn records_are_forgotten_when_they_are_old(kind: Kind) {
        let Some(world) = World::new(kind).await else {
            return;
        };
        let message = half_message();
        let mut work = begin(&world).await;
        work.record(&world.backend, message.id()).await.unwrap();
        work.commit().await.unwrap();
        let forget = async |age| {
            on_pool!(&world.backend, pool => {
                SqlLocalRecord::new(pool.clone()).forget_older_than(age).await.unwrap()
            })
        };
        assert_eq!(forget(Duration::from_secs(3_600)).await, 0);
        crate::queue_conformance::support::eventually("it is old", async || forget(Duration::ZERO).await == 1).await;
        assert_eq!(world.backend.count("SELECT count(*) FROM outbox_half_local").await.unwrap(), 0);
    }
}

/// SQLite's one write lock is what a check waits for, as long as its pool is told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_check_does_not_decide_while_local_work_runs() {
    let world = World::new(Kind::Sqlite).await.unwrap();
    let options = outbox_sqlx::sqlite::connect_options(&world.url).unwrap();
    let pool = sqlx::SqlitePool::connect_with(options.busy_timeout(PATIENCE))
        .await
        .unwrap();
    let checker: Arc<dyn Checker> = Arc::new(TombstoneChecker::new(SqlLocalRecord::new(pool)));
    let message = half_message();
    let mut work = begin(&world).await;
    work.record(&world.backend, message.id()).await.unwrap();
    assert_eq!(ask(&checker, &message).await, CheckAnswer::Unknown);
    work.commit().await.unwrap();
    assert_eq!(ask(&checker, &message).await, CheckAnswer::Committed);
}
