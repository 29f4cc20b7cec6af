//! Several check-backs on one queue ask after a message one at a time, and append it once.

use std::sync::Arc;
use std::time::Duration;

use outbox_core::half::{AfterCheck, CheckAnswer, Claim, Decided, HalfFilter, HalfMessages, HalfState};
use uuid::Uuid;

use super::support::*;

/// More than one page of what is due.
const MESSAGES: usize = 105;

async fn has_undecided(half: &HalfMessages) -> bool {
    let prepared = HalfFilter::new().state(HalfState::Prepared);
    !half.list(&prepared, 1).await.unwrap().is_empty()
}

on_every_queue! {
    async fn check_backs_at_once_never_append_twice(queue: Queue) {
        // Nobody is asked twice about one message, unless it is claimed twice.
        let schedule = often(1).with_every(LONG).unwrap();
        let half = queue.half_messages().with_schedule(schedule);
        let mut expected: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
        for text in &expected {
            half.prepare(message("k", text)).await.unwrap();
        }
        let checker = Scripted::always(CheckAnswer::Committed);
        let running: Vec<_> = (0..3).map(|_| Running::start(&half, Arc::clone(&checker) as _)).collect();
        eventually("all are decided", async || !has_undecided(&half).await).await;
        let mut committed = 0;
        for running in running {
            committed += running.stop().await.committed;
        }
        assert_eq!((committed, checker.asked()), (MESSAGES as u64, MESSAGES as u32));
        expected.sort_unstable();
        let expected: Vec<&str> = expected.iter().map(|text| &**text).collect();
        assert_delivered(&queue, &expected).await;
    }

    async fn a_claim_is_one_process_s_until_it_runs_out_and_no_check(queue: Queue) {
        let half = queue.half_messages().with_schedule(often(3));
        let id = half.prepare(message("k", "half")).await.unwrap();
        let store = half.store();
        let claim = |hold| Claim { id: Uuid::now_v7(), hold };
        let first = claim(Duration::from_millis(200));
        assert_eq!(store.claim(id, first).await.unwrap().unwrap().checks, 0);
        assert!(store.claim(id, claim(LONG)).await.unwrap().is_none());
        assert!(store.due(TOPIC, 10).await.unwrap().is_empty());
        // Its holder died: it is due again, and nothing was counted.
        eventually("the claim has run out", async || store.due(TOPIC, 10).await.unwrap() == [id]).await;
        let second = claim(LONG);
        assert_eq!(store.claim(id, second).await.unwrap().unwrap().checks, 0);
        // The former holder lives after all, and its answer is not counted; the new one's is.
        let again = AfterCheck::CheckAgain(Duration::ZERO);
        assert!(!store.after_check(id, first.id, again, "late").await.unwrap());
        assert!(store.after_check(id, second.id, again, "in time").await.unwrap());
        assert!(!store.after_check(id, second.id, again, "twice").await.unwrap());
        let after = shown(&half, id).await;
        assert_eq!((after.checks, after.last_error.as_deref()), (1, Some("in time")));
        // A claim keeps nobody from deciding.
        assert!(store.claim(id, claim(LONG)).await.unwrap().is_some());
        assert_eq!(half.commit(id).await.unwrap(), Decided::Now);
        assert!(store.claim(id, claim(LONG)).await.unwrap().is_none());
    }
}
