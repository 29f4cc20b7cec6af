//! Messages at a steady rate, and how long each was on its way.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::cli::Common;

/// What counts of one turn at full size.
const TURN: Duration = Duration::from_secs(4);
/// Messages are sent so long before any counts: everything is cold, and who polls has to notice first.
const WARM_UP: Duration = Duration::from_millis(300);
/// A turn has at least so many that count.
const LEAST: u64 = 20;

/// How fast, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    rate: u64,
    turn: Duration,
}

/// A message, when its commit began and when that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Committed {
    pub(crate) id: Uuid,
    pub(crate) begun: Duration,
    pub(crate) answered: Duration,
}

/// Milliseconds of one message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waited {
    pub(crate) all: f64,
    pub(crate) after_answer: f64,
}

impl Pace {
    /// So many a second, in so many turns.
    pub(crate) fn new(common: &Common, rate: u64, turns: usize) -> Self {
        let turn = common.seconds.map_or(TURN, |seconds| {
            TURN.min(Duration::from_secs_f64(seconds / turns as f64).saturating_sub(WARM_UP))
        });
        Self { rate, turn }
    }

    /// What counts of a turn.
    pub(crate) fn turn(&self) -> Duration {
        self.turn
    }

    fn messages_of(&self, time: Duration) -> u64 {
        (time.as_secs_f64() * self.rate as f64) as u64
    }

    /// How many messages of a turn don't count.
    pub(crate) fn cold(&self) -> u64 {
        self.messages_of(WARM_UP)
    }

    /// Writes a message at each tick, whatever became of those before: a writer that waited for a slow one would leave
    /// out the very moments that count. Returns those that count.
    pub(crate) async fn write<F>(&self, mut write: F) -> Result<Vec<Committed>>
    where
        F: AsyncFn(u64) -> Result<Committed>,
    {
        let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / self.rate as f64));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let messages = self.cold() + self.messages_of(self.turn).max(LEAST);
        let write = &mut write;
        let mut under_way = FuturesUnordered::new();
        let mut committed = Vec::new();
        let mut n = 0;
        while n < messages || !under_way.is_empty() {
            tokio::select! {
                _ = ticks.tick(), if n < messages => {
                    under_way.push(write(n));
                    n += 1;
                }
                Some(written) = under_way.next() => committed.push(written?),
            }
        }
        committed.sort_by_key(|committed: &Committed| committed.begun);
        Ok(committed.split_off(self.cold() as usize))
    }
}

/// Milliseconds from each commit to its arrival.
pub(crate) fn waited(committed: &[Committed], arrived: Vec<(Uuid, Duration)>) -> Result<Vec<Waited>> {
    let arrived: HashMap<Uuid, Duration> = arrived.into_iter().collect();
    committed
        .iter()
        .map(|committed| {
            let arrival = arrived
                .get(&committed.id)
                .with_context(|| format!("message {} did not arrive", committed.id))?;
            let since = |at: Duration| arrival.saturating_sub(at).as_secs_f64() * 1e3;
            Ok(Waited {
                all: since(committed.begun),
                after_answer: since(committed.answered),
            })
        })
        .collect()
}
