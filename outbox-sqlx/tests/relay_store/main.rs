//! What a relay is promised by the store of each database: one suite, run on all of them, and what only one of
//! them can be asked.

#![allow(clippy::unwrap_used)]

mod leases;
#[cfg(feature = "mysql")]
mod on_mysql;
#[cfg(feature = "postgres")]
mod on_postgres;
#[cfg(feature = "sqlite")]
mod on_sqlite;
mod pages;
#[cfg(any(feature = "postgres", feature = "mysql"))]
#[path = "../support/proxy.rs"]
mod proxy;
mod settling;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use outbox_core::relay::{
    DueCursor, Failure, FailureAction, Fetch, FloorRule, LeaseRequest, Page, ParkedRow, RelayStore, ShardSet,
    StoreError,
};
use outbox_core::{SHARDS, Shard};
use sqlx::AssertSqlSafe;

/// A row to put into the outbox, as any program might.
#[derive(Clone)]
struct New {
    topic: &'static str,
    key: Option<String>,
    shard: i16,
    payload: Vec<u8>,
    headers: &'static str,
    /// Milliseconds from now.
    due: Option<i64>,
    hold: i16,
}

fn row(key: &str) -> New {
    New {
        topic: "t",
        key: Some(key.to_owned()),
        shard: 0,
        payload: b"p".to_vec(),
        headers: "{}",
        due: None,
        hold: 0,
    }
}

/// A database of its own for each test.
trait Database: Sized {
    async fn new() -> Self;
    /// A store of a further relay, not opened yet.
    fn unopened(&self) -> Box<dyn RelayStore>;
    async fn insert(&self, row: New) -> i64;
    /// Runs statements that mean the same everywhere.
    async fn run(&self, sql: &str);
    /// The first column of each row, as text.
    async fn texts(&self, sql: &str) -> Vec<String>;
    /// An expression: this many milliseconds from now.
    fn time(milliseconds: i64) -> String;

    async fn store(&self) -> Box<dyn RelayStore> {
        let mut store = self.unopened();
        store.open().await.unwrap();
        store
    }

    async fn insert_all(&self, rows: impl IntoIterator<Item = New>) -> Vec<i64> {
        let mut ids = Vec::new();
        for row in rows {
            ids.push(self.insert(row).await);
        }
        ids
    }

    async fn text(&self, sql: &str) -> String {
        self.texts(sql).await.join(" ")
    }
}

/// Everything from the beginning.
fn all() -> Fetch {
    Fetch {
        shards: ShardSet::ALL,
        after: 0,
        up_to: None,
        rows: 100,
        scan_rows: 1000,
        bytes: usize::MAX,
        stray_shards: false,
        due_shards: ShardSet::ALL,
        due_rows: 100,
        due_after: None,
        exclude_keys: Vec::new(),
        exclude_topics: Vec::new(),
    }
}

/// The same, through the statement for relays that own a part.
fn part(shards: ShardSet) -> Fetch {
    Fetch {
        shards,
        due_shards: shards,
        ..all()
    }
}

fn shards(numbers: &[i16]) -> ShardSet {
    numbers.iter().map(|&n| Shard::from_stored(n)).collect()
}

fn ids(page: &Page) -> Vec<i64> {
    page.rows.iter().map(|row| row.id).collect()
}

fn due_ids(page: &Page) -> Vec<i64> {
    page.due.iter().map(|row| row.id).collect()
}

fn set(ids: &[i64]) -> HashSet<i64> {
    ids.iter().copied().collect()
}

fn lease(relay: &str) -> LeaseRequest {
    LeaseRequest {
        relay: relay.to_owned(),
        ttl: Duration::from_secs(60),
        release: ShardSet::default(),
        claim: true,
    }
}

fn failure(id: i64, epoch: i64, action: FailureAction) -> Failure {
    Failure {
        id,
        shard: Shard::from_stored(0),
        epoch,
        topic: "t".into(),
        key: Some("k".into()),
        attempts: 3,
        error: "refused: ü".into(),
        action,
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// The state of every row, oldest first.
const ROWS: &str = "SELECT id || ' hold=' || hold || ' attempts=' || attempts || ' ' || coalesce(last_error, '-') \
                    FROM outbox ORDER BY id";
const DEAD: &str = "SELECT id || ' ' || reason || ' attempts=' || attempts || ' ' || coalesce(last_error, '-') \
                    FROM outbox_dead ORDER BY id";

/// Runs each test on each database.
macro_rules! suite {
    ($($group:ident: $($test:ident)*;)*) => {
        #[cfg(feature = "postgres")]
        mod postgres {
            $($(#[tokio::test]
            async fn $test() {
                super::$group::$test::<super::on_postgres::Postgres>().await;
            })*)*
        }
        #[cfg(feature = "mysql")]
        mod mysql {
            $($(#[tokio::test]
            async fn $test() {
                super::$group::$test::<super::on_mysql::MySql>().await;
            })*)*
        }
        #[cfg(feature = "sqlite")]
        mod sqlite {
            $($(#[tokio::test]
            async fn $test() {
                super::$group::$test::<super::on_sqlite::Sqlite>().await;
            })*)*
        }
    };
}

suite! {
    pages:
        pages_walk_over_gaps_to_the_end
        a_row_comes_as_it_was_written
        due_rows_follow_their_cursor
        what_waits_behind_a_hold_is_left_out
        a_part_owner_moves_on_past_the_rows_of_others
        each_shard_is_in_one_part
        stray_shards_count_as_shard_0_when_asked_for
        a_page_stops_at_its_weight
        a_malformed_row_is_a_row_with_a_problem;
    leases:
        relays_share_the_shards_fairly
        a_lease_that_ran_out_is_claimed_under_a_new_epoch
        holds_parked_keys_and_rewinds_are_read_by_shard
        the_horizon_is_above_every_row
        a_schema_that_does_not_fit_is_refused;
    settling:
        failures_are_written_down
        a_former_owner_changes_nothing
        delivered_rows_go_and_may_go_twice
        burying_and_parking_twice_changes_nothing
        rows_of_a_parked_key_move_while_it_is_parked;
}
