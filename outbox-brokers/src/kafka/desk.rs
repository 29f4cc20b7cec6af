//! What lies between the thread that talks to Kafka and whoever receives: as many messages as are asked for, and outcomes.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use outbox_core::{Message, ReceiveError};
use rdkafka::error::KafkaError;
use tokio::sync::{Notify, oneshot};

use crate::error::BrokerError;

/// A message that may be handled.
pub(super) struct Ready {
    /// Which ownership of a partition it comes from: another one of the same partition has another number.
    pub(super) lane: u64,
    pub(super) offset: i64,
    pub(super) partition: i32,
    pub(super) message: Message,
    pub(super) attempt: u32,
    /// Its place, for the dead letters.
    pub(super) place: Arc<str>,
}

/// What the thread is told.
pub(super) enum Event {
    /// There is something to look at.
    Wake,
    Settle(Settle),
    /// A commit has come to its end.
    Written(Result<(), KafkaError>),
    /// The member leaves; whoever waits for that is told.
    Leave(Option<oneshot::Sender<Result<(), ReceiveError>>>),
}

/// What became of a message.
pub(super) struct Settle {
    pub(super) lane: u64,
    pub(super) offset: i64,
    pub(super) what: What,
    /// Told whether it was still ours.
    pub(super) reply: Option<oneshot::Sender<bool>>,
}

pub(super) enum What {
    /// Nothing yet: is it still ours?
    Nothing,
    Finished,
    /// It comes again, after that time.
    Again(Duration),
}

/// The place between them.
pub(super) struct Desk {
    state: Mutex<State>,
    changed: Notify,
    events: Sender<Event>,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Ready>,
    /// How many are waited for right now: what nobody waits for is not handed out, and doesn't count as an attempt of a process that dies.
    wanted: usize,
    away: Option<Arc<BrokerError>>,
    closed: bool,
}

/// Says while it lives that somebody waits.
pub(super) struct Asking<'a>(&'a Desk);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.lock().wanted = 0;
    }
}

impl Desk {
    pub(super) fn new(events: Sender<Event>) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            events,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the thread. False: it is gone.
    pub(super) fn tell(&self, event: Event) -> bool {
        self.events.send(event).is_ok()
    }

    /// For whoever receives: waits for something.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// For whoever receives: asks for so many.
    pub(super) fn ask(&self, max: usize) -> Asking<'_> {
        self.lock().wanted = max;
        if !self.tell(Event::Wake) {
            self.close();
        }
        Asking(self)
    }

    /// For whoever receives: what there is, at most `max`; empty when there is nothing.
    pub(super) fn take(&self, max: usize) -> Result<Vec<Ready>, ReceiveError> {
        let mut state = self.lock();
        if state.closed {
            return Err(ReceiveError::Closed);
        }
        let count = state.ready.len().min(max);
        if count == 0
            && let Some(error) = state.away.take()
        {
            return Err(ReceiveError::Unavailable {
                message: error.to_string().into(),
                source: Some(error),
            });
        }
        Ok(state.ready.drain(..count).collect())
    }

    /// For the thread: how many more are waited for.
    pub(super) fn room(&self) -> usize {
        let state = self.lock();
        state.wanted.saturating_sub(state.ready.len())
    }

    /// For the thread: there is one.
    pub(super) fn put(&self, ready: Ready) {
        self.lock().ready.push_back(ready);
        self.changed.notify_one();
    }

    /// For the thread: takes back what nobody has taken of a lane.
    pub(super) fn take_back(&self, lane: u64) -> Vec<i64> {
        let mut state = self.lock();
        let (back, stays) = state.ready.drain(..).partition(|ready| ready.lane == lane);
        state.ready = stays;
        let back: VecDeque<Ready> = back;
        back.into_iter().map(|ready| ready.offset).collect()
    }

    /// For the thread: something is wrong. One that nobody waits for is one too many.
    pub(super) fn away(&self, error: BrokerError) {
        let mut state = self.lock();
        if state.wanted > 0 {
            state.away = Some(Arc::new(error));
            self.changed.notify_one();
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.ready.clear();
        self.changed.notify_one();
    }
}
