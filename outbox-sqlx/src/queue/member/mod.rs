//! A member of a consumer group: the task behind a subscriber. In reading order: what it shares with the subscriber and
//! its deliveries (`state`), and the loop (here).

mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::HashSet;
use outbox_core::ReceiveError;
use outbox_core::pacing::Pacer;
use sqlx::Pool;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::database::QueueDatabase;
use super::members::{self, Claimed, Identity, Renewed};
use super::owned::{OwnedQueue, Trials};
use super::promote::promote;
use super::read::PageBuilder;
use super::{load, settle, split};
use state::{Batch, Owned, ReadBounds};

pub(super) use state::{Handed, State};

/// Polls while messages keep coming.
const BUSY_POLL: Duration = Duration::from_millis(3);
/// So many outcomes are written down without waiting for more.
const MANY_OUTCOMES: usize = 1_000;
/// Most retries whose content is loaded at once.
const LOAD_ROWS: usize = 256;
/// A call that takes longer is given up, and its connection with it.
const CALL_TIMEOUT: Duration = Duration::from_secs(40);
/// Waits while the database can't be reached, doubled from the first to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// How long leaving may take; then leases do the rest.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is noted that a group has members.
const SEEN_INTERVAL: Duration = Duration::from_secs(60);

/// What a member shares with its subscriber and its deliveries.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// There is something for the member to do.
    pub(super) work: Notify,
    /// There may be something to receive.
    pub(super) arrived: Notify,
}

impl Shared {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            state: Mutex::new(State::new(config.assured_lease())),
            work: Notify::new(),
            arrived: Notify::new(),
        }
    }

    /// Nothing in here panics half-way through a change, so a poisoned lock is as good as another.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more is handed out, for this reason or because the member is closed.
    pub(super) fn end(&self) -> Option<ReceiveError> {
        let mut state = self.lock();
        if state.closed {
            return Some(ReceiveError::Closed);
        }
        state.failure.take()
    }
}

/// What a member is made of.
pub(super) struct Setup<DB: QueueDatabase> {
    pub(super) pool: Pool<DB>,
    pub(super) identity: Identity,
    pub(super) topics: Vec<Arc<str>>,
    pub(super) config: Config,
    pub(super) shared: Arc<Shared>,
    /// Counts what was appended by this process, or heard of.
    pub(super) appended: watch::Receiver<u64>,
    pub(super) stop: CancellationToken,
}

/// The task. It does one thing with the database at a time.
pub(super) struct Member<DB: QueueDatabase> {
    setup: Setup<DB>,
    connection: Option<DB::Lent>,
    joined: bool,
    /// The group's counter of changes when its queues were last shared out.
    changes: Option<i64>,
    next_heartbeat: Instant,
    next_poll: Instant,
    next_seen: Instant,
    pacer: Pacer,
    bounds: ReadBounds,
    /// What is on its way to the database, until it is known to have arrived.
    unwritten: Option<Batch>,
    failures: u32,
    /// Members of other processes look at the group soon, to take what was given back.
    promote: bool,
}

/// Why the loop ends.
enum End {
    Stopped,
    GroupRemoved,
}

impl<DB: QueueDatabase> Member<DB> {
    pub(super) fn new(setup: Setup<DB>) -> Self {
        let now = Instant::now();
        let config = &setup.config;
        Self {
            connection: None,
            joined: false,
            changes: None,
            next_heartbeat: now,
            next_poll: now,
            next_seen: now + SEEN_INTERVAL,
            pacer: Pacer::new(BUSY_POLL.min(config.idle_poll), config.idle_poll),
            bounds: ReadBounds {
                rows: config.prefetch_rows,
                bytes: config.prefetch_bytes,
                retries_max: config.retries_max,
                typical_weight: 0,
            },
            unwritten: None,
            failures: 0,
            promote: false,
            setup,
        }
    }

    /// Works until it is told to stop, and leaves the group in good order.
    pub(super) async fn run(mut self) {
        let stop = self.setup.stop.clone();
        let shared = Arc::clone(&self.setup.shared);
        let end = loop {
            if stop.is_cancelled() {
                break End::Stopped;
            }
            // What the database is asked in the middle of a step is not begun again when something else comes up:
            // only the waits between the steps can be cut short.
            let stepped = tokio::time::timeout(CALL_TIMEOUT, self.step()).await;
            let wait = match stepped {
                Ok(Ok(Some(end))) => break end,
                Ok(Ok(None)) => {
                    self.failures = 0;
                    self.wait()
                }
                Ok(Err(error)) => self.failed(&error),
                Err(_) => self.failed(&sqlx::Error::PoolTimedOut),
            };
            if wait.is_zero() {
                // One that always has something to do must not keep the other tasks of its thread waiting.
                tokio::task::yield_now().await;
                continue;
            }
            let mut appended = self.setup.appended.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = shared.work.notified(), if self.failures == 0 => {}
                Ok(()) = appended.changed(), if self.failures == 0 => {
                    self.setup.appended.mark_unchanged();
                    shared.lock().look_again();
                    self.next_poll = Instant::now();
                }
                () = tokio::time::sleep(wait) => {}
            }
        };
        match end {
            End::Stopped => self.leave().await,
            End::GroupRemoved => {
                tracing::warn!(
                    group = &*self.setup.identity.group_name,
                    "the consumer group was removed"
                );
            }
        }
        let mut state = shared.lock();
        state.close();
        state.lose_all();
        drop(state);
        shared.arrived.notify_one();
    }

    /// One round: whatever is to be done now.
    async fn step(&mut self) -> sqlx::Result<Option<End>> {
        let now = Instant::now();
        if self.joined && self.setup.shared.lock().lease_left(now).is_none() {
            self.lost("its lease ran out");
        }
        if now >= self.next_heartbeat
            && let Some(end) = self.heartbeat().await?
        {
            return Ok(Some(end));
        }
        self.setup.shared.lock().advance(Instant::now());
        self.write(false).await?;
        self.hand_over().await?;
        self.open_splits().await?;
        self.load().await?;
        self.read().await?;
        if std::mem::take(&mut self.promote) {
            self.promote_due().await?;
        }
        if self.setup.shared.lock().has_ready() {
            self.setup.shared.arrived.notify_one();
        }
        Ok(None)
    }

    /// A connection, taken out: it comes back by [`Self::keep`] when a call went well, and is closed when one did not,
    /// or was dropped half-way.
    async fn take(&mut self) -> sqlx::Result<DB::Lent> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => DB::lend(&self.setup.pool).await,
        }
    }

    fn keep(&mut self, connection: DB::Lent) {
        if DB::KEEPS_CONNECTION {
            self.connection = Some(connection);
        }
    }

    /// Renews the lease, and shares the group's queues out anew where something has changed.
    async fn heartbeat(&mut self) -> sqlx::Result<Option<End>> {
        let mut connection = self.take().await?;
        let identity = &self.setup.identity;
        // Counted from before the database counts.
        let sent = Instant::now();
        let mut renewed = match self.joined {
            true => members::renew::<DB>(&mut connection, identity).await?,
            false => members::join::<DB>(&mut connection, identity).await?,
        };
        if renewed == Renewed::Expired {
            self.lost("another member found its lease run out");
            renewed = members::join::<DB>(&mut connection, &self.setup.identity).await?;
        }
        let Renewed::Member {
            changes,
            paused,
            overdue,
        } = renewed
        else {
            return Ok(Some(End::GroupRemoved));
        };
        self.joined = true;
        self.next_heartbeat = sent + self.setup.config.heartbeat();
        {
            let mut state = self.setup.shared.lock();
            state.renewed(sent + self.setup.config.lease);
            state.paused = paused;
        }
        if sent >= self.next_seen {
            self.next_seen = sent + SEEN_INTERVAL;
            members::seen::<DB>(&mut connection, &self.setup.identity).await?;
        }
        self.keep(connection);
        if (overdue || self.changes != Some(changes)) && !self.share_out().await? {
            return Ok(Some(End::GroupRemoved));
        }
        Ok(None)
    }

    /// Takes this member's share. False: the group was removed.
    async fn share_out(&mut self) -> sqlx::Result<bool> {
        let mut connection = self.take().await?;
        let group = self.setup.identity.group;
        let Some(shares) = members::share_out::<DB>(&mut connection, &self.setup.identity).await? else {
            return Ok(false);
        };
        let mut unknown = self
            .setup
            .shared
            .lock()
            .keep_only(&shares.mine, &shares.to_hand_over);
        let known: Vec<i64> = self.setup.shared.lock().queues().map(|(id, _)| id).collect();
        let claimed: Vec<i64> = shares.claimed.iter().map(|claimed| claimed.queue).collect();
        let mut waiting =
            split::waiting::<DB>(&mut connection, group, &[&known[..], &claimed].concat()).await?;
        if !known.is_empty() {
            // Others may have redriven dead letters, or made the topic grow.
            let mut retries = load::retries::<DB>(&mut connection, group, &known).await?;
            let mut state = self.setup.shared.lock();
            for id in known {
                state.redriven(id, retries.remove(&id).unwrap_or_default(), Instant::now());
                if let Some(owned) = state.queue_mut(id) {
                    owned.waiting = waiting.remove(&id).unwrap_or_default();
                }
            }
        }
        self.say_taken_over(&shares.claimed);
        if !claimed.is_empty() {
            let (mut stored, mut dead) =
                load::left_behind::<DB>(&mut connection, group, &shares.claimed).await?;
            for claimed in &shares.claimed {
                let id = claimed.queue;
                self.take_over(
                    claimed,
                    stored.remove(&id).unwrap_or_default(),
                    dead.remove(&id).unwrap_or_default(),
                    waiting.remove(&id).unwrap_or_default(),
                );
                unknown.retain(|&(unknown, _)| unknown != id);
            }
        }
        if !unknown.is_empty() {
            // Taken by a call whose answer was lost: given back, to be taken anew.
            members::release::<DB>(&mut connection, group, &unknown).await?;
        }
        self.changes = Some(shares.changes);
        self.next_poll = Instant::now();
        self.keep(connection);
        Ok(true)
    }

    /// Says which queues were taken over whose owners did not give them back.
    fn say_taken_over(&self, claimed: &[Claimed]) {
        let left: Vec<&Claimed> = claimed.iter().filter(|claimed| claimed.deaths > 0).collect();
        let Some(deaths) = left.iter().map(|claimed| claimed.deaths).max() else {
            return;
        };
        let group = &self.setup.identity.group_name;
        tracing::warn!(
            group = &**group,
            queues = left.len(),
            deaths,
            "queues were taken over whose owner did not give them back"
        );
        metrics::counter!("outbox_group_takeovers_total", "group" => Arc::clone(group))
            .increment(left.len() as u64);
    }

    fn take_over(
        &self,
        claimed: &Claimed,
        stored: Vec<super::owned::StoredItem>,
        dead: Vec<i64>,
        waiting: Vec<split::Waiting>,
    ) {
        let trials = Trials::new(claimed.deaths, claimed.suspect_to);
        let queue = OwnedQueue::new(claimed.place, stored, dead, trials, Instant::now());
        let owned = Owned {
            topic: Arc::clone(&claimed.topic),
            number: claimed.number,
            epoch: claimed.epoch,
            queue,
            handing_over: false,
            at_end: false,
            waiting,
            full_was_said: false,
        };
        self.setup.shared.lock().insert(claimed.queue, owned);
    }

    /// Writes outcomes down, when it is time for it.
    async fn write(&mut self, all: bool) -> sqlx::Result<()> {
        if self.unwritten.is_none() {
            let mut state = self.setup.shared.lock();
            if !all && !state.is_write_due(Instant::now(), self.setup.config.ack_interval, MANY_OUTCOMES) {
                return Ok(());
            }
            self.unwritten = state.take_batch();
        }
        let Some(batch) = &self.unwritten else {
            return Ok(());
        };
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => DB::lend(&self.setup.pool).await?,
        };
        let still_mine: HashSet<i64> =
            settle::write::<DB>(&mut connection, self.setup.identity.group, &batch.queues).await?;
        self.keep(connection);
        if let Some(batch) = self.unwritten.take()
            && self.setup.shared.lock().written(batch, &still_mine)
        {
            tracing::warn!(
                group = &*self.setup.identity.group_name,
                "outcomes were refused: another member has the queue"
            );
            metrics::counter!("outbox_group_fenced_total", "group" => Arc::clone(&self.setup.identity.group_name))
                .increment(1);
            self.next_heartbeat = Instant::now();
        }
        Ok(())
    }

    /// Gives queues back that another member should have.
    async fn hand_over(&mut self) -> sqlx::Result<()> {
        if self.unwritten.is_some() {
            return Ok(());
        }
        let ready = self.setup.shared.lock().handed_over();
        if ready.is_empty() {
            return Ok(());
        }
        let mut connection = self.take().await?;
        members::release::<DB>(&mut connection, self.setup.identity.group, &ready).await?;
        let mut state = self.setup.shared.lock();
        for (id, _) in ready {
            state.remove(id);
        }
        drop(state);
        self.keep(connection);
        Ok(())
    }

    /// Opens queues that were split off, where the group has come to the split.
    async fn open_splits(&mut self) -> sqlx::Result<()> {
        let Some((id, epoch, waiting)) = self.next_split() else {
            return Ok(());
        };
        let mut connection = self.take().await?;
        let group = self.setup.identity.group;
        if let Some(offsets) = split::open::<DB>(&mut connection, group, (id, epoch), &waiting).await? {
            let mut state = self.setup.shared.lock();
            if let Some(owned) = state.queue_mut(id).filter(|owned| owned.epoch == epoch) {
                owned.queue.moved(&offsets, Instant::now());
                owned.waiting.retain(|other| *other != waiting);
            }
        }
        self.keep(connection);
        // To take the queue that was opened.
        self.next_heartbeat = Instant::now();
        Ok(())
    }

    /// A queue that can be opened, and the one it was split off.
    fn next_split(&self) -> Option<(i64, i64, split::Waiting)> {
        let mut state = self.setup.shared.lock();
        for (id, owned) in state.queues_mut() {
            for waiting in &owned.waiting {
                if owned.queue.cursor() < waiting.split || owned.queue.has_changes() {
                    continue;
                }
                let moving: Vec<(i64, bool)> = owned
                    .queue
                    .stored_below(waiting.split)
                    .filter(|(_, key, _)| waiting.has(key))
                    .map(|(offset, _, busy)| (offset, busy))
                    .collect();
                if moving.iter().all(|&(_, busy)| !busy) {
                    let offsets: Vec<i64> = moving.into_iter().map(|(offset, _)| offset).collect();
                    // They are not out, and must not be while they are moved. (If that fails it is tried until it
                    // succeeds, or the queue is lost.)
                    owned.queue.withhold(&offsets);
                    return Some((id, owned.epoch, waiting.clone()));
                }
            }
        }
        None
    }

    /// Loads the content of retries whose turn has come.
    async fn load(&mut self) -> sqlx::Result<()> {
        if self.unwritten.is_some() {
            return Ok(());
        }
        let wanted = self.setup.shared.lock().wanted(LOAD_ROWS);
        if wanted.is_empty() {
            return Ok(());
        }
        let mut page = PageBuilder::new(
            self.setup
                .shared
                .lock()
                .queues()
                .map(|(id, owned)| (id, Arc::clone(&owned.topic))),
        );
        let mut connection = self.take().await?;
        load::contents::<DB>(&mut connection, self.setup.identity.group, &wanted, &mut page).await?;
        self.keep(connection);
        self.setup
            .shared
            .lock()
            .loaded(&wanted, page.rows, Instant::now());
        Ok(())
    }

    /// Reads the log, when there is something to expect and somebody to want it.
    async fn read(&mut self) -> sqlx::Result<()> {
        let started = Instant::now();
        let poll = started >= self.next_poll;
        let reads = self.setup.shared.lock().what_to_read(&self.bounds, poll);
        if reads.is_empty() {
            return Ok(());
        }
        let mut page = PageBuilder::new(reads.iter().map(|read| (read.queue, Arc::clone(&read.topic))));
        let mut connection = self.take().await?;
        DB::read(&mut connection, &reads, &self.setup.identity.topics, &mut page).await?;
        self.keep(connection);
        self.promote = page.delayed_due;
        let now = Instant::now();
        self.bounds.learn(page.rows.len(), page.weight);
        let found = !page.rows.is_empty() || page.delayed_due;
        self.setup.shared.lock().read(&reads, page.rows, now);
        if poll {
            let pause = self.pacer.after_poll(now.into_std(), found, false, now - started);
            self.next_poll = now + pause;
        }
        Ok(())
    }

    /// Brings messages into their queues that have become due.
    async fn promote_due(&mut self) -> sqlx::Result<()> {
        let mut connection = self.take().await?;
        let mut promoted = 0;
        for topic in &self.setup.topics {
            promoted += promote::<DB>(&mut connection, topic).await?;
        }
        self.keep(connection);
        if promoted > 0 {
            self.setup.shared.lock().look_again();
            self.next_poll = Instant::now();
        }
        Ok(())
    }

    /// How long there is nothing to do; zero when there is something.
    fn wait(&mut self) -> Duration {
        let now = Instant::now();
        let mut state = self.setup.shared.lock();
        state.advance(now);
        if self.unwritten.is_some()
            || state.is_write_due(now, self.setup.config.ack_interval, MANY_OUTCOMES)
                && state.has_something_to_write()
        {
            return Duration::ZERO;
        }
        if !state.wanted(1).is_empty() || !state.what_to_read(&self.bounds, now >= self.next_poll).is_empty()
        {
            return Duration::ZERO;
        }
        let mut until = self.next_heartbeat;
        for time in [
            state.write_due_at(self.setup.config.ack_interval),
            state.next_timer(),
        ] {
            until = until.min(time.unwrap_or(until));
        }
        if state.is_asked() {
            until = until.min(self.next_poll.max(now));
        }
        until
            .saturating_duration_since(now)
            .max(Duration::from_micros(100))
    }

    /// The member has nothing any more, until it joins again.
    fn lost(&mut self, why: &str) {
        tracing::warn!(
            group = &*self.setup.identity.group_name,
            why,
            "this member has lost its queues"
        );
        self.joined = false;
        self.changes = None;
        self.next_heartbeat = Instant::now();
        self.setup.shared.lock().lose_all();
        if let Some(batch) = self.unwritten.take() {
            self.setup.shared.lock().written(batch, &HashSet::default());
        }
    }

    /// How long to wait after a failure.
    fn failed(&mut self, error: &sqlx::Error) -> Duration {
        self.connection = None;
        self.failures = self.failures.saturating_add(1);
        let wait = (BACKOFF.0 * 2u32.saturating_pow(self.failures.min(16) - 1)).min(BACKOFF.1);
        tracing::warn!(
            group = &*self.setup.identity.group_name,
            error = error as &dyn std::error::Error,
            failures = self.failures,
            "the queue's database failed; trying again"
        );
        {
            let mut state = self.setup.shared.lock();
            state.failure = Some(ReceiveError::Unavailable {
                message: error.to_string().into(),
                source: None,
            });
            // Everything may have changed while it was away.
            self.changes = None;
        }
        self.setup.shared.arrived.notify_one();
        wait.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Writes the last outcomes down and gives everything back.
    async fn leave(&mut self) {
        let left = tokio::time::timeout(LEAVE_TIMEOUT, async {
            if !self.joined {
                return Ok(());
            }
            self.write(true).await?;
            self.setup.shared.lock().store_open();
            self.write(true).await?;
            let queues = self.setup.shared.lock().close();
            let mut connection = self.take().await?;
            members::leave::<DB>(&mut connection, &self.setup.identity, &queues).await
        });
        let why = match left.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {LEAVE_TIMEOUT:?}"),
        };
        tracing::warn!(
            group = &*self.setup.identity.group_name,
            why,
            "could not leave the group in good order; its lease has to run out"
        );
    }
}
