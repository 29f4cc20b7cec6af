use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::handler::Handler;
use super::intake::intake;
use super::lanes::{LaneKey, Lanes};
use super::process::{Processed, process};
use super::rate::Limiter;
use super::stopped::{StopReason, Stopped};
use crate::subscriber::{Delivery, Subscriber};

/// Receives and handles until told to stop, then drains.
pub(super) async fn run(
    mut subscriber: Box<dyn Subscriber>,
    handler: Arc<dyn Handler>,
    config: Arc<Config>,
    stop: CancellationToken,
) -> Stopped {
    let group: Arc<str> = subscriber.group().unwrap_or("").into();
    let room = AtomicUsize::new(0);
    let mut work = Work {
        handler,
        group: Arc::clone(&group),
        limiter: config.rate.map(|rate| Limiter::new(rate, Instant::now())),
        start_at: None,
        held_back: false,
        config,
        lanes: Lanes::new(),
        tasks: JoinSet::new(),
        started: HashMap::new(),
        bytes: 0,
        stopped: Stopped::nothing_yet(),
    };
    {
        let mut intake = pin!(intake(&mut *subscriber, &room, &group));
        work.stopped.reason = loop {
            work.start_what_may();
            room.store(work.room(), Ordering::Relaxed);
            tokio::select! {
                biased;
                () = stop.cancelled() => break StopReason::Cancelled,
                received = intake.next(), if work.wants_more() => match received {
                    Some(deliveries) => work.take_in(deliveries),
                    None => break StopReason::Closed,
                },
                Some(ended) = work.tasks.join_next_with_id() => work.end(ended),
                () = until(work.start_at) => {}
            }
        };
        // Leaving this scope drops a receive that has begun: what it would have returned comes again.
    }
    work.drain().await;
    let stopped = work.stopped;
    tracing::info!(group = &*group, %stopped, "the consumer stopped");
    // The member leaves its group only now, so that the outcomes of the drain were still its own to tell.
    if let Err(error) = subscriber.close().await {
        tracing::warn!(group = &*group, %error, "could not leave the group; its lease has to run out");
    }
    stopped
}

/// What was received and is not finished.
struct Work {
    handler: Arc<dyn Handler>,
    config: Arc<Config>,
    group: Arc<str>,
    limiter: Option<Limiter>,
    /// When something may start that is not allowed to yet.
    start_at: Option<Instant>,
    /// Whether the next in line was not allowed to start, although it could have.
    held_back: bool,
    lanes: Lanes<Delivery>,
    tasks: JoinSet<Processed>,
    /// The key and the weight of each that runs, kept here because a task that is aborted can't tell.
    started: HashMap<Id, (Option<LaneKey>, usize)>,
    bytes: usize,
    stopped: Stopped,
}

impl Work {
    /// How many more may be received.
    fn room(&self) -> usize {
        if self.bytes >= self.config.prefetch_bytes {
            return 0;
        }
        let held = self.tasks.len() + self.lanes.unstarted();
        self.config.held().saturating_sub(held)
    }

    /// Whether to receive now: when something could run and nothing is there for it, or when there is room
    /// for half a prefetch. Small gaps are not worth a receive each.
    fn wants_more(&self) -> bool {
        let room = self.room();
        let idle = self.tasks.len() < self.config.concurrency && !self.lanes.has_ready();
        room > 0 && (idle || room * 2 >= self.config.prefetch)
    }

    fn take_in(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let message = delivery.message();
            let key = message
                .shared_key()
                .map(|key| (Arc::clone(message.shared_topic()), Arc::clone(key)));
            self.bytes += message.weight();
            self.lanes.offer(key, delivery);
        }
    }

    fn start_what_may(&mut self) {
        self.start_at = None;
        while self.tasks.len() < self.config.concurrency {
            let Some(next) = self.lanes.peek() else {
                break;
            };
            let in_time = self.leaves_time(next);
            if in_time && let Err(at) = self.may_start() {
                self.held_back = true;
                self.start_at = Some(at);
                break;
            }
            let Some((key, delivery)) = self.lanes.take() else {
                break;
            };
            let weight = delivery.message().weight();
            if !in_time {
                // It comes again, with a whole lease.
                drop(delivery);
                self.finish(key, weight, false);
                continue;
            }
            let task = self.tasks.spawn(process(
                delivery,
                Arc::clone(&self.handler),
                Arc::clone(&self.config),
                Arc::clone(&self.group),
            ));
            self.started.insert(task.id(), (key, weight));
        }
    }

    /// Whether a delivery stays this member's until its handler is surely through.
    fn leaves_time(&self, delivery: &Delivery) -> bool {
        delivery
            .lease_left()
            .is_none_or(|left| left >= self.config.handler_timeout)
    }

    /// Asks the rate limit, if there is one; the error is when to ask again.
    fn may_start(&mut self) -> Result<(), Instant> {
        let Some(limiter) = &mut self.limiter else {
            return Ok(());
        };
        limiter.start(1, Instant::now())?;
        if std::mem::take(&mut self.held_back) {
            metrics::counter!("outbox_consumer_rate_limited_total", "group" => Arc::clone(&self.group))
                .increment(1);
        }
        Ok(())
    }

    /// Counts what a task did, and lets its key go on.
    fn end(&mut self, ended: Result<(Id, Processed), JoinError>) {
        let (id, processed) = match ended {
            Ok((id, processed)) => (id, Some(processed)),
            // Aborted, or the handler's future panicked when it was dropped; the delivery went with it.
            Err(error) => (error.id(), None),
        };
        match processed {
            Some(Processed::Handled) => self.stopped.handled += 1,
            Some(Processed::Failed) => self.stopped.failed += 1,
            Some(Processed::Dead) => self.stopped.dead += 1,
            Some(Processed::Unsettled) => self.stopped.unsettled += 1,
            None => self.stopped.abandoned += 1,
        }
        let done = matches!(processed, Some(Processed::Handled | Processed::Dead));
        if let Some((key, weight)) = self.started.remove(&id) {
            self.finish(key, weight, done);
        }
    }

    /// One is not held any more: done for good, or it comes again, and then after it what is behind it.
    fn finish(&mut self, key: Option<LaneKey>, weight: usize, done: bool) {
        self.bytes -= weight;
        match key {
            Some(key) if done => self.lanes.finished(key),
            Some(key) => {
                let behind = self.lanes.failed(&key);
                self.bytes -= behind
                    .iter()
                    .map(|delivery| delivery.message().weight())
                    .sum::<usize>();
            }
            None => {}
        }
    }

    /// Gives back what was not started, and waits for what was, up to the deadline.
    async fn drain(&mut self) {
        self.stopped.abandoned += self.lanes.clear().len() as u64;
        let mut deadline = pin!(tokio::time::sleep(self.config.drain_deadline));
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

/// Waits until then; for ever when there is no such time.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
