use outbox_core::Message;
use outbox_core::relay::{Fetch, Page, ShardSet};

use super::error::Trouble;
use crate::stored_row::{RowReader, StoredRow};

/// Rows that weigh more than the page may are read and thrown away, so no more are asked for than are likely to
/// fit; but always this many, or a few heavy rows would make a slow start of the light ones after them.
const ASKED_AT_LEAST: usize = 16;

/// Before any due row, even one that was due before time began.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) const FIRST_DUE: outbox_core::relay::DueCursor = outbox_core::relay::DueCursor {
    due_at: i64::MIN,
    id: i64::MIN,
};

/// Whether every row is this relay's and wanted, those with a stray shard number too: then the short statement
/// does, which costs half of the other.
pub(super) fn wants_everything(fetch: &Fetch) -> bool {
    fetch.shards == ShardSet::ALL
        && (fetch.due_rows == 0 || fetch.due_shards == ShardSet::ALL)
        && fetch.exclude_keys.is_empty()
        && fetch.exclude_topics.is_empty()
}

/// The excluded keys as `[[topic, key], …]`.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) fn excluded_keys(fetch: &Fetch) -> String {
    let pairs: Vec<(&str, &str)> = fetch
        .exclude_keys
        .iter()
        .map(|(topic, key)| (&**topic, &**key))
        .collect();
    serde_json::json!(pairs).to_string()
}

/// The excluded topics as `[topic, …]`.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) fn excluded_topics(fetch: &Fetch) -> String {
    let topics: Vec<&str> = fetch.exclude_topics.iter().map(|topic| &**topic).collect();
    serde_json::json!(topics).to_string()
}

/// What the rows of this outbox weigh, learnt from page to page.
#[derive(Debug)]
pub(super) struct TypicalWeight(usize);

impl TypicalWeight {
    pub(super) fn new() -> Self {
        Self(0)
    }

    /// How many fresh rows to ask for: twice what fits, if they weigh what the last ones did.
    pub(super) fn rows_to_ask(&self, fetch: &Fetch) -> usize {
        let fit = fetch.bytes.checked_div(self.0).unwrap_or(usize::MAX);
        fetch.rows.min(fit.saturating_mul(2).max(ASKED_AT_LEAST))
    }

    /// Learns: up at once, down slowly.
    fn learn(&mut self, page: usize) {
        self.0 = page.max(self.0 / 2 + page / 2);
    }
}

/// Takes the rows of one fetch in, due ones first, until they weigh enough.
#[derive(Debug)]
pub(super) struct PageBuilder<'a> {
    fetch: &'a Fetch,
    /// How many fresh rows the statement was asked for.
    asked: usize,
    reader: RowReader,
    page: Page,
    weight: usize,
    /// A fresh row was left out for its weight.
    rows_cut: bool,
    /// A due row was.
    due_cut: bool,
    /// How far a bounded scan looked, and whether that was the end; `None` where it stopped at
    /// the last row.
    scanned: Option<(i64, bool)>,
}

impl<'a> PageBuilder<'a> {
    pub(super) fn new(fetch: &'a Fetch, asked: usize) -> Self {
        Self {
            fetch,
            asked,
            reader: RowReader::new(),
            page: Page {
                rows: Vec::with_capacity(asked.min(1024)),
                ..Page::default()
            },
            weight: 0,
            rows_cut: false,
            due_cut: false,
            scanned: None,
        }
    }

    /// Takes the next row, or leaves it out where the page is full. At least one row of each kind is taken:
    /// heavy rows of one kind must not keep the other waiting for ever.
    pub(super) fn take(&mut self, stored: &StoredRow<'_>) -> Result<(), Trouble> {
        let full = self.weight >= self.fetch.bytes;
        let (taken, cut) = match stored.due_at {
            Some(_) => (&mut self.page.due, &mut self.due_cut),
            None => (&mut self.page.rows, &mut self.rows_cut),
        };
        if *cut || (full && !taken.is_empty()) {
            *cut = true;
            return Ok(());
        }
        if stored.due_at.is_none() {
            // The position moves with the last row: a row that came too late would be passed over.
            let after = taken.last().map_or(self.fetch.after, |row| row.id);
            if stored.id <= after {
                return Err(Trouble::OutOfOrder { id: stored.id, after });
            }
        }
        let row = self.reader.read(stored);
        self.weight = self.weight.saturating_add(Message::weight(&row.message));
        taken.push(row);
        Ok(())
    }

    /// Whether the fresh rows stopped at their limit or weight: where they did tells how far was looked.
    #[cfg(any(feature = "sqlite", feature = "mysql"))]
    pub(super) fn is_full(&self) -> bool {
        self.rows_cut || self.page.rows.len() >= self.asked
    }

    /// What a bounded scan says of itself: the last id it looked at, and how many it looked at.
    pub(super) fn scanned(&mut self, last: Option<i64>, looked_at: i64) {
        let to = last.unwrap_or(self.fetch.after).max(self.fetch.after);
        self.scanned = Some((to, looked_at < super::count(self.fetch.scan_rows)));
    }

    pub(super) fn finish(self, typical: &mut TypicalWeight) -> Page {
        let mut page = self.page;
        let rows = page.rows.len() + page.due.len();
        if let Some(average) = self.weight.checked_div(rows) {
            typical.learn(average);
        }
        let last = page.rows.last().map_or(self.fetch.after, |row| row.id);
        (page.scanned_to, page.end) = match self.scanned {
            _ if self.rows_cut => (last, false),
            Some(scanned) => scanned,
            None => (last, page.rows.len() < self.asked),
        };
        page.due_end = !self.due_cut && page.due.len() < self.fetch.due_rows;
        page
    }
}
