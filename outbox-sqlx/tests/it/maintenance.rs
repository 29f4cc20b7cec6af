use std::time::Duration;

use outbox_sqlx::maintenance::{Maintenance, Purged, Retention, purge};
use sqlx::Executor;

use crate::databases::on_each;
use crate::dead::bury;

macro_rules! count {
    ($pool:expr, $sql:expr) => {{
        let value: i64 = sqlx::query_scalar($sql).fetch_one(&$pool).await.unwrap();
        value
    }};
}

const ARCHIVE: &str = "INSERT INTO outbox_archive (id, message_id, shard, topic, payload, headers, created_at, attempts) \
    SELECT id, message_id, shard, topic, payload, headers, created_at, attempts FROM outbox_dead";

/// What is kept for no time goes when it is older than now, and the clock of SQLite counts milliseconds.
async fn grow_older() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

on_each! {
    async fn what_is_old_goes_in_small_steps_and_the_rest_stays(pool) {
        let letters: Vec<_> = (1..=25).map(|n| (n, "a", Some("k"), "skipped")).collect();
        bury(&pool, &letters).await;
        pool.execute(ARCHIVE).await.unwrap();
        let kept = purge_next(&pool, &Retention::DEFAULT, |_| {}).await;
        assert_eq!(kept.total(), 0);

        let retention = Retention::DEFAULT.archive(Duration::ZERO).batch(10);
        grow_older().await;
        let mut steps = Vec::new();
        let purged = purge_next(&pool, &retention, |so_far: &Purged| steps.push(so_far.total())).await;
        assert_eq!((purged.archive, purged.dead, purged.discarded, purged.elsewhere), (25, 0, 0, false));
        assert_eq!(steps, [10, 20, 25]);
        assert_eq!(count!(pool, "SELECT count(*) FROM outbox_archive"), 0);

        // Dead letters leave a note, and the notes go last.
        let retention = Retention::DEFAULT.dead(Duration::ZERO).batch(10);
        let purged = purge_next(&pool, &retention, |_| {}).await;
        assert_eq!((purged.dead, purged.discarded), (25, 0));
        assert_eq!(count!(pool, "SELECT count(*) FROM outbox_discarded WHERE discarded_by = 'retention'"), 25);
        assert_eq!(count!(pool, "SELECT count(*) FROM outbox_audit WHERE done_by = 'retention' AND action = 'discarded' AND source = 'outbox'"), 25);
        assert_eq!(count!(pool, "SELECT count(*) FROM outbox_dead"), 0);
        grow_older().await;
        let purged = purge_next(&pool, &Retention::DEFAULT.discarded(Duration::ZERO), |_| {}).await;
        assert_eq!(purged.discarded, 25);
        let purged = purge_next(&pool, &Retention::DEFAULT.archive(Duration::MAX).dead(Duration::MAX), |_| {}).await;
        assert_eq!(purged.total(), 0);
    }
}

#[tokio::test]
async fn one_process_at_a_time_on_postgres() {
    let Some(pool) = crate::databases::postgres().await else {
        return;
    };
    bury(&pool, &[(1, "a", None, "skipped")]).await;
    let mut other = crate::databases::outsider(&pool).await;
    other
        .execute("SELECT pg_advisory_lock(hashtextextended('outbox maintenance', 7227467266))")
        .await
        .unwrap();
    let retention = Retention::DEFAULT.dead(Duration::ZERO);
    grow_older().await;
    let purged = purge(&pool, &retention, |_| {}).await.unwrap();
    assert!(purged.elsewhere && purged.total() == 0);
    other.execute("SELECT pg_advisory_unlock_all()").await.unwrap();
    // Dropped half-way, it gives the lock back by closing its connection.
    for polls in 1..6 {
        let mut dropped = Box::pin(purge(&pool, &Retention::DEFAULT, |_| {}));
        crate::begin::poll_times(dropped.as_mut(), polls).await;
    }
    tokio::time::timeout(Duration::from_secs(10), async {
        while purge(&pool, &retention, |_| {}).await.unwrap().elsewhere {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[cfg(feature = "maintenance")]
mod job {
    use tokio_cron_scheduler::JobScheduler;

    use super::*;

    #[tokio::test]
    async fn runs_on_its_schedule_and_is_waited_for() {
        let (_folder, pool) = crate::databases::sqlite_file().await;
        bury(&pool, &[(1, "a", None, "skipped")]).await;
        let maintenance = Maintenance::new(pool.clone(), Retention::DEFAULT.dead(Duration::ZERO));
        let mut scheduler = JobScheduler::new().await.unwrap();
        scheduler
            .add(maintenance.job("* * * * * *").unwrap())
            .await
            .unwrap();
        assert!(maintenance.job("every tuesday").is_err());
        scheduler.start().await.unwrap();
        tokio::time::timeout(Duration::from_secs(20), async {
            while count!(pool, "SELECT count(*) FROM outbox_dead") > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .unwrap();
        scheduler.shutdown().await.unwrap();
        maintenance.shutdown().await;
        // Nothing runs and nothing starts any more.
        bury(&pool, &[(2, "a", None, "skipped")]).await;
        maintenance.start();
        maintenance.shutdown().await;
        assert_eq!(count!(pool, "SELECT count(*) FROM outbox_dead"), 1);
    }

    /// A slow run and an impatient scheduler: with a pool of one connection that is taken, the run waits.
    #[tokio::test]
    async fn never_overlaps_with_itself() {
        let pool = crate::databases::sqlite().await;
        bury(&pool, &[(1, "a", None, "skipped")]).await;
        let held = pool.acquire().await.unwrap();
        let maintenance = Maintenance::new(pool.clone(), Retention::DEFAULT.dead(Duration::ZERO));
        for _ in 0..5 {
            maintenance.start();
            tokio::task::yield_now().await;
        }
        assert_eq!(maintenance.running(), 1);
        grow_older().await;
        drop(held);
        tokio::time::timeout(Duration::from_secs(10), async {
            while maintenance.running() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        assert_eq!(count!(pool, "SELECT count(*) FROM outbox_dead"), 0);
        // And the next one starts.
        bury(&pool, &[(2, "a", None, "skipped")]).await;
        maintenance.start();
        assert_eq!(maintenance.running(), 1);
        maintenance.shutdown().await;
        assert_eq!(maintenance.running(), 0);
    }
}

on_each! {
    async fn the_durable_queue_is_maintained_with_the_outbox(pool) {
        use outbox_core::{Message, Publisher as _, Subscriber as _};
        let queue = outbox_sqlx::queue::SqlQueue::new(pool.clone());
        let mut subscriber = queue.subscribe("group", ["read", "unread"]).await.unwrap();
        let message = |topic: &str| Message::builder(topic.to_owned()).build().unwrap();
        for answer in queue.publisher().publish(&[message("read")]).await {
            answer.unwrap();
        }
        for delivery in subscriber.receive(1).await.unwrap() {
            delivery.ack().await.unwrap();
        }
        subscriber.close().await.unwrap();
        for answer in queue.publisher().publish(&[message("unread")]).await {
            answer.unwrap();
        }
        let retention = Retention::DEFAULT.queue(Duration::ZERO);
        let maintenance = Maintenance::with_queue(pool.clone(), queue, retention);
        maintenance.start();
        while maintenance.running() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let left: Vec<i64> = sqlx::query_scalar("SELECT next_offset FROM outbox_queue WHERE next_offset > first_offset")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(left, [1], "only what the group has read is gone");
        assert_eq!(count!(pool, "SELECT count(*) FROM outbox_queue_message"), 1);
    }
}

on_each! {
    async fn a_topic_that_a_group_gave_up_is_not_kept_for_it(pool) {
        use outbox_core::{Message, Publisher as _};
        let queue = outbox_sqlx::queue::SqlQueue::new(pool.clone());
        let mut subscriber = queue.subscribe("group", ["a", "b"]).await.unwrap();
        let messages = ["a", "b"].map(|topic| Message::builder(topic).build().unwrap());
        for answer in queue.publisher().publish(&messages).await {
            answer.unwrap();
        }
        outbox_core::Subscriber::close(&mut subscriber).await.unwrap();
        let purged = queue.purge(Duration::ZERO, |_| {}).await.unwrap();
        assert_eq!((purged.messages, purged.held_by), (0, vec![("group".to_owned(), 2)]));
        assert!(queue.unsubscribe("group", "a").await.unwrap());
        assert!(!queue.unsubscribe("group", "a").await.unwrap());
        assert_eq!(queue.group("group").await.unwrap().unread, 1);
        let purged = queue.purge(Duration::ZERO, |_| {}).await.unwrap();
        assert_eq!((purged.messages, purged.held_by), (1, vec![("group".to_owned(), 1)]));
    }
}

/// A purge after another one. That one's session ends with its connection, which is closed in the background, and until then
/// it is "elsewhere".
async fn purge_next<DB: outbox_sqlx::OutboxDatabase>(
    pool: &sqlx::Pool<DB>,
    retention: &Retention,
    mut progress: impl FnMut(&Purged) + Send,
) -> Purged {
    let next = async {
        loop {
            let purged = purge(pool, retention, &mut progress).await.unwrap();
            if !purged.elsewhere {
                return purged;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), next).await.unwrap()
}

on_each! {
    /// A group's dead letters leave a line in the audit, and the audit goes last.
    async fn dead_letters_of_groups_and_the_audit_do_not_grow_for_ever(pool) {
        use outbox_core::{Message, Publisher as _, Subscriber as _};
        let queue = outbox_sqlx::queue::SqlQueue::new(pool.clone());
        let mut member = queue.subscribe("group", ["a"]).await.unwrap();
        let messages: Vec<Message> = (0..25).map(|n| Message::builder("a").key(format!("k{n}")).build().unwrap()).collect();
        for answer in queue.publisher().publish(&messages).await {
            answer.unwrap();
        }
        let mut dead = 0;
        while dead < messages.len() {
            for delivery in member.receive(100).await.unwrap() {
                delivery.dead("no").await.unwrap();
                dead += 1;
            }
        }
        member.close().await.unwrap();
        grow_older().await;
        assert_eq!(purge_next(&pool, &Retention::DEFAULT, |_| {}).await.total(), 0);
        let retention = Retention::DEFAULT.group_dead(Duration::ZERO).batch(10);
        let mut steps = Vec::new();
        let purged = purge_next(&pool, &retention, |so_far: &Purged| steps.push(so_far.group_dead)).await;
        assert_eq!((purged.group_dead, purged.audit, steps), (25, 0, vec![10, 20, 25]));
        assert_eq!(count!(pool, "SELECT count(*) FROM outbox_group_dead"), 0);
        let noted = "SELECT count(DISTINCT message_id) FROM outbox_audit \
            WHERE done_by = 'retention' AND action = 'discarded' AND source = 'group:group' AND topic = 'a' AND last_error = 'no'";
        assert_eq!(count!(pool, noted), 25);
        grow_older().await;
        let purged = purge_next(&pool, &Retention::DEFAULT.audit(Duration::ZERO).batch(10), |_| {}).await;
        assert_eq!((purged.audit, purged.total()), (25, 25));
        assert_eq!(purge_next(&pool, &Retention::DEFAULT.audit(Duration::MAX).group_dead(Duration::MAX), |_| {}).await.total(), 0);
    }
}
