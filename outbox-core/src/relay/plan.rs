use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::passes::Need;
use super::run::{Connection, RelayLoop};
use super::statements::Statement;
use super::store::{Fetch, LeaseRequest};
use crate::shard::Shard;

/// Most failures of one statement.
const FAILURES_PER_STATEMENT: usize = 500;
/// Most rows of one statement that are moved to wait for their confirmations: they are copied, payload and all.
const AWAITING_PER_STATEMENT: usize = 500;
/// How often the writers are asked after while the floor waits for them.
pub(super) const WRITERS_EVERY: Duration = Duration::from_millis(100);
/// How often holds, parked keys and rewinds are read.
pub(super) const HOLDS_EVERY: Duration = Duration::from_secs(1);
/// A held row is looked for in the table this many times the bound of one topic.
const HOLDS_READ_FACTOR: usize = 8;
/// The loop wakes up at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

impl RelayLoop {
    /// Which statement goes next. What others wait for comes first (leases, failures), then what makes
    /// room, then new rows.
    pub(super) fn next_statement(&mut self, now: Instant) -> Option<Statement> {
        match self.connection {
            Connection::Closed { open_at } if open_at <= now => return Some(Statement::Open),
            Connection::Closed { .. } => return None,
            Connection::Open => {}
        }
        if let Some(statement) = self.settlement() {
            return Some(statement);
        }
        if self.stopping.is_some() {
            if let Some(statement) = self.delivered() {
                return Some(statement);
            }
            if self.delivery.in_flight() == 0 {
                return Some(Statement::Leave);
            }
        }
        if let Some(statement) = self.lease(now) {
            return Some(statement);
        }
        if self.delivered.len() >= self.config.settle_rows {
            let rest = self.delivered.split_off(self.config.settle_rows);
            return Some(Statement::Delivered(std::mem::replace(&mut self.delivered, rest)));
        }
        if self.awaiting.len() >= AWAITING_PER_STATEMENT {
            return self.awaiting();
        }
        if self.stopping.is_some() {
            return None;
        }
        let active = self.ownership.active();
        if !active.is_empty() {
            if self.holds_at <= now || !active.without(self.holds_known).is_empty() {
                return Some(Statement::Holds {
                    shards: active,
                    limit: self.config.held_keys_max.saturating_mul(HOLDS_READ_FACTOR),
                });
            }
            if !self.clear_rewinds.is_empty() {
                return Some(Statement::ClearRewinds(std::mem::take(&mut self.clear_rewinds)));
            }
            if self.writers_at <= now && self.cohorts.iter().any(|cohort| cohort.wants_writers()) {
                return Some(Statement::Writers);
            }
            if let Some(statement) = self.fetch(now) {
                return Some(statement);
            }
        }
        self.delivered()
    }

    /// The settlement of all that was delivered.
    fn delivered(&mut self) -> Option<Statement> {
        if !self.delivered.is_empty() {
            return Some(Statement::Delivered(std::mem::take(&mut self.delivered)));
        }
        self.awaiting()
    }

    fn awaiting(&mut self) -> Option<Statement> {
        if self.awaiting.is_empty() {
            return None;
        }
        let rest = self
            .awaiting
            .split_off(self.awaiting.len().min(AWAITING_PER_STATEMENT));
        Some(Statement::Awaiting(std::mem::replace(&mut self.awaiting, rest)))
    }

    fn settlement(&mut self) -> Option<Statement> {
        if !self.failed.is_empty() {
            let rest = self
                .failed
                .split_off(self.failed.len().min(FAILURES_PER_STATEMENT));
            return Some(Statement::Failed(std::mem::replace(&mut self.failed, rest)));
        }
        if !self.parked.is_empty() {
            return Some(Statement::MoveParked(
                self.parked.drain().map(|(_, row)| row).collect(),
            ));
        }
        None
    }

    fn lease(&mut self, now: Instant) -> Option<Statement> {
        let leaving = self.ownership.leaving;
        // Handing a shard over settles what is in flight first.
        let settled = !leaving.is_empty()
            && self
                .scheduler
                .unsettled(|group| leaving.contains(Shard::from_stored(group.into())))
                == 0;
        if self.lease_at > now && !settled {
            return None;
        }
        Some(Statement::Lease(LeaseRequest {
            relay: self.config.name.clone(),
            ttl: self.config.lease,
            release: if settled { leaving } else { Default::default() },
            claim: self.stopping.is_none(),
        }))
    }

    fn fetch(&mut self, now: Instant) -> Option<Statement> {
        let room = self.scheduler.room();
        // A page for a few free places would cost as much as a whole one.
        if room < self.config.page_rows.min(self.config.window.rows / 2) {
            return None;
        }
        let retry_due = self.due_hints.peek().is_some_and(|Reverse(at)| *at <= now);
        if self.scheduler.wants_rewind() {
            for cohort in self.cohorts.iter_mut() {
                if self
                    .scheduler
                    .rewinds()
                    .any(|(group, _)| cohort.shards.contains(Shard::from_stored(group.into())))
                {
                    if cohort.may_abandon() {
                        cohort.abandon();
                    }
                    cohort.next_at = None;
                }
            }
        }
        let index = self.cohorts.next_wanting(|cohort| {
            retry_due || cohort.is_running() || cohort.next_at.is_none_or(|at| at <= now)
        })?;
        let excluded = self.scheduler.excluded_len();
        // A new pass would read again what was delivered, and stand before its settlement.
        if !self.cohorts.get_mut(index)?.is_running()
            && let Some(statement) = self.delivered()
        {
            return Some(statement);
        }
        let cohort = self.cohorts.get_mut(index)?;
        if !cohort.is_running() {
            let rewind = self
                .scheduler
                .rewinds()
                .filter(|(group, _)| cohort.shards.contains(Shard::from_stored((*group).into())))
                .map(|(_, position)| position - 1)
                .min();
            let start = cohort.begin(now, rewind, self.config.full_pass);
            cohort.clean = excluded == 0 && rewind.is_none() && self.paused.is_empty();
            self.scheduler
                .begin_pass(cohort.shards.iter().map(Shard::number), start);
        }
        match cohort.need(self.rule) {
            Need::Horizon => return Some(Statement::Horizon { cohort: index }),
            Need::Writers if cohort.is_full_pass() || self.writers_at <= now => {
                return Some(Statement::Writers);
            }
            Need::Writers | Need::Page => {}
        }
        while self.due_hints.peek().is_some_and(|Reverse(at)| *at <= now) {
            self.due_hints.pop();
            self.due_at = now;
        }
        let wants_due = index == 0 && (self.due_cursor.is_some() || self.due_at <= now);
        let (rows, mut due_rows) = (self.config.page_rows.min(room), self.config.due_rows.min(room));
        if !wants_due {
            due_rows = 0;
        }
        Some(Statement::Fetch {
            cohort: index,
            fetch: Fetch {
                shards: cohort.shards,
                after: cohort.mark(),
                up_to: cohort.up_to(),
                rows,
                scan_rows: self.config.scan_rows.max(rows),
                bytes: self.config.page_bytes,
                stray_shards: cohort.is_full_pass() && cohort.shards.contains(Shard::from_stored(0)),
                due_shards: self.ownership.active(),
                due_rows,
                due_after: self.due_cursor,
                exclude_keys: self
                    .scheduler
                    .excluded()
                    .map(|key| (key.topic.clone(), key.key.clone()))
                    .collect(),
                exclude_topics: self.paused.iter().cloned().collect(),
            },
        })
    }

    /// When the loop has to look again though nothing happened.
    pub(super) fn next_deadline(&self, now: Instant) -> Instant {
        let mut next = now + LONGEST_WAIT;
        let mut at_latest = |at: Instant| next = next.min(at);
        if let Some(deadline) = self.stopping {
            at_latest(if deadline > now {
                deadline
            } else {
                deadline + super::run::SETTLE_GRACE
            });
        }
        if let Some(at) = self.delivery.probe_at() {
            at_latest(at);
        }
        if let Some(until) = self.ownership.valid_until() {
            at_latest(until);
        }
        if !self.waiting_for_store {
            match self.connection {
                Connection::Closed { open_at } => at_latest(open_at),
                Connection::Open => {
                    at_latest(self.lease_at);
                    if self.stopping.is_none() && !self.ownership.active().is_empty() {
                        at_latest(self.holds_at);
                        if self.cohorts.iter().any(|cohort| cohort.wants_writers()) {
                            at_latest(self.writers_at);
                        }
                        let room = self.scheduler.room();
                        if room >= self.config.page_rows.min(self.config.window.rows / 2) {
                            self.cohorts
                                .iter()
                                .filter_map(|cohort| cohort.next_at)
                                .for_each(&mut at_latest);
                            if let Some(Reverse(at)) = self.due_hints.peek() {
                                at_latest(*at);
                            }
                        }
                    }
                }
            }
        }
        next.max(now)
    }
}
