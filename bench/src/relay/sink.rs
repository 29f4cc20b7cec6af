use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use outbox_core::{Capabilities, Message, PublishError, Publisher};
use uuid::Uuid;

use super::timer::Timer;
use crate::{clock, content};

/// What a relay delivers to here: nothing at all, or something that takes its time or keeps books.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    capabilities: Capabilities,
    timer: Option<Arc<Timer>>,
    seen: Option<Arc<Seen>>,
}

/// What reached a sink.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) calls: AtomicU64,
    pub(crate) messages: AtomicU64,
    in_flight: AtomicU64,
    pub(crate) in_flight_max: AtomicU64,
    arrivals: Mutex<Vec<(Uuid, Duration)>>,
    /// The number in the last payload of each key.
    last: Mutex<HashMap<String, u64>>,
    pub(crate) out_of_order: AtomicU64,
    each: bool,
    ordered: bool,
}

impl Seen {
    /// Notes when each message arrives.
    pub(crate) fn each() -> Arc<Self> {
        Arc::new(Self {
            each: true,
            ..Self::default()
        })
    }

    /// Checks that the numbers in the payloads of a key grow.
    pub(crate) fn ordered() -> Arc<Self> {
        Arc::new(Self {
            ordered: true,
            ..Self::default()
        })
    }

    /// The arrivals noted since the last call.
    pub(crate) fn arrivals(&self) -> Vec<(Uuid, Duration)> {
        std::mem::take(&mut *self.arrivals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next messages are others: their numbers begin again.
    pub(crate) fn forget_order(&self) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn begin(&self, batch: &[Message]) {
        if self.each {
            let now = clock::now();
            let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            arrivals.extend(batch.iter().map(|message| (message.id().0, now)));
        }
        if self.ordered {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            for message in batch {
                let number = content::number_in(message.payload()).unwrap_or(0);
                let key = message.key().unwrap_or_default();
                let grows = match last.get_mut(key) {
                    Some(before) => std::mem::replace(before, number) < number,
                    None => last.insert(key.to_owned(), number).is_none(),
                };
                self.out_of_order.fetch_add(u64::from(!grows), Ordering::Relaxed);
            }
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.messages.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.in_flight_max.fetch_max(in_flight, Ordering::Relaxed);
    }
}

impl Sink {
    /// Does nothing: batches of 1,000, one call at a time.
    pub(crate) fn nothing() -> Self {
        Self {
            capabilities: Capabilities::new(),
            timer: None,
            seen: None,
        }
    }

    /// Answers each call after `delay`.
    pub(crate) fn slow(delay: Duration, batch: usize, in_flight: usize) -> Result<Self> {
        Ok(Self {
            capabilities: Capabilities::new()
                .with_max_batch(batch)
                .with_max_in_flight(in_flight),
            timer: Some(Arc::new(Timer::start(delay)?)),
            seen: None,
        })
    }

    /// Keeps books.
    pub(crate) fn seen_by(mut self, seen: &Arc<Seen>) -> Self {
        self.seen = Some(seen.clone());
        self
    }

    /// How long an answer really took on average.
    pub(crate) fn actual_delay(&self) -> Duration {
        self.timer.as_ref().map_or(Duration::ZERO, |timer| timer.actual())
    }
}

#[async_trait]
impl Publisher for Sink {
    fn name(&self) -> &str {
        "bench"
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn publish(&self, batch: &[Message]) -> Vec<Result<(), PublishError>> {
        if let Some(seen) = &self.seen {
            seen.begin(batch);
        }
        if let Some(timer) = &self.timer {
            timer.wait().await;
        }
        if let Some(seen) = &self.seen {
            seen.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        vec![Ok(()); batch.len()]
    }

    async fn probe(&self) -> Result<(), PublishError> {
        Ok(())
    }
}
