use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use anyhow::Result;
use outbox_core::MessageId;

use crate::backend::Backend;
use crate::journal::{Delivered, Journal};
use crate::workload::Acknowledged;

/// What a run came to: its closing line, and whether every promise was kept.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Commits that were confirmed to the client.
    pub acked_commits: usize,
    /// Transactions that were rolled back on purpose.
    pub rolled_back: usize,
    /// Different messages that were delivered.
    pub delivered: usize,
    /// Deliveries beyond the first of a message.
    pub duplicates_delivered: usize,
    /// Committed, and neither delivered nor dead.
    pub lost: usize,
    /// Delivered, though the transaction rolled back or never was.
    pub ghost: usize,
    /// First deliveries of a key that came after a later one of the same key.
    pub order_violations: usize,
    /// Confirmed to the client, and gone from the database.
    pub undone: usize,
    /// Messages in the dead letters.
    pub dead: usize,
    /// The longest time from a fault's end to the next delivery.
    pub max_recovery: Duration,
    /// The seed of the run.
    pub seed: u64,
}

impl Verdict {
    /// Compares the journal with the database and the client's own log.
    pub async fn of(backend: &Backend, journal: &Journal, log: &Acknowledged, seed: u64) -> Result<Self> {
        let committed = backend.committed().await?;
        let committed_ids: HashSet<MessageId> = committed.iter().map(|row| row.id).collect();
        let delivered = journal.read()?;
        let delivered_ids: HashSet<MessageId> = delivered.iter().map(|line| line.id).collect();
        let (acknowledged, rolled_back) = log.ids();
        let dead = backend.count("SELECT count(*) FROM outbox_dead").await? as usize;
        let missing = committed_ids.difference(&delivered_ids).count();
        Ok(Self {
            acked_commits: acknowledged.len(),
            rolled_back: rolled_back.len(),
            delivered: delivered_ids.len(),
            duplicates_delivered: delivered.len() - delivered_ids.len(),
            lost: missing.saturating_sub(dead),
            ghost: delivered_ids.difference(&committed_ids).count()
                + delivered_ids.intersection(&rolled_back).count(),
            order_violations: order_violations(&delivered),
            undone: acknowledged.difference(&committed_ids).count(),
            dead,
            max_recovery: Duration::ZERO,
            seed,
        })
    }

    /// Compares what a consumer group has handled with what was appended.
    pub fn of_group(
        journal: &Journal,
        appended: &HashSet<MessageId>,
        dead: usize,
        seed: u64,
    ) -> Result<Self> {
        let handled = journal.read()?;
        let ids: HashSet<MessageId> = handled.iter().map(|line| line.id).collect();
        Ok(Self {
            acked_commits: appended.len(),
            delivered: ids.len(),
            duplicates_delivered: handled.len() - ids.len(),
            lost: appended.difference(&ids).count(),
            ghost: ids.difference(appended).count(),
            order_violations: order_violations(&handled),
            dead,
            seed,
            ..Self::default()
        })
    }

    /// Panics unless nothing was lost, invented, undone or out of order.
    ///
    /// # Panics
    /// A promise was broken.
    pub fn assert_kept(&self) {
        println!("{self}");
        assert!(
            self.lost == 0 && self.ghost == 0 && self.order_violations == 0 && self.undone == 0,
            "a promise was broken: {self}"
        );
    }
}

/// Only so many violations of the order are shown one by one.
const SHOWN: usize = 10;

/// First deliveries that came after a later one of their key.
fn order_violations(delivered: &[Delivered]) -> usize {
    let mut seen = HashSet::new();
    let mut latest: HashMap<&str, &Delivered> = HashMap::new();
    let mut violations = 0;
    for line in delivered.iter().filter(|line| seen.insert(line.id)) {
        let latest = latest.entry(&line.key).or_insert(line);
        if line.seq < latest.seq {
            if violations < SHOWN {
                println!("out of order: {line:?} after {latest:?}");
            }
            violations += 1;
        } else {
            *latest = line;
        }
    }
    violations
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "acked_commits={} rolled_back={} delivered={} duplicates_delivered={} lost={} ghost={} order_violations={} undone={} dead={} max_recovery_s={:.2} seed={}",
            self.acked_commits,
            self.rolled_back,
            self.delivered,
            self.duplicates_delivered,
            self.lost,
            self.ghost,
            self.order_violations,
            self.undone,
            self.dead,
            self.max_recovery.as_secs_f64(),
            self.seed
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_first_deliveries_count_for_order() {
        let ids: Vec<MessageId> = (0..3).map(|_| MessageId::new()).collect();
        let line = |n: usize| Delivered {
            id: ids[n],
            key: "k".into(),
            seq: n as i64 + 1,
            process: 1,
            at_ms: 0,
        };
        assert_eq!(order_violations(&[line(0), line(1), line(0), line(2)]), 0);
        assert_eq!(order_violations(&[line(1), line(0), line(2)]), 1);
    }
}
