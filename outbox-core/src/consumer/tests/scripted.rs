use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::message;
use crate::subscriber::{Acknowledge, Delivery, ReceiveError, Subscriber};

/// What a subscriber does next. Unlike the memory queue it hands out several of a key at once, as brokers do.
pub(super) enum Step {
    Deliver(Vec<(&'static str, u32)>),
    Wait(Duration),
    Fail,
    Empty,
    Close,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Ack(u32),
    Retry(u32),
    Dead(u32),
    Dropped(u32),
}

pub(super) type Outcomes = Arc<Mutex<Vec<Outcome>>>;

/// Does what its script says, then waits for ever. How much each receive asked for is noted with the time.
pub(super) struct Scripted {
    script: VecDeque<Step>,
    pub(super) outcomes: Outcomes,
    /// The error texts of retries and deaths.
    pub(super) errors: Arc<Mutex<Vec<String>>>,
    pub(super) asked: Arc<Mutex<Vec<(usize, tokio::time::Instant)>>>,
    pub(super) lease: Option<Duration>,
    /// Which attempt each delivery says that it is.
    pub(super) attempt: u32,
    /// Whether outcomes are taken.
    pub(super) takes_outcomes: bool,
}

impl Scripted {
    pub(super) fn new(script: impl IntoIterator<Item = Step>) -> Self {
        Self {
            script: script.into_iter().collect(),
            outcomes: Outcomes::default(),
            errors: Arc::default(),
            asked: Arc::default(),
            lease: None,
            attempt: 1,
            takes_outcomes: true,
        }
    }
}

fn unavailable() -> ReceiveError {
    ReceiveError::Unavailable {
        message: "scripted".into(),
        source: None,
    }
}

#[async_trait]
impl Subscriber for Scripted {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, ReceiveError> {
        self.asked
            .lock()
            .unwrap()
            .push((max, tokio::time::Instant::now()));
        if let Some(Step::Wait(wait)) = self.script.front() {
            let wait = *wait;
            tokio::time::sleep(wait).await;
            self.script.pop_front();
        }
        match self.script.pop_front() {
            Some(Step::Deliver(messages)) => {
                let deliver = |(offset, (key, n)): (usize, (&str, u32))| {
                    let acknowledge = Noted {
                        n,
                        outcomes: Arc::clone(&self.outcomes),
                        errors: Arc::clone(&self.errors),
                        taken: self.takes_outcomes,
                        until: self.lease.map(|lease| tokio::time::Instant::now() + lease),
                        told: false,
                    };
                    Delivery::new(
                        message(key, n),
                        self.attempt,
                        0,
                        offset as u64,
                        Box::new(acknowledge),
                    )
                };
                Ok(messages.into_iter().enumerate().map(deliver).collect())
            }
            Some(Step::Fail) => Err(unavailable()),
            Some(Step::Empty) => Ok(Vec::new()),
            Some(Step::Close) => Err(ReceiveError::Closed),
            Some(Step::Wait(_)) | None => std::future::pending().await,
        }
    }

    fn lease(&self) -> Option<Duration> {
        self.lease
    }
}

struct Noted {
    n: u32,
    outcomes: Outcomes,
    errors: Arc<Mutex<Vec<String>>>,
    until: Option<tokio::time::Instant>,
    taken: bool,
    told: bool,
}

impl Noted {
    fn tell(&mut self, outcome: Outcome) -> Result<(), ReceiveError> {
        self.told = true;
        self.outcomes.lock().unwrap().push(outcome);
        if self.taken { Ok(()) } else { Err(unavailable()) }
    }
}

#[async_trait]
impl Acknowledge for Noted {
    async fn ack(mut self: Box<Self>) -> Result<(), ReceiveError> {
        let n = self.n;
        self.tell(Outcome::Ack(n))
    }

    async fn retry(mut self: Box<Self>, _: Duration, error: &str) -> Result<(), ReceiveError> {
        self.errors.lock().unwrap().push(error.to_owned());
        let n = self.n;
        self.tell(Outcome::Retry(n))
    }

    async fn dead(mut self: Box<Self>, error: &str) -> Result<(), ReceiveError> {
        self.errors.lock().unwrap().push(error.to_owned());
        let n = self.n;
        self.tell(Outcome::Dead(n))
    }

    fn lease_left(&self) -> Option<Duration> {
        self.until
            .map(|until| until.saturating_duration_since(tokio::time::Instant::now()))
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        if !self.told {
            self.outcomes.lock().unwrap().push(Outcome::Dropped(self.n));
        }
    }
}
