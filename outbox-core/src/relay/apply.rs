use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::delivery::{Entry, Flight, News};
use super::failures::{KeyId, decide, stored_error};
use super::plan::{HOLDS_EVERY, WRITERS_EVERY};
use super::run::{Connection, RelayLoop};
use super::statements::{Answer, Answered, Statement};
use super::store::{
    Awaiting, DueCursor, Failure, FailureAction, Holds, Page, ParkedRow, Row, ShardSet, StoreError,
};
use crate::confirmation::Confirm;
use crate::message::Message;
use crate::publisher::{PublishError, PublishErrorKind};
use crate::scheduler::Offer;
use crate::shard::Shard;

/// Pauses between attempts to connect: doubling from the first to the second.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How soon the due rows are read from the beginning again.
const DUE_EVERY: Duration = Duration::from_millis(10);
/// Reading the due rows takes at most one part in so many of the time.
const DUE_SHARE: u32 = 5;

impl RelayLoop {
    /// What a statement's answer changes.
    pub(super) fn apply(&mut self, answered: Answered) {
        self.waiting_for_store = false;
        let now = Instant::now();
        let Answered {
            statement,
            sent,
            took,
            result,
        } = answered;
        let answer = match result {
            Ok(answer) => answer,
            Err(error) => return self.store_failed(statement, error, now),
        };
        match (statement, answer) {
            (Statement::Open, _) => self.opened(now),
            (Statement::Lease(request), Answer::Lease(grant)) => {
                self.lease_at = sent + self.config.lease / 3;
                let change = self.ownership.apply(&grant, sent + self.config.lease);
                if change != Default::default() {
                    tracing::info!(
                        relay = self.config.name,
                        owned = self.ownership.owned().len(),
                        gained = change.gained.len(),
                        lost = change.lost.without(request.release).len(),
                        handing_over = change.surplus.len(),
                        "shards changed"
                    );
                }
                self.lose(change.lost);
                self.scheduler
                    .gain_groups(|group| change.gained.contains(Shard::from_stored(group.into())));
                self.cohorts.gain(change.gained);
                self.ownership.hand_over(change.surplus);
                self.lose(change.surplus);
            }
            (Statement::Leave, _) => self.left = true,
            (Statement::Fetch { cohort, fetch }, Answer::Page(page)) => {
                // Not already when it connects: what fails may be the statement after that, each time.
                self.errors_in_a_row = 0;
                self.page(cohort, fetch.due_rows > 0, page, now, took);
            }
            (Statement::Horizon { cohort }, Answer::Horizon(horizon)) => {
                if let Some(cohort) = self.cohorts.get_mut(cohort) {
                    cohort.set_horizon(horizon, self.rule);
                }
            }
            (Statement::Writers, Answer::Writers(writers)) => {
                self.writers_at = now + WRITERS_EVERY;
                self.cohorts
                    .iter_mut()
                    .for_each(|cohort| cohort.writers(&writers));
            }
            (Statement::Holds { shards, limit }, Answer::Holds(holds)) => {
                self.holds(shards, limit, holds, now)
            }
            (Statement::Delivered(ids), _) => ids.into_iter().for_each(|id| self.scheduler.forget(id)),
            (Statement::Awaiting(rows), _) => rows.iter().for_each(|row| self.scheduler.forget(row.id)),
            (Statement::Failed(failures), Answer::Touched(touched)) => {
                for failure in failures {
                    let there = touched.contains(&failure.id);
                    self.failure_settled(&failure, there, now);
                }
                self.check_held_topics();
            }
            (Statement::MoveParked(rows), Answer::Touched(moved)) => {
                self.stats.dead.add(moved.len() as u64);
                if rows.iter().any(|row| !moved.contains(&row.id)) {
                    // The key may be parked no longer: only a fresh look at the parked keys, together
                    // with the rewinds, can tell.
                    self.holds_at = now;
                }
            }
            _ => {}
        }
    }

    fn opened(&mut self, now: Instant) {
        self.connection = Connection::Open;
        self.opened_once = true;
        self.lease_at = now;
        self.holds_at = now;
        // An answer may have been lost, and with it a rewind: everything is read again.
        self.cohorts.restart();
        self.due_cursor = None;
        self.due_at = now;
    }

    fn store_failed(&mut self, statement: Statement, error: StoreError, now: Instant) {
        self.stats.store_errors.add(1);
        if matches!(error, StoreError::Unusable { .. }) && !self.opened_once {
            self.unusable = Some(error);
            return;
        }
        let pause = RECONNECT
            .0
            .saturating_mul(1 << self.errors_in_a_row.min(16))
            .min(RECONNECT.1);
        self.errors_in_a_row = self.errors_in_a_row.saturating_add(1);
        let cause: &dyn std::error::Error = &error;
        tracing::warn!(
            relay = self.config.name,
            error = cause,
            ?pause,
            "the database failed; connecting again"
        );
        self.connection = Connection::Closed { open_at: now + pause };
        // Outcomes are settled when the connection is back; whether they were settled by the statement
        // that failed is unknown, and does not matter: settling twice changes nothing.
        match statement {
            Statement::Delivered(mut ids) => {
                ids.append(&mut self.delivered);
                self.delivered = ids;
            }
            Statement::Awaiting(mut rows) => {
                rows.append(&mut self.awaiting);
                self.awaiting = rows;
            }
            Statement::Failed(mut failures) => {
                failures.append(&mut self.failed);
                self.failed = failures;
            }
            Statement::Leave => self.left = true,
            // Parked rows are read again; rewinds are still in the table.
            _ => {}
        }
    }

    fn page(&mut self, index: usize, with_due: bool, page: Page, now: Instant, took: Duration) {
        if with_due {
            self.due_page(&page, now, took);
        }
        let Some(cohort) = self.cohorts.get_mut(index) else {
            return;
        };
        let (floor, counts_late, shards) = (
            cohort.floor(),
            cohort.is_full_pass() && cohort.is_caught_up() && cohort.clean,
            cohort.shards,
        );
        let Page {
            rows,
            mut scanned_to,
            mut end,
            due,
            ..
        } = page;
        let mut found = false;
        let mut late = 0;
        for row in rows {
            let id = row.id;
            // A shard that was lost while the page was under way.
            if !shards.contains(row.shard) {
                continue;
            }
            match self.offer(row) {
                Offer::Accepted => {
                    found = true;
                    late += u64::from(counts_late && id <= floor);
                }
                Offer::Parked => found = true,
                Offer::Full => {
                    (scanned_to, end) = (id - 1, false);
                    break;
                }
                Offer::Known | Offer::Outside => {}
            }
        }
        let mut found_due = false;
        for row in due {
            if let (true, Some(cursor)) = (self.ownership.active().contains(row.shard), row.due) {
                match self.offer(row) {
                    Offer::Full => {
                        // The rest of the due rows is read again from here.
                        self.due_cursor = Some(DueCursor {
                            id: cursor.id - 1,
                            ..cursor
                        });
                        break;
                    }
                    offer => found_due |= matches!(offer, Offer::Accepted | Offer::Parked),
                }
            }
        }
        if late > 0 {
            self.stats.late.add(late);
            tracing::warn!(
                relay = self.config.name,
                late,
                "a full pass found rows below the floor: something takes ids long before it commits"
            );
        }
        let armed = self.wake.is_armed();
        let Some(cohort) = self.cohorts.get_mut(index) else {
            return;
        };
        let was_long = cohort.is_long();
        if cohort.page(now, took, scanned_to, end, found, self.rule) {
            let found_any = cohort.found || found_due;
            let abandoned = !end;
            let more = abandoned || (cohort.found && was_long) || self.scheduler.wants_rewind();
            let pause = self.pacer.after_poll(now, found_any, armed, took);
            cohort.next_at = (!more).then(|| now + pause);
            if self.cohorts.merge()
                && let Some(main) = self.cohorts.get_mut(0)
            {
                main.next_at = None;
            }
        }
    }

    fn due_page(&mut self, page: &Page, now: Instant, took: Duration) {
        let last = page.due.last().and_then(|row| row.due);
        self.due_cursor = if page.due_end { None } else { last };
        if self.due_cursor.is_none() {
            self.due_at = now + DUE_EVERY.max(took * DUE_SHARE);
        }
    }

    fn offer(&mut self, row: Row) -> Offer {
        let Row {
            id,
            shard,
            attempts,
            message,
            problem,
            ..
        } = row;
        let Some(epoch) = self.ownership.epoch(shard) else {
            return Offer::Known;
        };
        if let Some(problem) = problem {
            if self.malformed.insert(id) {
                self.failed.push(Failure {
                    id,
                    shard,
                    epoch,
                    topic: message.shared_topic().clone(),
                    key: message.shared_key().cloned(),
                    attempts,
                    error: stored_error(&format!("the stored row is no message: {problem}")),
                    action: FailureAction::BuryInvalid,
                });
            }
            return Offer::Accepted;
        }
        let key = message.shared_key().map(|key| KeyId {
            shard: shard.number(),
            topic: message.shared_topic().clone(),
            key: key.clone(),
        });
        let weight = message.weight();
        let held = row.held;
        let entry = Entry {
            id,
            shard,
            epoch,
            attempts,
            held,
            message,
        };
        let offer = self.scheduler.offer(id, shard.number(), key, weight, entry);
        if offer == Offer::Parked {
            self.parked.insert(id, ParkedRow { id, shard, epoch });
        }
        offer
    }

    /// What the publisher's side has to tell.
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Batch {
                flights,
                messages,
                results,
                took,
            } => self.batch(flights, messages, results, took),
            News::Reachable => {
                tracing::info!(publisher = self.delivery.publisher_name(), "the queue answers")
            }
            News::Unreachable(error) => {
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(
                    publisher = self.delivery.publisher_name(),
                    error = cause,
                    "the queue is away; no attempt is counted"
                );
            }
        }
    }

    fn batch(
        &mut self,
        flights: Vec<Flight>,
        messages: Arc<Vec<Message>>,
        results: Vec<Result<(), PublishError>>,
        took: Duration,
    ) {
        let mut messages = Arc::try_unwrap(messages).unwrap_or_else(|shared| shared.as_ref().clone());
        if results.iter().all(Result::is_ok) {
            // By far the usual case.
            self.count_delivered(&messages, took);
            for (flight, message) in flights.iter().zip(&messages) {
                self.taken(flight.id, message);
            }
            return;
        }
        let was_open = self.delivery.breaker.is_open();
        let mut again = Vec::new();
        let mut taken = Vec::new();
        for ((flight, message), result) in flights.into_iter().zip(messages.drain(..)).zip(results) {
            let Flight {
                id,
                shard,
                epoch,
                attempts,
            } = flight;
            match result {
                Ok(()) => {
                    self.taken(id, &message);
                    taken.push(message);
                }
                Err(error) if error.kind() == PublishErrorKind::Unavailable => {
                    self.count_failure(&message, "unavailable");
                    self.delivery.unanswered(id);
                    again.push((
                        id,
                        Entry {
                            id,
                            shard,
                            epoch,
                            attempts,
                            held: attempts > 0,
                            message,
                        },
                    ));
                }
                Err(error) => {
                    self.delivery.answered(id);
                    self.refused(
                        Entry {
                            id,
                            shard,
                            epoch,
                            attempts,
                            held: true,
                            message,
                        },
                        &error,
                    );
                }
            }
        }
        self.count_delivered(&taken, took);
        if !again.is_empty() {
            self.stats.unanswered.add(again.len() as u64);
            if !was_open {
                self.stats.breaker_opened.add(1);
                tracing::warn!(
                    publisher = self.delivery.publisher_name(),
                    messages = again.len(),
                    "the queue did not answer"
                );
            }
            self.scheduler.put_back(again);
        }
    }

    /// The queue has taken a message: its row goes, or waits for the confirmations that the message asks for. Its key goes
    /// on either way.
    fn taken(&mut self, id: i64, message: &Message) {
        self.scheduler.delivered(id);
        self.delivery.answered(id);
        match Confirm::of(message.headers()) {
            Ok(None) => self.delivered.push(id),
            Ok(Some(confirm)) => self.awaiting.push(Awaiting { id, confirm }),
            Err(error) => {
                // Foreign code wrote it. It was delivered, and there is nothing to wait for.
                self.delivered.push(id);
                self.stats.malformed_confirms.add(1);
                metrics::counter!("outbox_malformed_confirms_total", "topic" => message.topic().to_owned())
                    .increment(1);
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(
                    relay = self.config.name,
                    message = %message.id(),
                    topic = message.topic(),
                    error = cause,
                    "a message asks to be confirmed in a way that can't be understood; it was delivered, and nobody waits"
                );
            }
        }
    }

    /// The queue refused a message: it costs an attempt, and the message holds its key.
    pub(super) fn refused(&mut self, entry: Entry, error: &PublishError) {
        let Entry {
            id,
            shard,
            epoch,
            attempts,
            message,
            ..
        } = entry;
        let attempts = attempts.saturating_add(1);
        let policy = self.config.policy(message.topic());
        let keyed = message.key().is_some();
        let action = decide(policy, error.kind(), attempts, keyed, &mut self.random);
        self.count_failure(&message, error.kind().as_str());
        self.stats.refused.add(1);
        self.scheduler.hold(id);
        self.failed.push(Failure {
            id,
            shard,
            epoch,
            topic: message.shared_topic().clone(),
            key: message.shared_key().cloned(),
            attempts,
            error: stored_error(&error.to_string()),
            action,
        });
    }

    fn failure_settled(&mut self, failure: &Failure, there: bool, now: Instant) {
        let id = failure.id;
        self.malformed.remove(&id);
        self.scheduler.forget(id);
        let key = failure.key.as_ref().map(|key| KeyId {
            shard: failure.shard.number(),
            topic: failure.topic.clone(),
            key: key.clone(),
        });
        if !there {
            // Somebody else settled it, or owns the shard by now.
            self.stats.fenced.add(1);
            if let Some(key) = &key {
                self.scheduler.free(key, id);
            }
            return;
        }
        match failure.action {
            FailureAction::Retry(wait) => self.due_hints.push(Reverse(now + wait)),
            FailureAction::Block => self.stats.blocked.add(1),
            FailureAction::Bury | FailureAction::BuryInvalid | FailureAction::Park => {
                self.stats.dead.add(1);
                metrics::counter!("outbox_dead_letters_total", "topic" => failure.topic.to_string())
                    .increment(1);
                let Some(key) = &key else { return };
                if failure.action == FailureAction::Park {
                    self.scheduler.park(key, key.shard);
                } else {
                    self.scheduler.free(key, id);
                }
            }
        }
    }

    fn holds(&mut self, shards: ShardSet, limit: usize, holds: Holds, now: Instant) {
        self.holds_at = now + HOLDS_EVERY;
        let Holds {
            held,
            parked,
            rewinds,
        } = holds;
        let active = self.ownership.active();
        let complete = held.len() < limit && parked.len() < limit;
        // The first of a key's held rows is the one it waits for.
        let mut by_key = HashMap::default();
        for (id, shard, topic, key) in held {
            let key = KeyId {
                shard: shard.number(),
                topic,
                key,
            };
            let holder = by_key.entry(key).or_insert((shard.number(), id));
            holder.1 = id.min(holder.1);
        }
        let parked = parked
            .into_iter()
            .map(|(shard, topic, key)| {
                (
                    KeyId {
                        shard: shard.number(),
                        topic,
                        key,
                    },
                    shard.number(),
                )
            })
            .collect();
        let known = |group: u8| {
            let shard = Shard::from_stored(group.into());
            shards.contains(shard) && active.contains(shard)
        };
        self.scheduler.sync_holds(known, complete, &by_key, &parked);
        for (shard, id) in rewinds {
            if active.contains(shard) {
                self.scheduler.ask_rewind_of(shard.number(), id);
                self.clear_rewinds.push((shard, id));
            }
        }
        self.holds_known = ShardSet(self.holds_known.0 | (shards.0 & active.0));
        self.check_held_topics();
    }

    /// Pauses topics of which too many keys are held, and lets those go on that have recovered.
    fn check_held_topics(&mut self) {
        let max = self.config.held_keys_max;
        if self.scheduler.held_keys().len() < max && self.paused.is_empty() {
            return;
        }
        let mut by_topic: HashMap<Arc<str>, usize> = HashMap::new();
        for key in self.scheduler.held_keys() {
            *by_topic.entry(key.topic.clone()).or_default() += 1;
        }
        for (topic, &held) in &by_topic {
            if held >= max && self.paused.insert(topic.clone()) {
                self.stats.topics_paused.add(1);
                tracing::warn!(
                    relay = self.config.name,
                    topic = &**topic,
                    held,
                    "too many keys of the topic are held by failed messages; only their retries go on"
                );
                self.scheduler
                    .evict(|_, entry| !entry.held && entry.message.topic() == &**topic);
            }
        }
        let recovered: Vec<_> = self
            .paused
            .iter()
            .filter(|topic| by_topic.get(*topic).copied().unwrap_or(0) <= max / 2)
            .cloned()
            .collect();
        for topic in recovered {
            tracing::info!(relay = self.config.name, topic = &*topic, "the topic goes on");
            self.paused.remove(&topic);
            // Its rows were left out: everything is read again.
            for shard in self.ownership.active().iter() {
                self.scheduler.ask_rewind_of(shard.number(), 1);
            }
        }
    }

    fn count_delivered(&self, messages: &[Message], took: Duration) {
        self.stats.delivered.add(messages.len() as u64);
        if messages.is_empty() {
            return;
        }
        metrics::histogram!("outbox_delivery_duration_seconds").record(took.as_secs_f64());
        for same in messages.chunk_by(|a, b| a.topic() == b.topic()) {
            let (topic, broker) = (
                same[0].topic().to_owned(),
                self.delivery.publisher_name().to_owned(),
            );
            metrics::counter!("outbox_messages_delivered_total", "topic" => topic, "broker" => broker)
                .increment(same.len() as u64);
        }
    }

    fn count_failure(&self, message: &Message, reason: &'static str) {
        metrics::counter!("outbox_delivery_failures_total", "topic" => message.topic().to_owned(), "reason" => reason)
            .increment(1);
    }
}
