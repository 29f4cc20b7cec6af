//! What came of it: for people, for programs, and as a verdict.

use std::fmt;

use serde::Serialize;

use crate::audit::Audit;
use crate::messaging::queue::QueueKind;

/// What one run of the demo came to.
pub(super) struct Outcome {
    pub(super) queue: QueueKind,
    pub(super) audit: Audit,
    /// What the buyers were told, counted outside of the database.
    pub(super) orders_acknowledged: u64,
    /// What these orders have to send.
    pub(super) messages_acknowledged: u64,
    /// What arrived at the queue: messages, and times that one arrived.
    pub(super) messages_delivered: u64,
    pub(super) deliveries: u64,
    /// Units that were put into stock.
    pub(super) on_hand: i64,
    pub(super) at_rest: bool,
    pub(super) seconds: f64,
}

/// The closing line, its members in this order.
#[derive(Serialize)]
struct Line {
    orders: i64,
    /// Orders that have at least one reserved sub-order.
    completed: i64,
    /// Orders that have at least one refused sub-order: wholly refused, or completed without that part.
    refused: i64,
    messages_committed: u64,
    messages_delivered: u64,
    lost: u64,
    duplicates_effective: i64,
    seconds: f64,
    queue: QueueKind,
}

impl Outcome {
    fn messages_committed(&self) -> u64 {
        self.audit.messages().try_into().unwrap_or_default()
    }

    /// Messages that were committed and never arrived.
    fn lost(&self) -> u64 {
        self.messages_committed().saturating_sub(self.messages_delivered)
    }

    /// The closing line.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Line {
            orders: self.audit.orders,
            completed: self.audit.completed,
            refused: self.audit.refused,
            messages_committed: self.messages_committed(),
            messages_delivered: self.messages_delivered,
            lost: self.lost(),
            duplicates_effective: self.audit.taken_twice,
            seconds: (self.seconds * 1000.0).round() / 1000.0,
            queue: self.queue,
        })
    }

    /// What is wrong; nothing, if all is as it must be.
    pub(super) fn findings(&self) -> Vec<String> {
        let mut findings = self.audit.findings();
        let mut find = |wrong: bool, what: String| {
            if wrong {
                findings.push(what);
            }
        };
        find(!self.at_rest, "it did not come to rest".to_owned());
        find(self.lost() > 0, format!("{} messages were lost", self.lost()));
        find(
            self.messages_delivered > self.messages_committed(),
            format!(
                "{} messages arrived, {} were committed",
                self.messages_delivered,
                self.messages_committed()
            ),
        );
        find(
            u64::try_from(self.audit.orders) != Ok(self.orders_acknowledged),
            format!(
                "{} orders were acknowledged, {} are there",
                self.orders_acknowledged, self.audit.orders
            ),
        );
        find(
            self.messages_acknowledged != self.messages_committed(),
            format!(
                "{} messages were to be sent, {} were",
                self.messages_acknowledged,
                self.messages_committed()
            ),
        );
        find(
            self.audit.on_hand != self.on_hand,
            format!(
                "{} units were put into stock, {} are there",
                self.on_hand, self.audit.on_hand
            ),
        );
        find(
            self.audit.refused == 0,
            "no order was refused, though there was too little of some articles".to_owned(),
        );
        findings
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let audit = &self.audit;
        let verdict = if self.findings().is_empty() { "yes" } else { "NO" };
        writeln!(f, "queue in                   {:>9}", self.queue)?;
        writeln!(f, "orders placed              {:>9}", audit.orders)?;
        writeln!(f, "  completed                {:>9}", audit.completed)?;
        writeln!(f, "  with a refused part      {:>9}", audit.refused)?;
        writeln!(f, "sub-orders                 {:>9}", audit.sub_orders)?;
        writeln!(f, "messages committed         {:>9}", self.messages_committed())?;
        writeln!(f, "  delivered                {:>9}", self.messages_delivered)?;
        writeln!(
            f,
            "  delivered more than once {:>9}",
            self.deliveries - self.messages_delivered
        )?;
        writeln!(f, "  lost                     {:>9}", self.lost())?;
        writeln!(f, "effects applied twice      {:>9}", audit.taken_twice)?;
        writeln!(f, "the books balance          {verdict:>9}")?;
        writeln!(f, "seconds                    {:>9.3}", self.seconds)?;
        let rate = self.messages_delivered as f64 / self.seconds;
        write!(f, "messages per second        {rate:>9.0}")
    }
}
