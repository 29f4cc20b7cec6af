//! Half messages and their check-back, on a paused clock: the default schedule takes minutes and no time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::half::{
    CheckAnswer, CheckBack, CheckError, CheckSchedule, Checker, Decided, HalfError, HalfMessages, HalfState,
    LocalRefused, MemoryLocalRecord, Stopped, TombstoneChecker,
};
use crate::message::MessageId;

/// Counts, and answers after some time.
struct Slow {
    answer: CheckAnswer,
    takes: Duration,
    asked: AtomicU32,
    finished: AtomicU32,
}

impl Slow {
    fn new(answer: CheckAnswer, takes: Duration) -> Arc<Self> {
        let (asked, finished) = (AtomicU32::new(0), AtomicU32::new(0));
        Arc::new(Self {
            answer,
            takes,
            asked,
            finished,
        })
    }
}

#[async_trait]
impl Checker for Slow {
    async fn check(&self, _: &Message) -> Result<CheckAnswer, CheckError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(self.takes).await;
        self.finished.fetch_add(1, Ordering::Relaxed);
        Ok(self.answer)
    }
}

fn start(
    half: &HalfMessages,
    checker: Arc<dyn Checker>,
) -> (CancellationToken, tokio::task::JoinHandle<Stopped>) {
    let stop = CancellationToken::new();
    let check_back = CheckBack::builder(half.clone())
        .checker(TOPIC, checker)
        .build()
        .unwrap();
    (stop.clone(), tokio::spawn(check_back.run(stop)))
}

async fn state(half: &HalfMessages, id: MessageId) -> Option<HalfState> {
    let all = half.list(&Default::default(), 1_000).await.unwrap();
    all.iter()
        .find(|message| message.id == id)
        .map(|message| message.state)
}

async fn reach(half: &HalfMessages, id: MessageId, wanted: Option<HalfState>) {
    within(async {
        while state(half, id).await != wanted {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_default_asks_after_6_seconds_then_every_30_and_parks_after_15() {
    let queue = MemoryQueue::new();
    let half = queue.half_messages();
    let prepared = Instant::now();
    let id = half.prepare(message("k", 1)).await.unwrap();
    let checker = Slow::new(CheckAnswer::Unknown, Duration::ZERO);
    let (stop, task) = start(&half, Arc::clone(&checker) as _);
    reach(&half, id, Some(HalfState::Parked)).await;
    let waited = prepared.elapsed();
    let (first, every) = (6 * SECOND, 30 * SECOND);
    // Each check is at most a poll late.
    assert!(
        waited >= first + 14 * every && waited <= first + 14 * every + 16 * SECOND,
        "{waited:?}"
    );
    assert_eq!(checker.asked.load(Ordering::Relaxed), 15);
    tokio::time::sleep(3_600 * SECOND).await;
    assert_eq!(checker.asked.load(Ordering::Relaxed), 15);
    stop.cancel();
    assert_eq!(task.await.unwrap().parked, 1);
    assert_eq!(half.commit_parked(id, "ann").await.unwrap(), Decided::Now);
    assert_eq!(queue.backlog("g").total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_check_back_that_is_stopped_finishes_its_check_and_begins_none() {
    let queue = MemoryQueue::new();
    let schedule = CheckSchedule::DEFAULT.with_first(Duration::ZERO).unwrap();
    let half = queue.half_messages().with_schedule(schedule);
    for n in 0..20 {
        half.prepare(message("k", n)).await.unwrap();
    }
    let checker = Slow::new(CheckAnswer::Committed, 5 * SECOND);
    let (stop, task) = start(&half, Arc::clone(&checker) as _);
    tokio::time::sleep(SECOND).await;
    assert_eq!(
        checker.asked.load(Ordering::Relaxed),
        8,
        "as many as may be at a time"
    );
    stop.cancel();
    let stopped = within(task).await.unwrap();
    assert_eq!(stopped.committed, 8);
    assert_eq!(
        checker.asked.load(Ordering::Relaxed),
        checker.finished.load(Ordering::Relaxed)
    );
}

#[tokio::test(start_paused = true)]
async fn a_checker_that_hangs_keeps_no_other_topic_waiting_and_is_cut_off() {
    let queue = MemoryQueue::new();
    let schedule = CheckSchedule::DEFAULT.with_first(Duration::ZERO).unwrap();
    let half = queue.half_messages().with_schedule(schedule);
    for n in 0..100 {
        half.prepare(message("k", n)).await.unwrap();
    }
    let other = half
        .prepare(Message::builder("other").build().unwrap())
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let check_back = CheckBack::builder(half.clone())
        .checker(TOPIC, Slow::new(CheckAnswer::Committed, 3_600 * SECOND))
        .checker("other", Slow::new(CheckAnswer::RolledBack, Duration::ZERO))
        .check_timeout(15 * SECOND)
        .build()
        .unwrap();
    let (begun, task) = (Instant::now(), tokio::spawn(check_back.run(stop.clone())));
    reach(&half, other, Some(HalfState::RolledBack)).await;
    assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
    tokio::time::sleep(20 * SECOND).await;
    stop.cancel();
    let stopped = within(task).await.unwrap();
    assert_eq!((stopped.committed, stopped.unknown, stopped.parked), (0, 0, 0));
    assert!(stopped.unreachable >= 8, "{stopped}");
}

#[tokio::test(start_paused = true)]
async fn the_check_back_forgets_what_ended_long_ago() {
    let queue = MemoryQueue::new();
    let hour = 3_600 * SECOND;
    let half = queue.half_messages().remember_for(hour).unwrap();
    let ended = half.prepare(message("k", 1)).await.unwrap();
    half.roll_back(ended).await.unwrap();
    let (stop, task) = start(&half, Slow::new(CheckAnswer::Unknown, Duration::ZERO));
    tokio::time::sleep(hour - 60 * SECOND).await;
    assert_eq!(half.roll_back(ended).await.unwrap(), Decided::Before);
    tokio::time::sleep(180 * SECOND).await;
    assert!(matches!(
        half.roll_back(ended).await,
        Err(HalfError::NotPrepared { .. })
    ));
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_a_tombstone_local_work_comes_too_late() {
    let queue = MemoryQueue::new();
    let half = queue.half_messages();
    let record = MemoryLocalRecord::new();
    let (late, done) = (
        half.prepare(message("k", 1)).await.unwrap(),
        half.prepare(message("k", 2)).await.unwrap(),
    );
    record.record(done).unwrap();
    assert_eq!(
        record.record(done),
        Err(LocalRefused::RecordedBefore { id: done })
    );
    let (stop, task) = start(&half, Arc::new(TombstoneChecker::new(record.clone())));
    reach(&half, late, Some(HalfState::RolledBack)).await;
    reach(&half, done, Some(HalfState::Committed)).await;
    assert_eq!(record.record(late), Err(LocalRefused::RolledBack { id: late }));
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_prepared_counts_against_the_capacity() {
    let queue = MemoryQueue::builder().capacity_messages(2).build();
    let half = queue.half_messages();
    let first = half.prepare(message("k", 1)).await.unwrap();
    half.prepare(message("k", 2)).await.unwrap();
    let refused = half.prepare(message("k", 3)).await.unwrap_err();
    assert!(
        matches!(refused, HalfError::Unavailable { .. }) && refused.is_retryable(),
        "{refused}"
    );
    // A commit needs no room: it has it.
    assert_eq!(half.commit(first).await.unwrap(), Decided::Now);
    assert_eq!(queue.usage().messages, 2);
    queue.close();
    assert!(matches!(
        half.prepare(message("k", 4)).await,
        Err(HalfError::Unavailable { .. })
    ));
}
