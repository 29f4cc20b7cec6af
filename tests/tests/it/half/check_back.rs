//! The producer told nothing: the check-back asks, and what it is answered is carried out. Without an answer nothing is
//! counted, and who does not know is asked again until the message is parked.

use std::sync::Arc;
use std::time::Duration;

use outbox_core::Message;
use outbox_core::half::{CheckAnswer, CheckBack, CheckSchedule, HalfState};

use super::support::*;

on_every_queue! {
    async fn what_the_checker_says_is_done(queue: Queue) {
        let half = queue.half_messages().with_schedule(often(15));
        let committed = half.prepare(message("k", "committed")).await.unwrap();
        let running = Running::start(&half, Scripted::always(CheckAnswer::Committed));
        reaches(&half, committed, HalfState::Committed).await;
        let stopped = running.stop().await;
        assert_eq!((stopped.committed, stopped.rolled_back), (1, 0));
        let rolled_back = half.prepare(message("k", "rolled back")).await.unwrap();
        let running = Running::start(&half, Scripted::always(CheckAnswer::RolledBack));
        reaches(&half, rolled_back, HalfState::RolledBack).await;
        let stopped = running.stop().await;
        assert_eq!((stopped.committed, stopped.rolled_back), (0, 1));
        assert_delivered(&queue, &["committed"]).await;
    }

    async fn no_answer_costs_no_check(queue: Queue) {
        // One Unknown would park it.
        let half = queue.half_messages().with_schedule(often(1));
        let id = half.prepare(message("k", "half")).await.unwrap();
        let checker = Scripted::new(|n| match n {
            0..3 => Say::Fail,
            3..5 => Say::Panic,
            5 => Say::Hang,
            _ => Say::Answer(CheckAnswer::Committed),
        });
        let check_back = CheckBack::builder(half.clone())
            .checker(TOPIC, Arc::clone(&checker) as _)
            .poll(Duration::from_millis(5))
            .check_timeout(Duration::from_millis(50))
            .build()
            .unwrap();
        let running = Running::run(check_back);
        reaches(&half, id, HalfState::Committed).await;
        let stopped = running.stop().await;
        assert_eq!((stopped.unreachable, stopped.parked, stopped.committed), (6, 0, 1));
        let ended = shown(&half, id).await;
        assert_eq!(ended.checks, 0, "{ended:?}");
        assert!(ended.last_error.unwrap().contains("longer than 50ms"));
        assert_delivered(&queue, &["half"]).await;
    }

    async fn what_nobody_knows_of_is_parked_after_its_checks_and_can_be_redriven(queue: Queue) {
        let half = queue.half_messages().with_schedule(often(15));
        let id = half.prepare(message("k", "half")).await.unwrap();
        let checker = Scripted::always(CheckAnswer::Unknown);
        let running = Running::start(&half, Arc::clone(&checker) as _);
        reaches(&half, id, HalfState::Parked).await;
        let stopped = running.stop().await;
        assert_eq!((checker.asked(), stopped.unknown, stopped.parked), (15, 15, 1));
        let parked = shown(&half, id).await;
        assert_eq!((parked.checks, parked.next_check_at), (15, None));
        assert!(parked.last_error.unwrap().contains("15 checks"));
        // It is kept with its content, asked after no more, and nobody has got it.
        assert_eq!(half.message(id).await.unwrap().unwrap().payload().as_ref(), b"half");
        half.redrive(id).await.unwrap();
        assert_eq!(shown(&half, id).await.checks, 0);
        let running = Running::start(&half, Scripted::always(CheckAnswer::Committed));
        reaches(&half, id, HalfState::Committed).await;
        running.stop().await;
        assert_delivered(&queue, &["half"]).await;
    }

    async fn who_is_not_due_or_has_no_checker_here_is_not_asked_after(queue: Queue) {
        let half = queue.half_messages().with_schedule(often(1));
        let late = half.clone().with_schedule(CheckSchedule::DEFAULT.with_first(LONG).unwrap());
        let waits = late.prepare(message("k", "waits")).await.unwrap();
        let elsewhere = half.prepare(Message::builder("elsewhere").build().unwrap()).await.unwrap();
        let due = half.prepare(message("k", "due")).await.unwrap();
        let checker = Scripted::always(CheckAnswer::RolledBack);
        let running = Running::start(&half, Arc::clone(&checker) as _);
        reaches(&half, due, HalfState::RolledBack).await;
        running.stop().await;
        assert_eq!(checker.asked(), 1);
        for left in [waits, elsewhere] {
            let left = shown(&half, left).await;
            assert_eq!((left.state, left.checks, left.last_error), (HalfState::Prepared, 0, None));
        }
    }
}
