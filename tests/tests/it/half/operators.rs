//! What is parked waits for an operator, or for its producer after all; nothing else does.

use std::collections::BTreeSet;

use outbox_core::half::{CheckAnswer, Decided, HalfError, HalfFilter, HalfMessages, HalfState};
use outbox_core::{Message, MessageId};

use super::support::*;

/// A message that is parked.
async fn park(half: &HalfMessages, text: &str) -> MessageId {
    let id = half.prepare(message("k", text)).await.unwrap();
    let running = Running::start(half, Scripted::always(CheckAnswer::Unknown));
    reaches(half, id, HalfState::Parked).await;
    running.stop().await;
    id
}

on_every_queue! {
    async fn a_parked_message_is_committed_or_discarded_by_name_or_by_its_producer(queue: Queue) {
        let half = queue.half_messages().with_schedule(often(1));
        let (wanted, unwanted) = (park(&half, "wanted").await, park(&half, "unwanted").await);
        assert!(matches!(half.commit_parked(wanted, " ").await, Err(HalfError::ByEmpty)));
        assert!(matches!(half.discard(unwanted, "", "ann").await, Err(HalfError::ReasonEmpty)));
        let long = "x".repeat(256);
        assert!(matches!(half.discard(unwanted, "lost", &long).await, Err(HalfError::TooLong { bytes: 256, max: 255, .. })));
        assert_eq!(half.commit_parked(wanted, "ann").await.unwrap(), Decided::Now);
        assert_eq!(half.discard(unwanted, "its order is gone", "ann").await.unwrap(), Decided::Now);
        let (committed, discarded) = (shown(&half, wanted).await, shown(&half, unwanted).await);
        assert_eq!((committed.state, committed.ended_by.as_deref()), (HalfState::Committed, Some("ann")));
        assert_eq!((discarded.state, discarded.ended_by.as_deref()), (HalfState::Discarded, Some("ann")));
        assert_eq!(discarded.reason.as_deref(), Some("its order is gone"));
        assert!(discarded.ended_at.unwrap() >= discarded.prepared_at);
        let late = half.commit(unwanted).await.unwrap_err();
        assert!(matches!(late, HalfError::Ended { state: HalfState::Discarded, .. }), "{late}");
        // Its producer may still decide, too.
        let (done, undone) = (park(&half, "done").await, park(&half, "undone").await);
        assert_eq!(half.commit(done).await.unwrap(), Decided::Now);
        assert_eq!(half.roll_back(undone).await.unwrap(), Decided::Now);
        assert_delivered(&queue, &["done", "wanted"]).await;
    }

    async fn an_operator_decides_only_about_what_is_parked(queue: Queue) {
        let half = queue.half_messages();
        let id = half.prepare(message("k", "half")).await.unwrap();
        for refused in [
            half.commit_parked(id, "ann").await.unwrap_err(),
            half.discard(id, "tired of it", "ann").await.unwrap_err(),
            half.redrive(id).await.unwrap_err(),
        ] {
            assert!(matches!(refused, HalfError::NotParked { state: HalfState::Prepared, .. }), "{refused}");
        }
        half.roll_back(id).await.unwrap();
        assert!(matches!(half.redrive(id).await, Err(HalfError::Ended { .. })));
        assert!(matches!(half.redrive(MessageId::new()).await, Err(HalfError::NotPrepared { .. })));
    }

    async fn all_are_listed_page_by_page(queue: Queue) {
        let half = queue.half_messages();
        let mut prepared = BTreeSet::new();
        for n in 0..7 {
            prepared.insert(half.prepare(message("k", &n.to_string())).await.unwrap());
        }
        let other = half.prepare(Message::builder("elsewhere").build().unwrap()).await.unwrap();
        half.roll_back(*prepared.first().unwrap()).await.unwrap();
        let (mut filter, mut found, mut pages) = (HalfFilter::new().topic(TOPIC), Vec::new(), 0);
        loop {
            let page = half.list(&filter, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            filter = filter.after(last.id);
            found.extend(page.iter().map(|message| message.id));
            pages += 1;
        }
        assert_eq!((pages, found), (3, prepared.iter().copied().collect()));
        let undecided = half.list(&HalfFilter::new().state(HalfState::Prepared), 100).await.unwrap();
        assert_eq!(undecided.len(), 7);
        assert!(undecided.iter().any(|message| message.id == other && message.topic == "elsewhere" && message.key.is_none()));
        assert!(undecided.iter().all(|message| message.next_check_at.unwrap() > message.prepared_at));
    }
}
