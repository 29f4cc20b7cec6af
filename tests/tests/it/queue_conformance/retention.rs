//! Retention takes what is old and read, and nothing that anybody still needs.

use std::time::Duration;

use outbox_core::group::Start;
use outbox_tests::DeadFilter;

use super::support::*;

/// A queue that forgets at once what every group has read.
async fn forgetful(queue: &Queue) -> Queue {
    Queue::new(queue.kind, Duration::ZERO).await.unwrap()
}

/// Removes what may go, where that has to be said.
async fn purge(queue: &Queue) -> u64 {
    // By a clock of milliseconds nothing is older than the very same one.
    a_moment().await;
    queue.purge(Duration::ZERO).await.unwrap().0
}

on_every_queue! {
    async fn what_is_old_and_read_goes_and_what_is_unread_stays(queue: Queue) {
        let queue = forgetful(&queue).await;
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(4, 10)).await;
        let done = member.handle(12).await;
        member.close().await;
        let purged = purge(&queue).await;
        assert!(purged <= 12, "{purged} were removed, 12 were read");
        let mut member = queue.member().await;
        let rest = member.handle(28).await;
        assert_in_order(&[done, rest].concat(), 4, 10);
        queue.finished(GROUP).await;
        let again = purge(&queue).await;
        if queue.features().purges {
            assert_eq!(purged + again, 40);
        }
        // Nothing is left for a new group.
        let mut replay = queue.member_of("replay", Start::Beginning).await;
        replay.gets_nothing().await;
        assert_eq!(queue.group("replay").await.unwrap().unfinished, 0);
        queue.say("k", ["new"]).await;
        for member in [&mut member, &mut replay] {
            assert_eq!(texts(&member.handle(1).await), ["new"]);
        }
    }

    async fn what_a_group_that_is_behind_needs_stays(queue: Queue) {
        let queue = forgetful(&queue).await;
        queue.member_of("behind", Start::Beginning).await.close().await;
        let mut member = queue.member().await;
        queue.publish(&spread(3, 10)).await;
        assert_eq!(member.handle(30).await.len(), 30);
        queue.finished(GROUP).await;
        a_moment().await;
        let (purged, held_by) = queue.purge(Duration::ZERO).await.unwrap();
        assert_eq!(purged, 0);
        if queue.features().purges {
            assert_eq!(held_by, ["behind"]);
        }
        assert_in_order(&queue.member_of("behind", Start::Beginning).await.handle(30).await, 3, 10);
    }

    async fn what_is_young_stays_though_it_was_read(queue: Queue) {
        let mut member = queue.member().await;
        queue.publish(&spread(3, 10)).await;
        assert_eq!(member.handle(30).await.len(), 30);
        queue.finished(GROUP).await;
        assert_eq!(queue.purge(LONG).await.unwrap().0, 0);
        assert_in_order(&queue.member_of("replay", Start::Beginning).await.handle(30).await, 3, 10);
    }

    /// Only who keeps what is old is named.
    async fn nobody_is_named_who_keeps_nothing_old(queue: Queue) {
        queue.member().await.close().await;
        queue.publish(&spread(3, 10)).await;
        assert_eq!(queue.purge(LONG).await, Ok((0, Vec::new())));
    }

    async fn retries_and_dead_letters_outlive_their_place_in_the_log(queue: Queue) {
        let queue = forgetful(&queue).await;
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(4, 5)).await;
        // The second of k0 fails, the third of k1 is dead.
        let log = member
            .log(16, |seen| match (&*seen.key, &*seen.text) {
                ("k0", "1") => Say::Retry(Duration::from_secs(2)),
                ("k1", "2") => Say::Dead,
                _ => Say::Ack,
            })
            .await;
        let dead = log.iter().find(|(_, said)| *said == Say::Dead).unwrap().0.clone();
        if queue.features().purges {
            let mut purged = 0;
            eventually("the log is empty", async || {
                purged += purge(&queue).await;
                purged == 20
            })
            .await;
        }
        let rest = member.handle(4).await;
        assert_eq!(texts(&rest), ["1", "2", "3", "4"]);
        assert_eq!(rest[0].attempt, 2);
        let letters = queue.dead(GROUP, &DeadFilter::default(), 10).await.unwrap();
        assert_eq!((letters.len(), &**letters[0].message.payload()), (1, &b"2"[..]));
        assert_eq!(queue.redrive(GROUP, dead.id).await, Ok(1));
        assert_eq!(member.handle(1).await, [dead]);
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn a_group_that_goes_back_begins_with_what_is_left(queue: Queue) {
        if !queue.features().purges {
            return;
        }
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        queue.say("k", 0..5).await;
        assert_eq!(member.handle(5).await.len(), 5);
        queue.finished(GROUP).await;
        assert_eq!(purge(&queue).await, 5);
        queue.say("k", 5..8).await;
        assert_eq!(member.handle(3).await.len(), 3);
        queue.finished(GROUP).await;
        queue.seek(GROUP, TOPIC, Start::Beginning).await.unwrap();
        let seen = member.handle(3).await;
        assert_eq!(texts(&seen), ["5", "6", "7"]);
        assert_eq!(seen[0].offset, 5);
        let mut replay = queue.member_of("replay", Start::At(std::time::SystemTime::UNIX_EPOCH)).await;
        assert_eq!(texts(&replay.handle(3).await), ["5", "6", "7"]);
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn many_go_while_others_come(queue: Queue) {
        if !queue.features().purges {
            return;
        }
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        let (publisher, backend) = (queue.publisher(), queue.backend());
        let publishing = tokio::spawn(async move { publish_many(&*publisher, &spread(10, 300)).await });
        let stop = tokio_util::sync::CancellationToken::new();
        let stopped = stop.clone();
        let purging = tokio::spawn(async move {
            while !stopped.is_cancelled() {
                backend.purge(Duration::ZERO).await.unwrap();
            }
        });
        let soon = Duration::from_millis(1);
        let seen = member.work(3_000, |seen| if seen.attempt == 1 && seen.offset % 20 == 0 { Say::Retry(soon) } else { Say::Ack }).await;
        assert_in_order(&seen, 10, 300);
        publishing.await.unwrap();
        stop.cancel();
        purging.await.unwrap();
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }
}
