//! Deadlines that pass: messages are sent again, given up, and taken back when the word comes after all.

use std::time::Duration;

use outbox_core::confirmation::Confirmation;
use outbox_core::{Headers, PublishError};
use outbox_sqlx::Outbox;
use outbox_sqlx::confirmations::{Confirmations, Recorded};
use outbox_tests::{Open, RecordingSink, on_pool};

use super::support::{DEAD, WAITING, asking, by, expire, groups_of, pending, record, standing, sweep};
use crate::support::{Kind, SOON, World, start};

/// A text, or nothing.
async fn text(world: &World, sql: &'static str) -> Option<String> {
    on_pool!(&world.backend, pool => sqlx::query_scalar(sql).fetch_optional(pool).await.unwrap())
}

/// Waits until a transaction in this database waits for another one's lock.
async fn somebody_waits_for_a_lock(world: &World) {
    /// MariaDB takes a new picture only when nobody has looked at the last one for a tenth of a second.
    const NEW_PICTURE: Duration = Duration::from_millis(120);
    let waiting = match world.kind() {
        Kind::MySql => {
            let version = text(world, "SELECT VERSION()").await.unwrap();
            if version.contains("MariaDB") {
                "SELECT COUNT(*) FROM information_schema.innodb_trx t
                   JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
                  WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
            } else {
                "SELECT COUNT(*) FROM performance_schema.data_locks
                  WHERE lock_status = 'WAITING' AND object_schema = DATABASE()"
            }
        }
        Kind::Postgres | Kind::Sqlite => {
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        }
    };
    let begun = std::time::Instant::now();
    while world.backend.count(waiting).await.unwrap() == 0 {
        assert!(begun.elapsed() < SOON, "nobody waits");
        // Locks tell nobody when they are waited for.
        tokio::time::sleep(NEW_PICTURE).await;
    }
}

/// A statement in an open transaction.
async fn within(open: &mut Open, sql: &'static str) {
    match open {
        Open::Postgres(tx) => drop(sqlx::query(sql).execute(&mut **tx).await.unwrap()),
        Open::MySql(tx) => drop(sqlx::query(sql).execute(&mut **tx).await.unwrap()),
        Open::Sqlite(tx) => drop(sqlx::query(sql).execute(&mut **tx).await.unwrap()),
    }
}

on_each! {
    async fn a_silent_group_is_asked_again_and_then_named(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (id, asks) = asking("k", "1", by(&["a", "b", "silent"]).resends(1));
        world.publish(&outbox, [asks]).await;
        world.wait_empty(SOON).await;
        record(&world, id, "a").await;
        record(&world, id, "b").await;
        assert_eq!(sweep(&world).await, Default::default(), "its deadline has not passed");
        let since = pending(&world).await[0].since;

        expire(&world).await;
        let swept = sweep(&world).await;
        assert_eq!((swept.confirmed, swept.resent, swept.unconfirmed), (0, 1, 0));
        sink.wait_for(2, SOON).await;
        world.wait_empty(SOON).await;
        world.wait_count(WAITING, 1, SOON).await;
        let taken = sink.taken();
        assert_eq!((taken[0].0.id(), taken[1].0.id()), (id, id), "the same message");
        assert_eq!(taken[1].0.headers().get(Headers::CONFIRM_RESENT), Some("1"));
        let listed = &pending(&world).await[0];
        assert_eq!((listed.resends, &*listed.missing), (1, &["silent".to_owned()][..]));
        assert_eq!(listed.since, since, "since when it was first delivered");
        assert!(listed.deadline > since, "a deadline anew");

        expire(&world).await;
        let swept = sweep(&world).await;
        assert_eq!((swept.confirmed, swept.resent, swept.unconfirmed), (0, 0, 1));
        assert_eq!(world.backend.count(WAITING).await.unwrap(), 0);
        let unconfirmed = "SELECT last_error FROM outbox_dead WHERE reason = 'unconfirmed'";
        assert_eq!(
            text(&world, unconfirmed).await.as_deref(),
            Some("sent 2 times, and confirmed by 2 of the 3 groups needed; missing: silent")
        );
        assert_eq!(groups_of(&standing(&world, id).await), ["a", "b"], "those are kept");
        assert!(relay.stop().await.is_clean());
        assert_eq!(sink.taken().len(), 2, "and not sent again");

        // After all. What it had from the others still counts.
        assert_eq!(record(&world, id, "silent").await, Recorded::Unburied);
        assert_eq!(world.backend.count(DEAD).await.unwrap(), 0, "nothing is buried that was handled");
    }

    async fn a_redriven_message_waits_again(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (id, asks) = asking("k", "1", by(&["a"]).resends(0));
        world.publish(&outbox, [asks]).await;
        world.wait_empty(SOON).await;
        expire(&world).await;
        assert_eq!(sweep(&world).await.unconfirmed, 1);
        world.backend.redrive(id).await.unwrap();
        sink.wait_for(2, SOON).await;
        world.wait_empty(SOON).await;
        assert_eq!(pending(&world).await[0].id, id);
        assert_eq!(record(&world, id, "a").await, Recorded::Confirmed);
        relay.stop().await;
    }

    async fn a_message_that_is_sent_again_and_refused_is_dead_as_usual(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        sink.answer(|message| match message.headers().get(Headers::CONFIRM_RESENT) {
            Some(_) => Err(PublishError::invalid("too old")),
            None => Ok(()),
        });
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (id, asks) = asking("k", "1", by(&["a", "b"]));
        world.publish(&outbox, [asks]).await;
        world.wait_empty(SOON).await;
        expire(&world).await;
        assert_eq!(sweep(&world).await.resent, 1);
        world.wait_count(DEAD, 1, SOON).await;
        relay.stop().await;
        assert_eq!(text(&world, "SELECT last_error FROM outbox_dead").await.as_deref(), Some("too old"));
        assert_eq!(world.backend.count(WAITING).await.unwrap(), 0);
        record(&world, id, "a").await;
        assert_eq!(record(&world, id, "b").await, Recorded::Noted);
        assert_eq!(world.backend.count(DEAD).await.unwrap(), 1, "another reason, which a confirmation does not change");
    }

    /// Whoever recorded it died before it looked for the message.
    async fn what_was_confirmed_is_found_at_the_deadline(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (_, asks) = asking("k", "1", by(&["a"]).resends(0));
        world.publish(&outbox, [asks]).await;
        world.wait_empty(SOON).await;
        relay.stop().await;
        let confirm = "INSERT INTO outbox_confirmation (message_id, group_name) SELECT message_id, 'a' FROM outbox_awaiting";
        world.backend.execute(confirm).await.unwrap();
        expire(&world).await;
        let swept = sweep(&world).await;
        assert_eq!((swept.confirmed, swept.resent, swept.unconfirmed), (1, 0, 0));
        assert_eq!((world.backend.count(WAITING).await.unwrap(), world.backend.count(DEAD).await.unwrap()), (0, 0));
    }

    async fn two_sweeps_at_once_send_each_message_again_once(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let messages: Vec<_> = (0..130).map(|n| asking(&format!("k{n}"), "1", by(&["a"])).1).collect();
        let mut open = Open::begin(&world.backend, &outbox).await.unwrap();
        open.publish_all(&outbox, messages).await.unwrap();
        open.commit().await.unwrap();
        sink.wait_for(130, SOON).await;
        world.wait_empty(SOON).await;
        world.wait_count(WAITING, 130, SOON).await;
        relay.stop().await;
        expire(&world).await;
        let all = async || {
            let mut resent = 0;
            loop {
                let swept = sweep(&world).await;
                resent += swept.resent;
                if !swept.more {
                    return resent;
                }
            }
        };
        let (one, other) = tokio::join!(all(), all());
        assert_eq!(one + other, 130);
        assert_eq!(world.backend.pending().await.unwrap(), 130);
        assert_eq!(world.backend.count(WAITING).await.unwrap(), 0);
    }
}

on_servers! {
    /// A sweep has found the deadline passed, and waits for the message's lock while the confirmation comes.
    async fn a_confirmation_that_comes_while_a_sweep_waits_counts(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (id, asks) = asking("k", "1", by(&["a"]).resends(0));
        world.publish(&outbox, [asks]).await;
        world.wait_empty(SOON).await;
        relay.stop().await;
        expire(&world).await;
        let mut open = Open::begin(&world.backend, &outbox).await.unwrap();
        within(&mut open, "SELECT id FROM outbox_awaiting FOR UPDATE").await;
        let pool = world.backend.clone();
        let sweeping = tokio::spawn(async move {
            on_pool!(pool, pool => Confirmations::new(pool).sweep().await.unwrap())
        });
        somebody_waits_for_a_lock(&world).await;
        let confirm = "INSERT INTO outbox_confirmation (message_id, group_name) SELECT message_id, 'a' FROM outbox_awaiting";
        world.backend.execute(confirm).await.unwrap();
        open.commit().await.unwrap();
        let swept = sweeping.await.unwrap();
        assert_eq!((swept.confirmed, swept.resent, swept.unconfirmed), (1, 0, 0));
        assert_eq!(world.backend.count(DEAD).await.unwrap(), 0, "{id} was handled");
    }
    /// The other way round: the sweep has the lock, and gives the message up.
    async fn a_confirmation_that_waits_for_a_sweep_finds_what_it_buried(kind: Kind) {
        let Some(world) = World::new(kind).await else { return };
        let (outbox, sink) = (Outbox::new(), RecordingSink::new());
        let relay = start(&world, &outbox, sink.clone(), |_| {});
        let (id, asks) = asking("k", "1", by(&["a"]).resends(0));
        world.publish(&outbox, [asks]).await;
        world.wait_empty(SOON).await;
        relay.stop().await;
        let mut open = Open::begin(&world.backend, &outbox).await.unwrap();
        within(&mut open, "SELECT id FROM outbox_awaiting FOR UPDATE").await;
        let backend = world.backend.clone();
        let recording = tokio::spawn(async move {
            let confirmation = Confirmation::new(id, "a").unwrap();
            on_pool!(backend, pool => Confirmations::new(pool).record(&confirmation).await.unwrap())
        });
        somebody_waits_for_a_lock(&world).await;
        let bury = "INSERT INTO outbox_dead (id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, reason)
                    SELECT id, message_id, shard, topic, message_key, payload, headers, created_at, attempts, 'unconfirmed' FROM outbox_awaiting";
        within(&mut open, bury).await;
        within(&mut open, "DELETE FROM outbox_awaiting").await;
        open.commit().await.unwrap();
        assert_eq!(recording.await.unwrap(), Recorded::Unburied);
        assert_eq!(world.backend.count(DEAD).await.unwrap(), 0);
    }
}
