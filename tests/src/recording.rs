use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use outbox_core::{Capabilities, Message, PublishError, Publisher};
use tokio::sync::watch;

type Rule = dyn Fn(&Message) -> Result<(), PublishError> + Send + Sync;

/// A queue in this process that keeps what it was given and answers by a rule that can be changed.
#[derive(Clone)]
pub struct RecordingSink {
    shared: Arc<Shared>,
}

struct Shared {
    taken: Mutex<Vec<(Message, Instant)>>,
    count: watch::Sender<usize>,
    rule: Mutex<Arc<Rule>>,
    down: watch::Sender<bool>,
    attempts: watch::Sender<usize>,
}

impl Default for RecordingSink {
    fn default() -> Self {
        Self::new()
    }
}

impl RecordingSink {
    /// A sink that takes everything.
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                taken: Mutex::default(),
                count: watch::Sender::new(0),
                rule: Mutex::new(Arc::new(|_: &Message| Ok(()))),
                down: watch::Sender::new(false),
                attempts: watch::Sender::new(0),
            }),
        }
    }

    /// Answers by this rule from now on.
    pub fn answer(&self, rule: impl Fn(&Message) -> Result<(), PublishError> + Send + Sync + 'static) {
        *lock(&self.shared.rule) = Arc::new(rule);
    }

    /// The queue goes away, or comes back.
    pub fn set_down(&self, down: bool) {
        self.shared.down.send_replace(down);
    }

    /// What was taken, and when.
    pub fn taken(&self) -> Vec<(Message, Instant)> {
        lock(&self.shared.taken).clone()
    }

    /// The payloads taken, as text.
    pub fn payloads(&self) -> Vec<String> {
        lock(&self.shared.taken)
            .iter()
            .map(|(message, _)| String::from_utf8_lossy(message.payload()).into_owned())
            .collect()
    }

    /// Waits until so many were taken.
    ///
    /// # Panics
    /// They were not within the limit.
    pub async fn wait_for(&self, count: usize, limit: Duration) {
        let mut counts = self.shared.count.subscribe();
        let waited = tokio::time::timeout(limit, counts.wait_for(|now| *now >= count)).await;
        assert!(
            waited.is_ok(),
            "{} of {count} messages arrived within {limit:?}",
            lock(&self.shared.taken).len()
        );
    }

    /// Waits until the sink was asked so often, whatever it answered (each message and each failed call counts).
    ///
    /// # Panics
    /// It was not within the limit.
    pub async fn wait_for_attempts(&self, count: usize, limit: Duration) {
        let mut counts = self.shared.attempts.subscribe();
        let waited = tokio::time::timeout(limit, counts.wait_for(|now| *now >= count)).await;
        assert!(
            waited.is_ok(),
            "{} of {count} attempts within {limit:?}",
            *self.shared.attempts.borrow()
        );
    }

    /// How often it was asked.
    pub fn attempts(&self) -> usize {
        *self.shared.attempts.borrow()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Publisher for RecordingSink {
    fn name(&self) -> &str {
        "recording"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new().with_max_batch(100).with_max_in_flight(2)
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        self.shared
            .attempts
            .send_modify(|attempts| *attempts += batch.len());
        if *self.shared.down.borrow() {
            return vec![Err(PublishError::unavailable("the sink is down")); batch.len()];
        }
        let rule = lock(&self.shared.rule).clone();
        let now = Instant::now();
        let results: Vec<_> = batch.iter().map(|message| rule(message)).collect();
        let mut taken = lock(&self.shared.taken);
        for (message, result) in batch.iter().zip(&results) {
            if result.is_ok() {
                taken.push((message.clone(), now));
            }
        }
        // Under the lock: of two batches at once the one that counted less must not have the last word.
        self.shared.count.send_replace(taken.len());
        drop(taken);
        results
    }

    async fn probe(&self) -> Result<(), PublishError> {
        if *self.shared.down.borrow() {
            Err(PublishError::unavailable("the sink is down"))
        } else {
            Ok(())
        }
    }
}
