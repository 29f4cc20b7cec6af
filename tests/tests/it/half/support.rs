//! Checkers that say what a test tells them, and a check-back that runs beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::Message;
use outbox_core::half::{
    CheckAnswer, CheckBack, CheckError, CheckSchedule, Checker, HalfFilter, HalfMessage, HalfMessages,
    HalfState, Stopped,
};
use outbox_core::{MessageId, Publisher};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use crate::queue_conformance::support::*;

/// Asked after at once, and again and again.
pub fn often(checks: u32) -> CheckSchedule {
    CheckSchedule::DEFAULT
        .with_first(Duration::ZERO)
        .and_then(|schedule| schedule.with_every(Duration::from_millis(5)))
        .and_then(|schedule| schedule.with_checks(checks))
        .unwrap()
}

/// What a checker does.
#[derive(Debug, Clone, Copy)]
pub enum Say {
    Answer(CheckAnswer),
    Fail,
    Panic,
    Hang,
}

/// A checker that does what the test says to its n-th question, from 0.
pub struct Scripted {
    say: Box<dyn Fn(u32) -> Say + Send + Sync>,
    asked: AtomicU32,
}

impl Scripted {
    pub fn new(say: impl Fn(u32) -> Say + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            say: Box::new(say),
            asked: AtomicU32::new(0),
        })
    }

    pub fn always(answer: CheckAnswer) -> Arc<Self> {
        Self::new(move |_| Say::Answer(answer))
    }

    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Checker for Scripted {
    async fn check(&self, _: &Message) -> Result<CheckAnswer, CheckError> {
        match (self.say)(self.asked.fetch_add(1, Ordering::Relaxed)) {
            Say::Answer(answer) => Ok(answer),
            Say::Fail => Err(CheckError::new("the producer is away")),
            Say::Panic => panic!("a checker that panics"),
            Say::Hang => std::future::pending().await,
        }
    }
}

/// A check-back in this process.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<Stopped>,
}

impl Running {
    pub fn start(half: &HalfMessages, checker: Arc<dyn Checker>) -> Self {
        let check_back = CheckBack::builder(half.clone())
            .checker(TOPIC, checker)
            .poll(Duration::from_millis(5))
            .check_timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        Self::run(check_back)
    }

    pub fn run(check_back: CheckBack) -> Self {
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(check_back.run(stop.clone())),
            stop,
        }
    }

    pub async fn stop(self) -> Stopped {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

/// One message as it is listed.
pub async fn shown(half: &HalfMessages, id: MessageId) -> HalfMessage {
    let all = half.list(&HalfFilter::new(), 1_000).await.unwrap();
    all.into_iter().find(|message| message.id == id).unwrap()
}

/// Waits until it is there.
pub async fn reaches(half: &HalfMessages, id: MessageId, state: HalfState) {
    eventually(state.as_str(), async || shown(half, id).await.state == state).await;
}

/// Everything that was appended so far is what is expected, and nothing else: a message that is published now comes right
/// after it.
pub async fn assert_delivered(queue: &Queue, expected: &[&str]) {
    let mut member = queue.member_of("all", outbox_core::group::Start::Beginning).await;
    publish(&*queue.publisher() as &dyn Publisher, &[message("k", "the end")]).await;
    let seen = member.handle(expected.len() + 1).await;
    let mut texts = texts(&seen);
    texts.retain(|text| *text != "the end");
    texts.sort_unstable();
    assert_eq!(texts, expected);
    queue.finished("all").await;
    member.close().await;
}
