//! The producer decides: a message is invisible before, delivered once after its commit, and never after its rollback,
//! however often and late either is asked for.

use std::time::{Duration, Instant};

use outbox_core::half::{Decided, HalfError, HalfState};
use outbox_core::{Message, MessageId};

use super::support::*;

on_every_queue! {
    async fn a_commit_delivers_once_and_nothing_is_seen_before(queue: Queue) {
        let half = queue.half_messages();
        let mut member = queue.member().await;
        let prepared = Message::builder(TOPIC).key("k").payload("half", "text/plain").header("tenant", "eu").build().unwrap();
        let id = half.prepare(prepared.clone()).await.unwrap();
        assert_eq!(id, prepared.id());
        let waiting = half.message(id).await.unwrap().unwrap();
        assert_eq!((waiting.payload(), waiting.headers()), (prepared.payload(), prepared.headers()));
        // What is published later comes, and it doesn't.
        queue.say("k", ["whole"]).await;
        assert_eq!(texts(&member.handle(1).await), ["whole"]);
        queue.finished(GROUP).await;
        assert_eq!(half.commit(id).await.unwrap(), Decided::Now);
        assert_eq!(half.commit(id).await.unwrap(), Decided::Before);
        let delivery = member.one().await;
        assert_eq!(delivery.message().id(), id);
        assert_eq!(delivery.message().key(), Some("k"));
        assert_eq!(delivery.message().payload(), prepared.payload());
        assert_eq!(delivery.message().headers(), prepared.headers());
        delivery.ack().await.unwrap();
        queue.finished(GROUP).await;
        assert!(half.message(id).await.unwrap().is_none(), "its content is let go of");
        assert_delivered(&queue, &["half", "whole"]).await;
    }

    async fn what_was_rolled_back_is_never_delivered_and_a_second_decision_is_answered_with_the_first(queue: Queue) {
        let half = queue.half_messages();
        let id = half.prepare(message("k", "half")).await.unwrap();
        assert_eq!(half.roll_back(id).await.unwrap(), Decided::Now);
        assert_eq!(half.roll_back(id).await.unwrap(), Decided::Before);
        let late = half.commit(id).await.unwrap_err();
        assert!(matches!(late, HalfError::Ended { state: HalfState::RolledBack, .. }), "{late}");
        let id = half.prepare(message("k", "committed")).await.unwrap();
        half.commit(id).await.unwrap();
        let late = half.roll_back(id).await.unwrap_err();
        assert!(matches!(late, HalfError::Ended { state: HalfState::Committed, .. }), "{late}");
        let again = half.prepare(Message::builder(TOPIC).id(id).build().unwrap()).await.unwrap_err();
        assert!(matches!(again, HalfError::PreparedBefore { state: HalfState::Committed, .. }), "{again}");
        let unknown = half.commit(MessageId::new()).await.unwrap_err();
        assert!(matches!(unknown, HalfError::NotPrepared { .. }), "{unknown}");
        assert_delivered(&queue, &["committed"]).await;
    }

    async fn of_many_decisions_at_once_one_is_carried_out(queue: Queue) {
        let half = queue.half_messages();
        for n in 0..5 {
            let id = half.prepare(message("k", &n.to_string())).await.unwrap();
            let commits = (0..4).map(|_| {
                let half = half.clone();
                tokio::spawn(async move { half.commit(id).await })
            });
            let mut now = 0;
            for commit in commits.collect::<Vec<_>>() {
                now += u32::from(commit.await.unwrap().unwrap() == Decided::Now);
            }
            assert_eq!(now, 1);
        }
        assert_delivered(&queue, &["0", "1", "2", "3", "4"]).await;
    }

    async fn a_delay_begins_with_the_commit(queue: Queue) {
        let half = queue.half_messages();
        let mut member = queue.member().await;
        let delay = Duration::from_millis(300);
        let delayed = Message::builder(TOPIC).key("k").delay(delay).build().unwrap();
        let id = half.prepare(delayed).await.unwrap();
        let committed = Instant::now();
        half.commit(id).await.unwrap();
        let delivery = member.one().await;
        assert!(committed.elapsed() + Duration::from_millis(2) >= delay, "{:?}", committed.elapsed());
        assert_eq!(delivery.message().id(), id);
        delivery.ack().await.unwrap();
    }

    async fn an_ended_message_is_remembered_for_a_while_and_forgotten_after(queue: Queue) {
        let half = queue.half_messages();
        let bad = Message::builder("a topic with spaces").build_unchecked();
        let refused = half.prepare(bad.clone()).await.unwrap_err();
        assert!(matches!(refused, HalfError::Message(_)), "{refused}");
        assert!(matches!(half.commit(bad.id()).await, Err(HalfError::NotPrepared { .. })));
        let ended = half.prepare(message("k", "0")).await.unwrap();
        let undecided = half.prepare(message("k", "1")).await.unwrap();
        half.roll_back(ended).await.unwrap();
        assert_eq!(half.store().forget_ended(LONG, 10).await.unwrap(), 0);
        assert_eq!(half.roll_back(ended).await.unwrap(), Decided::Before);
        let forget = async || half.store().forget_ended(Duration::from_millis(1), 10).await.unwrap();
        eventually("it is forgotten", async || forget().await == 1).await;
        assert!(matches!(half.roll_back(ended).await, Err(HalfError::NotPrepared { .. })));
        assert_eq!(forget().await, 0);
        assert_eq!(shown(&half, undecided).await.state, HalfState::Prepared);
    }
}
