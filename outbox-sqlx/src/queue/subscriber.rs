use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::{Acknowledge, Delivery, ReceiveError, Subscriber};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::member::{Handed, Shared};
use super::owned::Outcome;

/// Most deliveries that one `receive` returns.
const MAX_RECEIVE: usize = 1_000;
/// Longer waits count as this one: no database has a date for every duration, and a batch that one of them made
/// impossible to write would be tried for ever.
const MAX_RETRY_WAIT: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A member of a consumer group of a [`SqlQueue`](super::SqlQueue).
///
/// A task of its own keeps its lease, reads ahead and writes outcomes down. Acks are written down together, a few
/// milliseconds later; a retry or a dead letter is told when it is written. [`close`](Subscriber::close) leaves the
/// group in good order; dropping it does the same in the background, and a process that ends before that is through
/// leaves its queues to its lease.
pub struct SqlSubscriber {
    shared: Arc<Shared>,
    group: Arc<str>,
    lease: Duration,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl SqlSubscriber {
    pub(super) fn new(
        shared: Arc<Shared>,
        group: Arc<str>,
        lease: Duration,
        stop: CancellationToken,
        task: JoinHandle<()>,
    ) -> Self {
        Self {
            shared,
            group,
            lease,
            stop,
            task: Some(task),
        }
    }

    fn deliver(&self, handed: Handed) -> Delivery {
        let acknowledge = SqlAcknowledge {
            shared: Arc::clone(&self.shared),
            queue: handed.queue,
            epoch: handed.epoch,
            offset: handed.offset,
            token: handed.token,
            settled: false,
        };
        Delivery::new(
            handed.message,
            handed.attempt,
            handed.number,
            handed.offset.unsigned_abs(),
            Box::new(acknowledge),
        )
    }
}

#[async_trait]
impl Subscriber for SqlSubscriber {
    async fn receive(&mut self, max: usize) -> Result<Vec<Delivery>, ReceiveError> {
        let max = max.clamp(1, MAX_RECEIVE);
        loop {
            // A queue that always has something must not keep the other tasks of the thread waiting.
            tokio::task::consume_budget().await;
            let mut arrived = std::pin::pin!(self.shared.arrived.notified());
            arrived.as_mut().enable();
            let handed = self.shared.lock().take(max, Instant::now());
            // What was taken is read ahead again, and who waits makes the member look.
            self.shared.work.notify_one();
            if !handed.is_empty() {
                return Ok(handed.into_iter().map(|handed| self.deliver(handed)).collect());
            }
            if let Some(end) = self.shared.end() {
                return Err(end);
            }
            arrived.await;
        }
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.lease)
    }

    fn group(&self) -> Option<&str> {
        Some(&self.group)
    }

    async fn close(&mut self) -> Result<(), ReceiveError> {
        self.stop.cancel();
        let Some(task) = &mut self.task else {
            return Ok(());
        };
        let ended = task.await;
        self.task = None;
        ended.map_err(|error| ReceiveError::Unavailable {
            message: error.to_string().into(),
            source: None,
        })
    }
}

impl Drop for SqlSubscriber {
    fn drop(&mut self) {
        // The task leaves the group and ends by itself.
        self.stop.cancel();
    }
}

impl fmt::Debug for SqlSubscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSubscriber")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// Takes one delivery's outcome back. Dropped without one, it gives the message back.
struct SqlAcknowledge {
    shared: Arc<Shared>,
    queue: i64,
    /// Under another epoch the queue is somebody else's.
    epoch: i64,
    offset: i64,
    /// Names this delivery: the message's next one has another, and then this one's outcome is too late.
    token: u64,
    settled: bool,
}

impl SqlAcknowledge {
    fn settle(
        &mut self,
        outcome: Outcome,
        waiter: Option<oneshot::Sender<Result<(), ReceiveError>>>,
    ) -> Result<(), ReceiveError> {
        self.settled = true;
        let mut state = self.shared.lock();
        let now = Instant::now();
        let taken = state.settle(
            (self.queue, self.epoch),
            (self.offset, self.token),
            outcome,
            waiter,
            now,
        );
        let due = state.is_worth_waking();
        drop(state);
        if due {
            self.shared.work.notify_one();
        }
        if taken { Ok(()) } else { Err(ReceiveError::Fenced) }
    }

    async fn settle_and_wait(&mut self, outcome: Outcome) -> Result<(), ReceiveError> {
        let (waiter, written) = oneshot::channel();
        self.settle(outcome, Some(waiter))?;
        // The member is gone without an answer: its lease will end.
        written.await.unwrap_or(Err(ReceiveError::Closed))
    }
}

#[async_trait]
impl Acknowledge for SqlAcknowledge {
    async fn ack(mut self: Box<Self>) -> Result<(), ReceiveError> {
        self.settle(Outcome::Ack, None)
    }

    async fn retry(mut self: Box<Self>, after: Duration, error: &str) -> Result<(), ReceiveError> {
        let (after, error) = (after.min(MAX_RETRY_WAIT), error.into());
        self.settle_and_wait(Outcome::Retry { after, error }).await
    }

    async fn dead(mut self: Box<Self>, error: &str) -> Result<(), ReceiveError> {
        let error = error.into();
        self.settle_and_wait(Outcome::Dead { error }).await
    }

    fn lease_left(&self) -> Option<Duration> {
        let left = self.shared.lock().lease_left(Instant::now());
        Some(left.unwrap_or(Duration::ZERO))
    }
}

impl Drop for SqlAcknowledge {
    fn drop(&mut self) {
        if !self.settled {
            // Too late is fine: then the message has come again already.
            let _ = self.settle(Outcome::Dropped, None);
        }
    }
}
