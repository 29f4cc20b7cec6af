use std::collections::HashMap;

use outbox_core::relay::{Failure, FailureAction};
use outbox_core::{Confirm, Shard};

use super::micros;

/// Failures sorted by what follows from them, as columns: each kind is written by one statement, however many
/// there are.
#[derive(Debug, Default)]
pub(super) struct Settlement<'a> {
    pub(super) holds: Holds<'a>,
    pub(super) burials: Burials<'a>,
}

/// Rows that stay and hold their key.
#[derive(Debug, Default)]
pub(super) struct Holds<'a> {
    pub(super) ids: Vec<i64>,
    /// 1: until its retry; 2: until an operator decides.
    pub(super) holds: Vec<i16>,
    /// Microseconds from now.
    pub(super) delays: Vec<i64>,
    pub(super) attempts: Vec<i32>,
    pub(super) errors: Vec<&'a str>,
}

/// Rows that go to the dead letters.
#[derive(Debug, Default)]
pub(super) struct Burials<'a> {
    pub(super) ids: Vec<i64>,
    /// As the schema knows them; `parked` parks the key too.
    pub(super) reasons: Vec<&'static str>,
    pub(super) attempts: Vec<i32>,
    pub(super) errors: Vec<&'a str>,
}

impl<'a> Settlement<'a> {
    /// Sorts those whose shard is still owned under the epoch of their attempt.
    pub(super) fn of(failures: &'a [Failure], owned: &HashMap<Shard, i64>) -> Self {
        let mut settlement = Self::default();
        for failure in failures {
            if owned.get(&failure.shard) == Some(&failure.epoch) {
                settlement.add(failure);
            }
        }
        settlement
    }

    fn add(&mut self, failure: &'a Failure) {
        match failure.action {
            FailureAction::Retry(delay) => self.hold(failure, 1, micros(delay)),
            FailureAction::Block => self.hold(failure, 2, 0),
            FailureAction::BuryInvalid => self.bury(failure, "invalid"),
            // A message without a key has nothing that could be parked.
            FailureAction::Park if failure.key.is_some() => self.bury(failure, "parked"),
            // Bury, and whatever a later version adds: the message is kept and its key goes on.
            _ => self.bury(failure, "skipped"),
        }
    }

    fn hold(&mut self, failure: &'a Failure, hold: i16, delay: i64) {
        let holds = &mut self.holds;
        holds.ids.push(failure.id);
        holds.holds.push(hold);
        holds.delays.push(delay);
        holds.attempts.push(attempts(failure));
        holds.errors.push(&failure.error);
    }

    fn bury(&mut self, failure: &'a Failure, reason: &'static str) {
        let burials = &mut self.burials;
        burials.ids.push(failure.id);
        burials.reasons.push(reason);
        burials.attempts.push(attempts(failure));
        burials.errors.push(&failure.error);
    }
}

fn attempts(failure: &Failure) -> i32 {
    i32::try_from(failure.attempts).unwrap_or(i32::MAX)
}

// Where there are no arrays, lists come as JSON, which the database turns into a table.

#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) fn json(ids: &[i64]) -> String {
    serde_json::json!(ids).to_string()
}

/// As `[[id, hold, time, attempts, error], …]`, where the time is this number plus the delay.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) fn json_holds(holds: &Holds<'_>, now: i64) -> String {
    let rows: Vec<_> = (0..holds.ids.len())
        .map(|n| {
            (
                holds.ids[n],
                holds.holds[n],
                now.saturating_add(holds.delays[n]),
                holds.attempts[n],
                holds.errors[n],
            )
        })
        .collect();
    serde_json::json!(rows).to_string()
}

/// As `[[id, reason, attempts, error], …]`.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) fn json_burials(burials: &Burials<'_>) -> String {
    let rows: Vec<_> = (0..burials.ids.len())
        .map(|n| {
            (
                burials.ids[n],
                burials.reasons[n],
                burials.attempts[n],
                burials.errors[n],
            )
        })
        .collect();
    serde_json::json!(rows).to_string()
}

/// As `[[id, groups, at least, microseconds to the deadline, most resends, resends, since], …]`, where the groups are a
/// JSON array in a text.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) fn json_awaiting(rows: &[outbox_core::relay::Awaiting]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|outbox_core::relay::Awaiting { id, confirm }| {
            (
                id,
                json_groups(confirm),
                confirm.needed(),
                micros(confirm.within()),
                confirm.max_resends(),
                confirm.resent(),
                confirm.since(),
            )
        })
        .collect();
    serde_json::json!(rows).to_string()
}

/// The groups that are asked, as they are stored.
pub(super) fn json_groups(confirm: &Confirm) -> String {
    serde_json::json!(confirm.groups()).to_string()
}
