//! What came of it: for people, for programs, and as a verdict.

use std::fmt;

use serde::Serialize;

use super::Played;
use crate::audit::Audit;
use crate::messaging::queue::QueueKind;

/// What one run of the demo came to.
pub(super) struct Outcome {
    pub(super) queue: QueueKind,
    pub(super) seed: u64,
    pub(super) audit: Audit,
    pub(super) played: Played,
}

/// The closing line, its members in this order. Amounts are in cents.
#[derive(Serialize)]
struct Line {
    orders: i64,
    /// Orders that were paid and wholly delivered.
    completed: i64,
    /// Orders that have at least one refused sub-order: wholly refused, or completed without that part.
    refused: i64,
    messages_committed: i64,
    messages_delivered: i64,
    lost: i64,
    duplicates_effective: i64,
    seconds: f64,
    queue: QueueKind,
    cancelled: i64,
    captured: i64,
    refunded: i64,
    /// Cancelled orders that could have been paid.
    unpaid_closed: i64,
    charges_repeated: i64,
    /// Messages of which their sender knows that they were handled.
    confirmed: i64,
    dead: i64,
    /// Processes that were killed.
    kills: u32,
    seed: u64,
}

impl Outcome {
    /// Messages that were committed and that not every group has handled that has to. In the demo no timer runs any more, and
    /// loyalty was there from the beginning.
    fn lost(&self) -> i64 {
        self.audit.unhandled + self.audit.timers + self.audit.unheard_by_loyalty
    }

    fn messages_delivered(&self) -> i64 {
        self.audit.messages - self.lost()
    }

    /// Effects that were applied more than once: stock that was taken, money that was charged.
    fn duplicates_effective(&self) -> i64 {
        self.audit.taken_twice + self.audit.charges_repeated
    }

    /// The closing line.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        let audit = &self.audit;
        serde_json::to_string(&Line {
            orders: audit.orders,
            completed: audit.completed,
            refused: audit.refused,
            messages_committed: audit.messages,
            messages_delivered: self.messages_delivered(),
            lost: self.lost(),
            duplicates_effective: self.duplicates_effective(),
            seconds: (self.played.seconds * 1000.0).round() / 1000.0,
            queue: self.queue.clone(),
            cancelled: audit.cancelled,
            captured: audit.captured,
            refunded: audit.refunded,
            unpaid_closed: audit.unpaid_closed,
            charges_repeated: audit.charges_repeated,
            confirmed: audit.confirmed,
            dead: audit.dead,
            kills: self.played.kills,
            seed: self.seed,
        })
    }

    /// What is wrong; nothing, if all is as it must be.
    pub(super) fn findings(&self) -> Vec<String> {
        let (audit, played) = (&self.audit, &self.played);
        let mut findings = audit.findings();
        let mut find = |wrong: bool, what: String| {
            if wrong {
                findings.push(what);
            }
        };
        find(!played.at_rest, "it did not come to rest".to_owned());
        find(self.lost() > 0, format!("{} messages were lost", self.lost()));
        find(
            u64::try_from(audit.orders) != Ok(played.orders),
            format!(
                "{} orders were acknowledged, {} are there",
                played.orders, audit.orders
            ),
        );
        find(
            audit.units != played.units,
            format!(
                "{} units were put into stock, {} are there or sold",
                played.units, audit.units
            ),
        );
        find(
            audit.awaiting_payment > 0,
            format!("{} orders were neither paid nor closed", audit.awaiting_payment),
        );
        find(
            audit.unconfirmed > 0,
            format!("{} messages were not confirmed", audit.unconfirmed),
        );
        find(
            audit.points < audit.points_earned,
            format!(
                "{} loyalty points were earned, {} are there",
                audit.points_earned, audit.points
            ),
        );
        find(
            audit.refused == 0,
            "no order was refused, though there was too little of some articles".to_owned(),
        );
        findings
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (audit, played) = (&self.audit, &self.played);
        let verdict = if self.findings().is_empty() { "yes" } else { "NO" };
        let count =
            |f: &mut fmt::Formatter<'_>, what: &str, number: i64| writeln!(f, "{what:<27}{number:>13}");
        let money = |f: &mut fmt::Formatter<'_>, what: &str, cents: i64| {
            writeln!(f, "{what:<27}{:>10}.{:02}", cents / 100, cents % 100)
        };
        writeln!(f, "{:<27}{:>13}", "queue in", self.queue)?;
        count(f, "orders placed", audit.orders)?;
        count(f, "  completed", audit.completed)?;
        count(f, "  cancelled", audit.cancelled)?;
        count(f, "    for not being paid", audit.unpaid_closed)?;
        count(f, "  with a refused part", audit.refused)?;
        count(f, "sub-orders", audit.sub_orders)?;
        money(f, "money captured", audit.captured)?;
        money(f, "  refunded", audit.refunded)?;
        count(f, "messages committed", audit.messages)?;
        count(f, "  handled by all", self.messages_delivered())?;
        count(f, "  confirmed", audit.confirmed)?;
        count(f, "  lost", self.lost())?;
        count(f, "  dead", audit.dead)?;
        count(f, "effects applied twice", self.duplicates_effective())?;
        count(f, "  charges", audit.charges_repeated)?;
        count(f, "processes killed", played.kills.into())?;
        writeln!(f, "{:<27}{verdict:>13}", "the books balance")?;
        writeln!(f, "{:<27}{:>13.3}", "seconds", played.seconds)?;
        let rate = self.messages_delivered() as f64 / played.seconds;
        write!(f, "{:<27}{rate:>13.0}", "messages per second")
    }
}
