use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::config::{RelayConfig, RelayConfigError};
use super::delivery::{Delivery, Entry};
use super::failures::KeyId;
use super::shards::{Cohorts, Ownership};
use super::statements::{Answered, Statement, run_statements};
use super::stats::RelayStats;
use super::stopped::{StopReason, Stopped};
use super::store::{Awaiting, DueCursor, Failure, ParkedRow, RelayStore, ShardSet, StoreError};
use crate::pacing::Pacer;
use crate::publisher::Publisher;
use crate::scheduler::KeyScheduler;
use crate::shard::Shard;
use crate::wake::Wake;

/// Delivers what is in an outbox to a publisher, until it is told to stop.
///
/// Several relays may share an outbox: they lease its shards in fair shares, and one that dies is
/// replaced when its leases have run out.
pub struct Relay {
    store: Box<dyn RelayStore>,
    publisher: Arc<dyn Publisher>,
    config: RelayConfig,
    wake: Wake,
    stats: Arc<RelayStats>,
}

impl Relay {
    /// A relay from a store to a publisher.
    ///
    /// # Errors
    /// A setting that can't be.
    pub fn new(
        store: impl RelayStore,
        publisher: impl Publisher,
        config: RelayConfig,
    ) -> Result<Self, RelayConfigError> {
        config.check()?;
        Ok(Self {
            store: Box::new(store),
            publisher: Arc::new(publisher),
            config,
            wake: Wake::new(),
            stats: Arc::default(),
        })
    }

    /// Listens to an outbox of the same process, so that a message goes out as soon as it is committed.
    /// Without it, the relay finds messages by polling.
    #[must_use]
    pub fn with_wake(mut self, wake: Wake) -> Self {
        self.wake = wake;
        self
    }

    /// What this relay will have done, to be read while it runs.
    pub fn stats(&self) -> Arc<RelayStats> {
        self.stats.clone()
    }

    /// This relay's name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Runs until `stop`; then finishes what is in flight (at most [`RelayConfig::drain_timeout`]), settles
    /// it, gives its shards back, and says why it stopped. After that nothing is published any more.
    ///
    /// A database that is away is waited for; one whose schema can't be worked with at the start ends it.
    pub async fn run(self, stop: CancellationToken) -> Stopped {
        let (statements, statement_queue) = mpsc::channel(1);
        let (answer_queue, answers) = mpsc::channel(1);
        let store_name = self.store.name();
        let rule = self.store.floor_rule();
        let name = self.config.name.clone();
        let store_task = tokio::spawn(run_statements(
            self.store,
            name.clone(),
            self.config.archive,
            statement_queue,
            answer_queue,
        ));
        let now = Instant::now();
        let mut relay = RelayLoop {
            rule,
            scheduler: KeyScheduler::new(self.config.window),
            delivery: Delivery::new(self.publisher, self.config.publish_timeout),
            ownership: Ownership::new(),
            cohorts: Cohorts::default(),
            pacer: Pacer::new(self.config.poll_busy, self.config.poll_idle),
            wake: self.wake,
            stats: self.stats,
            random: fastrand::Rng::new(),
            waiting_for_store: false,
            connection: Connection::Closed { open_at: now },
            opened_once: false,
            errors_in_a_row: 0,
            delivered: Vec::new(),
            awaiting: Vec::new(),
            failed: Vec::new(),
            malformed: HashSet::new(),
            parked: HashMap::new(),
            clear_rewinds: Vec::new(),
            lease_at: now,
            holds_at: now,
            holds_known: ShardSet::default(),
            writers_at: now,
            due_cursor: None,
            due_at: now,
            due_hints: BinaryHeap::new(),
            paused: HashSet::new(),
            stopping: None,
            left: false,
            unusable: None,
            config: self.config,
        };
        tracing::info!(
            relay = name,
            store = store_name,
            publisher = relay.delivery.publisher_name(),
            "relay started"
        );
        let stopped = relay.run(stop, statements, answers).await;
        // The store ends when its queue is closed; a statement that hangs ends by its own timeout.
        if tokio::time::timeout(Duration::from_secs(1), store_task)
            .await
            .is_err()
        {
            tracing::warn!(relay = name, "the store did not end within a second");
        }
        tracing::info!(
            relay = name,
            delivered = stopped.delivered,
            clean = stopped.is_clean(),
            "relay stopped"
        );
        stopped
    }
}

/// The state of a running relay. What each part does is in `plan` (which statement goes next), `apply`
/// (what an answer changes) and `delivery` (the publisher's side).
pub(super) struct RelayLoop {
    pub(super) config: RelayConfig,
    pub(super) rule: super::store::FloorRule,
    pub(super) scheduler: KeyScheduler<KeyId, Entry>,
    pub(super) delivery: Delivery,
    pub(super) ownership: Ownership,
    pub(super) cohorts: Cohorts,
    pub(super) pacer: Pacer,
    pub(super) wake: Wake,
    pub(super) stats: Arc<RelayStats>,
    pub(super) random: fastrand::Rng,
    /// A statement is under way.
    pub(super) waiting_for_store: bool,
    pub(super) connection: Connection,
    pub(super) opened_once: bool,
    /// Errors of the database since it last gave a page.
    pub(super) errors_in_a_row: u32,
    /// Outcomes to be settled.
    pub(super) delivered: Vec<i64>,
    /// Of messages that ask to be confirmed.
    pub(super) awaiting: Vec<Awaiting>,
    pub(super) failed: Vec<Failure>,
    /// Rows that are no messages and are being buried.
    pub(super) malformed: HashSet<i64>,
    pub(super) parked: HashMap<i64, ParkedRow>,
    pub(super) clear_rewinds: Vec<(Shard, i64)>,
    pub(super) lease_at: Instant,
    pub(super) holds_at: Instant,
    /// Shards whose holds have been read since they were gained; no row is read for others.
    pub(super) holds_known: ShardSet,
    pub(super) writers_at: Instant,
    pub(super) due_cursor: Option<DueCursor>,
    pub(super) due_at: Instant,
    /// When retries of this relay's own failures come due, so that they need not wait for an idle poll.
    pub(super) due_hints: BinaryHeap<Reverse<Instant>>,
    /// Topics with too many held keys: nothing is read for them but the retries.
    pub(super) paused: HashSet<Arc<str>>,
    /// Since when, and until when at the latest, the relay finishes.
    pub(super) stopping: Option<Instant>,
    pub(super) left: bool,
    pub(super) unusable: Option<StoreError>,
}

/// Whether the store is connected.
pub(super) enum Connection {
    Open,
    Closed { open_at: Instant },
}

/// After the drain's time is over, what is known is still settled for this long.
pub(super) const SETTLE_GRACE: Duration = Duration::from_secs(5);

impl RelayLoop {
    async fn run(
        &mut self,
        stop: CancellationToken,
        statements: mpsc::Sender<Statement>,
        mut answers: mpsc::Receiver<Answered>,
    ) -> Stopped {
        let mut abandoned = 0;
        loop {
            let now = Instant::now();
            self.expire_leases(now);
            self.delivery.probe_if_due(now);
            self.dispatch(now);
            if !self.waiting_for_store
                && let Some(statement) = self.next_statement(now)
            {
                self.waiting_for_store = true;
                self.stats.statements.add(1);
                if statements.send(statement).await.is_err() {
                    self.unusable = Some(StoreError::Unavailable("the store's task ended".into()));
                }
            }
            if self.left || self.unusable.is_some() {
                break;
            }
            if let Some(deadline) = self.stopping {
                if now >= deadline && self.delivery.in_flight() > 0 {
                    abandoned += self.delivery.abandon().await;
                }
                let nothing_to_settle =
                    self.delivered.is_empty() && self.awaiting.is_empty() && self.failed.is_empty();
                let disconnected =
                    matches!(self.connection, Connection::Closed { .. }) && !self.waiting_for_store;
                if now >= deadline + SETTLE_GRACE
                    || (disconnected && nothing_to_settle && self.delivery.in_flight() == 0)
                {
                    break;
                }
            }
            let next = self.next_deadline(now);
            tokio::select! {
                answer = answers.recv() => match answer {
                    Some(answer) => self.apply(answer),
                    None => self.unusable = Some(StoreError::Unavailable("the store's task ended".into())),
                },
                news = self.delivery.next() => {
                    self.hear(news);
                    while let Some(news) = self.delivery.try_next() {
                        self.hear(news);
                    }
                }
                () = self.wake.notified(), if self.stopping.is_none() => self.cohorts.iter_mut().for_each(|cohort| cohort.next_at = None),
                () = stop.cancelled(), if self.stopping.is_none() => {
                    self.stopping = Some(Instant::now() + self.config.drain_timeout);
                }
                () = tokio::time::sleep_until(next.into()) => {}
            }
        }
        abandoned += self.delivery.abandon().await;
        Stopped {
            reason: self
                .unusable
                .take()
                .map_or(StopReason::Asked, StopReason::Unusable),
            delivered: self.stats.delivered.get(),
            abandoned,
            unsettled: self.delivered.len() + self.awaiting.len(),
        }
    }

    /// Hands rows that may go to the publisher.
    fn dispatch(&mut self, now: Instant) {
        if self.stopping.is_some() || !self.ownership.is_valid(now) {
            return;
        }
        let active = self.ownership.active();
        loop {
            let max = self.delivery.next_batch();
            if max == 0 || !self.scheduler.has_ready() {
                return;
            }
            let taken = self
                .scheduler
                .take(max, self.delivery.atomic(), |group| active.0 >> group & 1 == 1);
            if taken.is_empty() {
                return;
            }
            let mut batch = Vec::with_capacity(taken.len());
            for (_, entry) in taken {
                match self.delivery.convicted(entry.id) {
                    Some(error) => self.refused(entry, &error),
                    None => batch.push(entry),
                }
            }
            if !batch.is_empty() {
                self.delivery.publish(batch);
            }
        }
    }

    /// The leases may have run out by this process's own clock: it owns nothing until it hears otherwise.
    fn expire_leases(&mut self, now: Instant) {
        if self.ownership.valid_until().is_some_and(|until| until <= now) {
            let lost = self.ownership.expire();
            tracing::warn!(
                relay = self.config.name,
                shards = lost.len(),
                "the leases ran out before they could be renewed"
            );
            self.lose(lost);
        }
    }

    pub(super) fn lose(&mut self, shards: ShardSet) {
        if shards.is_empty() {
            return;
        }
        self.scheduler.drop_groups(|group| {
            shards
                .0
                .checked_shr(group.into())
                .is_some_and(|bits| bits & 1 == 1)
        });
        self.cohorts.lose(shards);
        self.holds_known = self.holds_known.without(shards);
        let scheduler = &self.scheduler;
        self.delivery.keep_suspects(|id| scheduler.contains(id));
    }
}
