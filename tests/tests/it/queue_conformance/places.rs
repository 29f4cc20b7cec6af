//! Where a group begins, and where it is moved to.

use std::time::{Duration, SystemTime};

use outbox_core::group::Start;
use outbox_tests::Refused;

use super::support::*;

/// Acknowledges what comes until each of these came and the group has nothing to do.
async fn handle_all(queue: &Queue, member: &mut Member, expect: &[&str]) {
    let mut missing: Vec<&str> = expect.to_vec();
    while !missing.is_empty() {
        for delivery in member.next(100).await {
            let seen = Seen::of(&delivery);
            let _ = delivery.ack().await;
            missing.retain(|text| *text != seen.text);
        }
    }
    // What was handed out under the old place may have been acknowledged for nothing: then it comes again.
    while queue.group(GROUP).await.unwrap().unfinished > 0 {
        for delivery in member
            .any_within(Duration::from_millis(50))
            .await
            .unwrap_or_default()
        {
            let _ = delivery.ack().await;
        }
    }
}

on_every_queue! {
    async fn a_new_group_begins_at_the_beginning_now_or_at_a_time(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        queue.publish(&spread(4, 2)).await;
        let moment = a_moment().await;
        queue.say("late", 0..3).await;
        let mut now = queue.member_of("now", Start::Now).await;
        let mut at = queue.member_of("at", Start::At(moment)).await;
        let mut early = queue.member_of("early", Start::At(SystemTime::UNIX_EPOCH)).await;
        let mut future = queue.member_of("future", Start::At(SystemTime::now() + LONG)).await;
        let mut beginning = queue.member_of("beginning", Start::Beginning).await;
        queue.say("new", ["new"]).await;
        for (member, expected) in [(&mut now, 1), (&mut at, 4), (&mut early, 12), (&mut future, 1), (&mut beginning, 12)] {
            let seen = member.handle(expected).await;
            assert!(seen.iter().any(|seen| seen.text == "new"));
            assert!(expected != 4 || seen.iter().all(|seen| seen.key != "k0"));
            member.gets_nothing().await;
        }
    }

    async fn a_known_group_goes_on_where_it_is(queue: Queue) {
        queue.say("k", 0..4).await;
        let mut member = queue.member().await;
        assert_eq!(member.handle(2).await.len(), 2);
        member.close().await;
        let mut again = queue.member_of(GROUP, Start::Now).await;
        assert_eq!(texts(&again.handle(2).await), ["2", "3"]);
    }

    async fn a_new_group_replays_what_others_have_read(queue: Queue) {
        let mut first = queue.member().await;
        queue.publish(&spread(5, 10)).await;
        let seen = first.handle(50).await;
        queue.finished(GROUP).await;
        let mut second = queue.member_of("replay", Start::Beginning).await;
        let again = second.handle(50).await;
        assert_in_order(&again, 5, 10);
        for seen in &seen {
            assert!(again.contains(seen), "{seen:?}");
        }
        first.gets_nothing().await;
    }

    async fn a_group_that_seeks_the_beginning_gets_everything_again(queue: Queue) {
        queue.declare(TOPIC, 2).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(4, 5)).await;
        assert_eq!(member.handle(20).await.len(), 20);
        queue.finished(GROUP).await;
        queue.seek(GROUP, TOPIC, Start::Beginning).await.unwrap();
        let again = member.handle(20).await;
        assert_in_order(&again, 4, 5);
        assert!(again.iter().all(|seen| seen.attempt == 1));
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn a_group_that_seeks_a_time_gets_what_is_later(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("k", 0..5).await;
        let moment = a_moment().await;
        queue.say("k", 5..9).await;
        assert_eq!(member.handle(9).await.len(), 9);
        queue.finished(GROUP).await;
        queue.seek(GROUP, TOPIC, Start::At(moment)).await.unwrap();
        assert_eq!(texts(&member.handle(4).await), ["5", "6", "7", "8"]);
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    async fn a_group_that_seeks_now_has_nothing_to_do(queue: Queue) {
        let mut member = queue.member().await;
        queue.say("a", 0..5).await;
        queue.say("b", 0..5).await;
        // One in flight, one failed, and the others behind them or not read.
        let held = member.one().await;
        let failed = member.one().await;
        failed.retry(Duration::ZERO, "not now").await.unwrap();
        queue.seek(GROUP, TOPIC, Start::Now).await.unwrap();
        assert_eq!(queue.group(GROUP).await.unwrap().unfinished, 0);
        let _ = held.ack().await;
        queue.say("c", ["new"]).await;
        // A member that has not noticed yet may hand out what it had in memory, and its outcomes count for nothing.
        handle_all(&queue, &mut member, &["new"]).await;
        queue.finished(GROUP).await;
        member.gets_nothing().await;
    }

    /// An outcome of a delivery from before the move counts for nothing: the message comes again, and what the outcome
    /// wanted does not happen.
    async fn outcomes_from_before_a_move_count_for_nothing(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        for key in ["ack", "retry", "dead", "drop"] {
            queue.say(key, [key]).await;
        }
        let held = member.hold(4).await;
        queue.seek(GROUP, TOPIC, Start::Beginning).await.unwrap();
        for delivery in held {
            let told = match &*Seen::of(&delivery).text {
                // Acks are told at once and written later: `Ok` promises nothing here.
                "ack" => delivery.ack().await.err().is_some() || !queue.features().fences_at_once,
                "retry" => delivery.retry(LONG, "not now").await.is_err(),
                "dead" => delivery.dead("broken").await.is_err(),
                _ => { drop(delivery); true }
            };
            assert!(told, "the outcome was taken");
        }
        handle_all(&queue, &mut member, &["ack", "retry", "dead", "drop"]).await;
        assert_eq!(queue.group(GROUP).await.unwrap().dead, 0);
        member.gets_nothing().await;
    }

    /// The same for each queue of a group that is moved again and again while it works.
    async fn a_move_while_the_group_works_loses_nothing(queue: Queue) {
        queue.declare(TOPIC, 3).await.unwrap();
        let mut member = queue.member().await;
        queue.publish(&spread(9, 10)).await;
        for taken in [6, 9] {
            for delivery in member.hold(taken).await {
                // Every third fails, and waits when the group is moved.
                let _ = match delivery.offset() % 3 {
                    0 => delivery.retry(LONG, "not now").await,
                    _ => delivery.ack().await,
                };
            }
            queue.seek(GROUP, TOPIC, Start::Beginning).await.unwrap();
        }
        let mut texts: Vec<Seen> = Vec::new();
        eventually("everything came again", async || {
            for delivery in member.any_within(Duration::from_millis(20)).await.unwrap_or_default() {
                texts.push(Seen::of(&delivery));
                let _ = delivery.ack().await;
            }
            queue.group(GROUP).await.unwrap().unfinished == 0
        })
        .await;
        let each: std::collections::BTreeSet<_> = texts.iter().map(|seen| seen.id).collect();
        assert_eq!(each.len(), 90);
        member.gets_nothing().await;
    }

    /// "All from there on comes, or comes again", also what is dead; its dead letter stays.
    async fn what_is_dead_comes_again_with_the_others(queue: Queue) {
        queue.declare(TOPIC, 1).await.unwrap();
        let mut member = queue.member().await;
        queue.say("k", 0..3).await;
        assert_eq!(member.work(3, |seen| if seen.text == "1" { Say::Dead } else { Say::Ack }).await.len(), 3);
        queue.finished(GROUP).await;
        queue.seek(GROUP, TOPIC, Start::Beginning).await.unwrap();
        assert_eq!(texts(&member.handle(3).await), ["0", "1", "2"]);
        assert_eq!(queue.group(GROUP).await.unwrap().dead, 1);
    }

    async fn only_a_group_of_the_topic_can_be_moved(queue: Queue) {
        queue.say("k", [0]).await;
        queue.declare("other", 1).await.unwrap();
        assert_eq!(queue.seek("nobody", TOPIC, Start::Now).await, Err(Refused::UnknownGroup));
        let _member = queue.member().await;
        assert_eq!(queue.seek(GROUP, "other", Start::Now).await, Err(Refused::NotSubscribed));
    }
}
