use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use outbox_core::MessageId;
use outbox_sqlx::Outbox;
use tokio::task::JoinSet;

use crate::backend::{Backend, Write};

/// Writers that publish until so many transactions have been acknowledged.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Acknowledged commits to reach.
    pub messages: u64,
    /// Keys to spread them over.
    pub keys: u32,
    /// Writers at the same time.
    pub writers: u32,
    /// One transaction in so many is rolled back on purpose.
    pub roll_back_one_in: u32,
    /// Pause of each writer after each transaction.
    pub pause: Duration,
    /// Where randomness comes from.
    pub seed: u64,
}

/// The log of what was acknowledged, kept outside of the database.
#[derive(Debug, Clone, Default)]
pub struct Acknowledged {
    ids: Arc<Mutex<(HashSet<MessageId>, HashSet<MessageId>)>>,
    count: Arc<AtomicU64>,
}

impl Acknowledged {
    /// How many commits were acknowledged so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Acknowledged and rolled back messages.
    pub fn ids(&self) -> (HashSet<MessageId>, HashSet<MessageId>) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, write: Write) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        match write {
            Write::Acknowledged(id) => {
                ids.0.insert(id);
                self.count.fetch_add(1, Ordering::Relaxed);
            }
            Write::RolledBack(id) => {
                ids.1.insert(id);
            }
            Write::Unknown => {}
        }
    }
}

impl Workload {
    /// Starts the writers; the set is done when all commits have been acknowledged.
    pub fn start(&self, backend: &Backend, outbox: &Outbox, log: &Acknowledged) -> JoinSet<()> {
        let mut writers = JoinSet::new();
        let started = Arc::new(AtomicU64::new(log.count()));
        for writer in 0..self.writers {
            let (workload, backend, outbox, log, started) = (
                self.clone(),
                backend.clone(),
                outbox.clone(),
                log.clone(),
                started.clone(),
            );
            writers.spawn(async move {
                let mut random = fastrand::Rng::with_seed(workload.seed ^ (u64::from(writer) << 32));
                while started.fetch_add(1, Ordering::Relaxed) < workload.messages {
                    loop {
                        let key = format!("k{}", random.u32(0..workload.keys));
                        let roll_back = random.u32(0..workload.roll_back_one_in.max(1)) == 0
                            && workload.roll_back_one_in > 0;
                        let write = backend.write(&outbox, &key, roll_back).await;
                        log.record(write);
                        if workload.pause > Duration::ZERO {
                            tokio::time::sleep(workload.pause).await;
                        }
                        match write {
                            Write::Acknowledged(_) => break,
                            Write::RolledBack(_) => {}
                            // The server is away: give it a moment.
                            Write::Unknown => tokio::time::sleep(Duration::from_millis(20)).await,
                        }
                    }
                }
            });
        }
        writers
    }
}
