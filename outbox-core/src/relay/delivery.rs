use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::Instrument;

use crate::breaker::Breaker;
use crate::message::Message;
use crate::publisher::{Capabilities, PublishError, PublishErrorKind, Publisher};
use crate::shard::Shard;

/// A message that closes the connection this often, alone and with the queue answering probes, is at
/// fault itself.
const SUSPECT_STRIKES: u32 = 3;

/// A row in the window: what is needed to publish it and to settle it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) shard: Shard,
    /// The epoch of the shard when the row was read: a settlement under another one is refused.
    pub(super) epoch: i64,
    pub(super) attempts: u32,
    /// It has failed before and holds its key.
    pub(super) held: bool,
    pub(super) message: Message,
}

/// What is kept of a row while its message is at the queue.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: i64,
    pub(super) shard: Shard,
    pub(super) epoch: i64,
    pub(super) attempts: u32,
}

/// The publishes in flight, and what their failures say about the queue.
pub(super) struct Delivery {
    publisher: Arc<dyn Publisher>,
    capabilities: Capabilities,
    timeout: Duration,
    tasks: JoinSet<Done>,
    /// Batches by their task, so that a publisher that panics doesn't take their rows with it.
    batches: HashMap<tokio::task::Id, (Vec<Flight>, Arc<Vec<Message>>)>,
    publishes: usize,
    probing: bool,
    pub(super) breaker: Breaker,
    /// Messages of a batch that went unanswered although the queue answers probes: they go one by one
    /// until the one at fault is known.
    suspects: HashSet<i64>,
    strikes: HashMap<i64, u32>,
    /// Unanswered rows that wait for a probe's verdict.
    unanswered: Vec<i64>,
}

enum Done {
    Published {
        results: Vec<Result<(), PublishError>>,
        took: Duration,
    },
    Probed(Result<(), PublishError>),
}

/// News of the queue.
pub(super) enum News {
    Batch {
        flights: Vec<Flight>,
        messages: Arc<Vec<Message>>,
        results: Vec<Result<(), PublishError>>,
        took: Duration,
    },
    /// The queue answers (again).
    Reachable,
    Unreachable(PublishError),
}

impl Delivery {
    pub(super) fn new(publisher: Arc<dyn Publisher>, timeout: Duration) -> Self {
        Self {
            capabilities: publisher.capabilities(),
            publisher,
            timeout,
            tasks: JoinSet::new(),
            batches: HashMap::new(),
            publishes: 0,
            probing: false,
            breaker: Breaker::default(),
            suspects: HashSet::new(),
            strikes: HashMap::new(),
            unanswered: Vec::new(),
        }
    }

    pub(super) fn publisher_name(&self) -> &str {
        self.publisher.name()
    }

    pub(super) fn atomic(&self) -> bool {
        self.capabilities.atomic_batches
    }

    pub(super) fn in_flight(&self) -> usize {
        self.publishes
    }

    /// How many messages the next batch may hold; 0: none may go now.
    pub(super) fn next_batch(&self) -> usize {
        if self.breaker.is_open() {
            0
        } else if !self.suspects.is_empty() {
            usize::from(self.publishes == 0)
        } else if self.publishes < self.capabilities.max_in_flight {
            self.capabilities.max_batch
        } else {
            0
        }
    }

    pub(super) fn publish(&mut self, entries: Vec<Entry>) {
        let mut flights = Vec::with_capacity(entries.len());
        let mut messages = Vec::with_capacity(entries.len());
        for entry in entries {
            flights.push(Flight {
                id: entry.id,
                shard: entry.shard,
                epoch: entry.epoch,
                attempts: entry.attempts,
            });
            messages.push(entry.message);
        }
        let messages = Arc::new(messages);
        let (publisher, timeout, batch) = (self.publisher.clone(), self.timeout, messages.clone());
        // One span per batch: the messages' own `create` spans stay in their headers, untouched.
        let span = tracing::debug_span!(
            "send",
            messaging.system = publisher.name(),
            messages = messages.len()
        );
        let task = async move {
            let begun = Instant::now();
            let results = match tokio::time::timeout(timeout, publisher.publish(&batch)).await {
                Ok(results) if results.len() == batch.len() => results,
                Ok(results) => {
                    tracing::error!(
                        publisher = publisher.name(),
                        messages = batch.len(),
                        results = results.len(),
                        "the publisher answered for another number of messages than it was given; none counts as delivered"
                    );
                    vec![
                        Err(PublishError::unavailable(
                            "the publisher gave a wrong number of results"
                        ));
                        batch.len()
                    ]
                }
                Err(_) => {
                    vec![Err(PublishError::unavailable(format!("no answer within {timeout:?}"))); batch.len()]
                }
            };
            Done::Published {
                results,
                took: begun.elapsed(),
            }
        };
        let handle = self.tasks.spawn(task.instrument(span));
        self.batches.insert(handle.id(), (flights, messages));
        self.publishes += 1;
    }

    /// Sends a probe if one is due.
    pub(super) fn probe_if_due(&mut self, now: Instant) {
        if !self.probing && self.publishes == 0 && self.breaker.probe_at().is_some_and(|at| at <= now) {
            self.probing = true;
            let (publisher, timeout) = (self.publisher.clone(), self.timeout);
            self.tasks.spawn(async move {
                let answer = tokio::time::timeout(timeout, publisher.probe()).await;
                Done::Probed(
                    answer.unwrap_or_else(|_| Err(PublishError::unavailable("the probe was not answered"))),
                )
            });
        }
    }

    /// When a probe is due, if one is awaited.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        if self.probing || self.publishes > 0 {
            None
        } else {
            self.breaker.probe_at()
        }
    }

    /// Waits for the next answer; for ever when nothing is under way.
    pub(super) async fn next(&mut self) -> News {
        loop {
            match self.tasks.join_next_with_id().await {
                Some(done) => return self.done(done),
                None => std::future::pending::<()>().await,
            }
        }
    }

    /// An answer that is there already.
    pub(super) fn try_next(&mut self) -> Option<News> {
        let done = self.tasks.try_join_next_with_id()?;
        Some(self.done(done))
    }

    fn done(&mut self, done: Result<(tokio::task::Id, Done), tokio::task::JoinError>) -> News {
        let (id, done) = match done {
            Ok((id, done)) => (id, done),
            Err(error) => {
                tracing::error!(publisher = self.publisher.name(), %error, "the publisher panicked");
                let failed = PublishError::unavailable("the publisher panicked");
                match self.batches.get(&error.id()) {
                    Some((flights, _)) => {
                        let results = vec![Err(failed); flights.len()];
                        (
                            error.id(),
                            Done::Published {
                                results,
                                took: Duration::ZERO,
                            },
                        )
                    }
                    None => (error.id(), Done::Probed(Err(failed))),
                }
            }
        };
        match done {
            Done::Published { results, took } => {
                self.publishes = self.publishes.saturating_sub(1);
                let (flights, messages) = self.batches.remove(&id).unwrap_or_default();
                News::Batch {
                    flights,
                    messages,
                    results,
                    took,
                }
            }
            Done::Probed(answer) => {
                self.probing = false;
                match answer {
                    Ok(()) => {
                        self.breaker.probe_succeeded();
                        self.suspect_the_unanswered();
                        News::Reachable
                    }
                    Err(error) => {
                        // The queue is away: no message is at fault.
                        self.unanswered.clear();
                        self.suspects.clear();
                        self.strikes.clear();
                        self.breaker.probe_failed(Instant::now());
                        News::Unreachable(error)
                    }
                }
            }
        }
    }

    /// The queue answers probes, so one of the messages it did not answer for may be what it can't stand.
    fn suspect_the_unanswered(&mut self) {
        let alone = self.unanswered.len() == 1;
        for id in self.unanswered.drain(..) {
            self.suspects.insert(id);
            if alone {
                *self.strikes.entry(id).or_default() += 1;
            }
        }
    }

    /// A message went unanswered: stop, and ask the queue.
    pub(super) fn unanswered(&mut self, id: i64) {
        self.unanswered.push(id);
        self.breaker.trip(Instant::now());
    }

    /// A message was answered, one way or the other, or is no longer ours to send.
    pub(super) fn answered(&mut self, id: i64) {
        if !self.suspects.is_empty() {
            self.suspects.remove(&id);
            self.strikes.remove(&id);
        }
    }

    /// Forgets suspects that are no longer in the window.
    pub(super) fn keep_suspects(&mut self, mut in_window: impl FnMut(i64) -> bool) {
        if !self.suspects.is_empty() {
            self.suspects.retain(|&id| in_window(id));
            self.strikes.retain(|id, _| self.suspects.contains(id));
        }
    }

    /// Whether a message is at fault for the queue's silence; then it costs an attempt instead of being
    /// sent.
    pub(super) fn convicted(&mut self, id: i64) -> Option<PublishError> {
        if self.strikes.is_empty()
            || self
                .strikes
                .get(&id)
                .is_none_or(|&strikes| strikes < SUSPECT_STRIKES)
        {
            return None;
        }
        self.suspects.remove(&id);
        self.strikes.remove(&id);
        Some(PublishError::new(
            PublishErrorKind::Refused,
            format!(
                "the queue went silent {SUSPECT_STRIKES} times on this message alone, and answered probes"
            ),
        ))
    }

    /// Gives up on what is in flight.
    pub(super) async fn abandon(&mut self) -> usize {
        let left = self.publishes;
        self.tasks.shutdown().await;
        left
    }
}
