use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::lanes::{LaneKey, Lanes, lane_key};
use super::process::Context;
use super::process_batch::process_batch;
use super::progress::{Processed, Progress};
use super::rate::Limiter;
use super::stopped::{StopReason, Stopped};
use crate::subscriber::Delivery;

/// What was received and is not finished.
pub(super) struct Work {
    context: Context,
    limiter: Option<Limiter>,
    /// When something may start that is not allowed to yet.
    start_at: Option<Instant>,
    /// Whether the next in line was not allowed to start by the rate limit, although there was a slot.
    held_back: bool,
    lanes: Lanes<Received>,
    tasks: JoinSet<()>,
    started: HashMap<Id, Batch>,
    /// How many messages are in what runs.
    running: usize,
    bytes: usize,
    pub(super) stopped: Stopped,
}

struct Received {
    delivery: Delivery,
    at: Instant,
}

impl Received {
    fn weight(&self) -> usize {
        self.delivery.message().weight()
    }
}

/// What one task handles, by its place in the batch. Those of a key are next to each other.
struct Batch {
    keys: Vec<Option<LaneKey>>,
    weight: usize,
    progress: Progress,
}

impl Work {
    pub(super) fn new(context: Context) -> Self {
        let limiter = context.config.rate.map(|rate| Limiter::new(rate, Instant::now()));
        Self {
            context,
            limiter,
            start_at: None,
            held_back: false,
            lanes: Lanes::new(),
            tasks: JoinSet::new(),
            started: HashMap::new(),
            running: 0,
            bytes: 0,
            stopped: Stopped::nothing_yet(),
        }
    }

    /// How many more may be received.
    pub(super) fn room(&self) -> usize {
        let config = &self.context.config;
        if self.bytes >= config.prefetch_bytes {
            return 0;
        }
        let held = self.running + self.lanes.unstarted();
        config.held().saturating_sub(held)
    }

    /// Whether to receive now: when there is a slot and not enough to fill it, or when there is room for half a
    /// prefetch. Small gaps are not worth a receive each.
    pub(super) fn wants_more(&self) -> bool {
        let (config, room) = (&self.context.config, self.room());
        let idle = self.tasks.len() < config.concurrency
            && self.lanes.available(config.batch_messages) < config.batch_messages;
        room > 0 && (idle || room * 2 >= config.prefetch)
    }

    /// When to call [`start_what_may`](Self::start_what_may) although nothing else has happened.
    pub(super) fn start_at(&self) -> Option<Instant> {
        self.start_at
    }

    pub(super) fn take_in(&mut self, deliveries: Vec<Delivery>) {
        let at = Instant::now();
        for delivery in deliveries {
            let key = lane_key(&delivery);
            let received = Received { delivery, at };
            self.bytes += received.weight();
            self.lanes.offer(key, received);
        }
    }

    pub(super) fn start_what_may(&mut self) {
        self.start_at = None;
        while self.tasks.len() < self.context.config.concurrency {
            let Some(first) = self.lanes.peek() else {
                break;
            };
            let messages = if self.context.config.leaves_time(&first.delivery) {
                match self.may_start(first.at) {
                    Ok(messages) => messages,
                    Err(at) => {
                        self.start_at = Some(at);
                        break;
                    }
                }
            } else {
                // It is given back, for which nobody has to wait.
                1
            };
            self.start(messages);
        }
    }

    /// How many may start together now; the error is when to ask again. `first` is when the next in line was received.
    fn may_start(&mut self, first: Instant) -> Result<usize, Instant> {
        let config = &self.context.config;
        let together = self.limiter.as_ref().map_or(usize::MAX, Limiter::together);
        let most = config.batch_messages.min(together);
        let available = self.lanes.available(most);
        let (now, waits_until) = (Instant::now(), first + config.batch_wait);
        if available < most && now < waits_until {
            return Err(waits_until);
        }
        if let Some(limiter) = &mut self.limiter {
            if let Err(at) = limiter.start(available, now) {
                self.held_back = true;
                return Err(at);
            }
            if std::mem::take(&mut self.held_back) {
                metrics::counter!("outbox_consumer_rate_limited_total", "group" => Arc::clone(&self.context.group))
                    .increment(available as u64);
            }
        }
        Ok(available)
    }

    /// Starts the next `messages`, but for those whose leases might end before their handler is through, and what is
    /// behind them of their keys: these come again, with whole leases.
    fn start(&mut self, messages: usize) {
        let mut batch = Batch {
            keys: Vec::with_capacity(messages),
            weight: 0,
            progress: Progress::of(0),
        };
        let mut deliveries = Vec::with_capacity(messages);
        let mut late: Option<LaneKey> = None;
        for (key, received) in self.lanes.take(messages) {
            // Those of a key are next to each other, so the last key is all there is to remember.
            let behind_late = key.is_some() && key == late;
            if !behind_late && self.context.config.leaves_time(&received.delivery) {
                batch.weight += received.weight();
                batch.keys.push(key);
                deliveries.push(received.delivery);
                continue;
            }
            self.bytes -= received.weight();
            drop(received);
            if let Some(key) = key.filter(|_| !behind_late) {
                // The key is free again, unless earlier ones of it are in the batch.
                let runs = batch.keys.last().is_some_and(|last| last.as_ref() == Some(&key));
                let behind = if runs {
                    self.lanes.behind(&key)
                } else {
                    self.lanes.failed(&key)
                };
                self.bytes -= behind.iter().map(Received::weight).sum::<usize>();
                late = Some(key);
            }
        }
        if deliveries.is_empty() {
            return;
        }
        batch.progress = Progress::of(deliveries.len());
        self.running += deliveries.len();
        let (context, progress) = (self.context.clone(), batch.progress.clone());
        let task = self.tasks.spawn(process_batch(context, deliveries, progress));
        self.started.insert(task.id(), batch);
    }

    /// Waits until a task has ended; `None` when there is none.
    pub(super) async fn ended(&mut self) -> Option<Result<(Id, ()), JoinError>> {
        self.tasks.join_next_with_id().await
    }

    /// Counts what a task did, and lets its keys go on.
    pub(super) fn end(&mut self, ended: Result<(Id, ()), JoinError>) {
        // Aborted, or the handler's future panicked when it was dropped; the deliveries went with it.
        let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
        let Some(batch) = self.started.remove(&id) else {
            return;
        };
        let outcomes = batch.progress.take();
        self.running -= outcomes.len();
        self.bytes -= batch.weight;
        for outcome in &outcomes {
            match outcome {
                Some(Processed::Handled) => self.stopped.handled += 1,
                Some(Processed::Failed) => self.stopped.failed += 1,
                Some(Processed::Dead) => self.stopped.dead += 1,
                Some(Processed::Unsettled) => self.stopped.unsettled += 1,
                Some(Processed::GivenBack) => {}
                None => self.stopped.abandoned += 1,
            }
        }
        let ended: Vec<_> = batch.keys.into_iter().zip(outcomes).collect();
        for of_key in ended.chunk_by(|(a, _), (b, _)| a == b) {
            let done = of_key
                .iter()
                .all(|(_, outcome)| outcome.is_some_and(Processed::is_done));
            if let Some((Some(key), _)) = of_key.first() {
                self.finish(key, done);
            }
        }
    }

    /// What was started of a key is not held any more: done for good, or it comes again, and then after it what is
    /// behind it.
    fn finish(&mut self, key: &LaneKey, done: bool) {
        if done {
            self.lanes.finished(key.clone());
        } else {
            let behind = self.lanes.failed(key);
            self.bytes -= behind.iter().map(Received::weight).sum::<usize>();
        }
    }

    /// Gives back what was not started, and waits for what was, up to the deadline.
    pub(super) async fn drain(&mut self) {
        self.stopped.abandoned += self.lanes.clear().len() as u64;
        let mut deadline = pin!(tokio::time::sleep(self.context.config.drain_deadline));
        while !self.tasks.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.tasks.join_next_with_id() => self.end(ended),
                () = &mut deadline => {
                    self.stopped.reason = StopReason::DrainTimedOut;
                    self.tasks.abort_all();
                    while let Some(ended) = self.tasks.join_next_with_id().await {
                        self.end(ended);
                    }
                }
            }
        }
    }
}
