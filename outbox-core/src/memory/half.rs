//! Half messages in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foldhash::HashMap;
use tokio::time::Instant;
use uuid::Uuid;

use super::MemoryQueue;
use super::budget::Kept;
use super::clock::Clock;
use super::queue::later;
use super::state::{Shared, State};
use crate::half::{
    AfterCheck, Claim, Claimed, Decided, Ending, HalfError, HalfFilter, HalfMessage, HalfMessages, HalfState,
    HalfStore,
};
use crate::limits::Limits;
use crate::message::{Message, MessageId};

/// Most ended messages whose ids are remembered; the oldest is forgotten for one more.
const ENDED_MAX: usize = 100_000;

impl MemoryQueue {
    /// Half messages of this queue: prepared, and invisible to consumers until they are committed; see
    /// [`half`](crate::half). What is prepared counts against the capacity. Of those that have ended, the ids of the
    /// last 100,000 are remembered.
    pub fn half_messages(&self) -> HalfMessages {
        HalfMessages::new(Arc::new(MemoryHalf {
            shared: Arc::clone(&self.shared),
        }))
    }
}

/// The queue as a store of half messages.
struct MemoryHalf {
    shared: Arc<Shared>,
}

/// All half messages of a queue.
#[derive(Default)]
pub(super) struct HalfTable {
    rows: BTreeMap<MessageId, HalfRow>,
    /// The prepared ones of each topic, by when they are due for a check.
    checks: HashMap<Arc<str>, BTreeSet<(Instant, MessageId)>>,
    /// Those that have ended, in the order in which they did.
    ended: VecDeque<(Instant, MessageId)>,
}

struct HalfRow {
    topic: Arc<str>,
    key: Option<Arc<str>>,
    /// Until it ends.
    kept: Option<Arc<Kept>>,
    state: HalfState,
    checks: u32,
    claim: Option<Uuid>,
    prepared_at: Instant,
    next_check_at: Option<Instant>,
    last_error: Option<String>,
    ended_at: Option<Instant>,
    ended_by: Option<String>,
    reason: Option<String>,
}

impl HalfTable {
    fn get(&mut self, id: MessageId) -> Result<&mut HalfRow, HalfError> {
        self.rows.get_mut(&id).ok_or(HalfError::NotPrepared { id })
    }

    /// The only place that changes when a message is asked after, so that the index can't disagree with it.
    fn schedule(&mut self, id: MessageId, at: Option<Instant>) {
        let Some(row) = self.rows.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut row.next_check_at, at);
        let topic = &row.topic;
        if let Some(before) = before
            && let Some(checks) = self.checks.get_mut(topic)
        {
            checks.remove(&(before, id));
            if checks.is_empty() {
                self.checks.remove(topic);
            }
        }
        if let Some(at) = at {
            self.checks.entry(Arc::clone(topic)).or_default().insert((at, id));
        }
    }

    /// Ends a message. Its content is handed out for the last time.
    fn end(
        &mut self,
        id: MessageId,
        ending: &Ending,
        now: Instant,
    ) -> Result<(Decided, Option<Message>), HalfError> {
        let row = self.get(id)?;
        if row.state.end(id, ending)? == Decided::Before {
            return Ok((Decided::Before, None));
        }
        row.state = ending.state();
        row.claim = None;
        row.ended_at = Some(now);
        row.ended_by = ending.by().map(str::to_owned);
        row.reason = ending.reason().map(str::to_owned);
        let message = row.kept.take().map(|kept| kept.message.clone());
        self.schedule(id, None);
        self.ended.push_back((now, id));
        while self.ended.len() > ENDED_MAX {
            self.forget_oldest();
        }
        Ok((Decided::Now, message))
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.ended.pop_front() {
            self.rows.remove(&id);
        }
    }

    fn show(id: MessageId, row: &HalfRow, clock: Clock) -> HalfMessage {
        let mut shown = HalfMessage::new(id, row.topic.to_string(), clock.time(row.prepared_at));
        shown.key = row.key.as_deref().map(str::to_owned);
        shown.state = row.state;
        shown.checks = row.checks;
        shown.next_check_at = row.next_check_at.map(|at| clock.time(at));
        shown.last_error.clone_from(&row.last_error);
        shown.ended_at = row.ended_at.map(|at| clock.time(at));
        shown.ended_by.clone_from(&row.ended_by);
        shown.reason.clone_from(&row.reason);
        shown
    }
}

#[async_trait]
impl HalfStore for MemoryHalf {
    async fn prepare(&self, message: Message, first: Duration) -> Result<(), HalfError> {
        message
            .check(&Limits::default().with_payload_bytes(usize::MAX))
            .map_err(HalfError::Message)?;
        let now = Instant::now();
        let mut guard = self.shared.lock();
        let State { half, closed, .. } = &mut *guard;
        let id = message.id();
        if let Some(row) = half.rows.get(&id) {
            return Err(HalfError::PreparedBefore { id, state: row.state });
        }
        if *closed || !self.shared.budget.has_room() {
            let reason = if *closed {
                "the memory queue is closed"
            } else {
                "the memory queue is full"
            };
            return Err(HalfError::Unavailable {
                reason: reason.into(),
            });
        }
        let row = HalfRow {
            topic: Arc::clone(message.shared_topic()),
            key: message.shared_key().cloned(),
            kept: Some(self.shared.budget.keep(message)),
            state: HalfState::Prepared,
            checks: 0,
            claim: None,
            prepared_at: now,
            next_check_at: None,
            last_error: None,
            ended_at: None,
            ended_by: None,
            reason: None,
        };
        half.rows.insert(id, row);
        half.schedule(id, Some(later(now, first)));
        Ok(())
    }

    async fn end(&self, id: MessageId, ending: &Ending) -> Result<Decided, HalfError> {
        let mut state = self.shared.lock();
        if state.closed && ending.state() == HalfState::Committed {
            return Err(HalfError::Unavailable {
                reason: "the memory queue is closed".into(),
            });
        }
        let (decided, message) = state.half.end(id, ending, Instant::now())?;
        if let Some(message) = message
            && ending.state() == HalfState::Committed
        {
            // It was counted when it was prepared, so there is room for it.
            let Shared {
                settings,
                budget,
                clock,
                ..
            } = &*self.shared;
            state.append(&[message], settings, budget, *clock);
        }
        Ok(decided)
    }

    async fn due(&self, topic: &str, limit: usize) -> Result<Vec<MessageId>, HalfError> {
        let now = Instant::now();
        let state = self.shared.lock();
        let due = state.half.checks.get(topic).into_iter().flatten();
        Ok(due
            .take_while(|(at, _)| *at <= now)
            .take(limit)
            .map(|&(_, id)| id)
            .collect())
    }

    async fn claim(&self, id: MessageId, claim: Claim) -> Result<Option<Claimed>, HalfError> {
        let now = Instant::now();
        let mut state = self.shared.lock();
        let Some(row) = state.half.rows.get_mut(&id) else {
            return Ok(None);
        };
        let Some(kept) = row
            .kept
            .clone()
            .filter(|_| row.next_check_at.is_some_and(|at| at <= now))
        else {
            return Ok(None);
        };
        row.claim = Some(claim.id);
        let checks = row.checks;
        state.half.schedule(id, Some(later(now, claim.hold)));
        Ok(Some(Claimed {
            message: kept.message.clone(),
            checks,
        }))
    }

    async fn after_check(
        &self,
        id: MessageId,
        claim: Uuid,
        after: AfterCheck,
        said: &str,
    ) -> Result<bool, HalfError> {
        let now = Instant::now();
        let mut state = self.shared.lock();
        let Some(row) = state.half.rows.get_mut(&id) else {
            return Ok(false);
        };
        if row.state != HalfState::Prepared || row.claim != Some(claim) {
            return Ok(false);
        }
        row.claim = None;
        row.last_error = Some(said.to_owned());
        let next = match after {
            AfterCheck::CheckAgain(wait) => {
                row.checks += 1;
                Some(later(now, wait))
            }
            AfterCheck::Park => {
                row.checks += 1;
                row.state = HalfState::Parked;
                None
            }
            AfterCheck::Unreachable(wait) => Some(later(now, wait)),
        };
        state.half.schedule(id, next);
        Ok(true)
    }

    async fn list(&self, filter: &HalfFilter, limit: u32) -> Result<Vec<HalfMessage>, HalfError> {
        let state = self.shared.lock();
        let after = filter
            .after
            .map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        let found = state
            .half
            .rows
            .range((after, std::ops::Bound::Unbounded))
            .filter(|(_, row)| {
                filter.topic.as_deref().is_none_or(|topic| topic == &*row.topic)
                    && filter.state.is_none_or(|state| state == row.state)
            });
        let shown = found.map(|(&id, row)| HalfTable::show(id, row, self.shared.clock));
        Ok(shown.take(limit as usize).collect())
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, HalfError> {
        let state = self.shared.lock();
        let kept = state.half.rows.get(&id).and_then(|row| row.kept.as_ref());
        Ok(kept.map(|kept| kept.message.clone()))
    }

    async fn redrive(&self, id: MessageId) -> Result<(), HalfError> {
        let mut state = self.shared.lock();
        let row = state.half.get(id)?;
        row.state.redrive(id)?;
        row.state = HalfState::Prepared;
        row.checks = 0;
        state.half.schedule(id, Some(Instant::now()));
        Ok(())
    }

    async fn forget_ended(&self, remember: Duration, limit: u32) -> Result<u64, HalfError> {
        let Some(until) = Instant::now().checked_sub(remember) else {
            return Ok(0);
        };
        let mut state = self.shared.lock();
        let mut forgotten = 0;
        while forgotten < u64::from(limit) && state.half.ended.front().is_some_and(|(at, _)| *at < until) {
            state.half.forget_oldest();
            forgotten += 1;
        }
        Ok(forgotten)
    }
}
