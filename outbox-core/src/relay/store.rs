use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::confirmation::Confirm;
use crate::message::{Message, MessageError};
use crate::shard::Shard;

/// What a relay needs of an outbox's database. All calls come one at a time, from one task, and none is
/// ever dropped half-way: an implementation may keep one connection and need not be cancel safe.
///
/// The database's clock decides what is due and whose lease has run out.
#[async_trait]
pub trait RelayStore: Send + 'static {
    /// A short name for logs and metrics, such as `postgres`.
    fn name(&self) -> &'static str;

    /// How this database lets a relay know that no lower id can appear any more.
    fn floor_rule(&self) -> FloorRule;

    /// Connects, or connects again after an error, and checks that the schema is one this version can
    /// work with.
    async fn open(&mut self) -> Result<(), StoreError>;

    /// Counts this relay as alive, gives back `release`, renews what it holds and claims free shards up
    /// to its fair share, in one transaction. Claiming a shard raises its epoch and clears its rewind.
    async fn lease(&mut self, request: &LeaseRequest) -> Result<LeaseGrant, StoreError>;

    /// Gives everything back and forgets this relay.
    async fn leave(&mut self, relay: &str) -> Result<(), StoreError>;

    /// Reads fresh rows above a mark and due rows above a cursor, in one statement (one snapshot).
    async fn fetch(&mut self, fetch: &Fetch) -> Result<Page, StoreError>;

    /// The highest id handed out so far, visible or not. Asked before the first page of a pass of several
    /// pages: a row with a higher id was inserted after this moment, and is left to the next pass.
    async fn horizon(&mut self) -> Result<i64, StoreError>;

    /// Names of the transactions that have written to the outbox and have not ended. Asked only where
    /// the rule is [`FloorRule::Writers`].
    async fn writers(&mut self) -> Result<HashSet<String>, StoreError>;

    /// The rows that hold their keys, the parked keys and the rewinds of the given shards, at most
    /// `limit` of the first two each. Parked keys and holds are read before (or with) the rewinds, so
    /// that whoever sees an unparked key sees its rewind too.
    async fn holds(&mut self, relay: &str, shards: ShardSet, limit: usize) -> Result<Holds, StoreError>;

    /// Clears these rewinds, each only if it still has the value that was read.
    async fn clear_rewinds(&mut self, relay: &str, rewinds: &[(Shard, i64)]) -> Result<(), StoreError>;

    /// Deletes delivered rows, or moves them to the archive. Rows that are gone already are no error.
    async fn delivered(&mut self, ids: &[i64], archive: bool) -> Result<(), StoreError>;

    /// Moves delivered rows whose messages ask to be confirmed to where they wait for that, in one transaction, and
    /// copies them to the archive if there is to be one. A row that is gone already, or that waits already, is no error.
    /// Afterwards those go on that were confirmed before they were settled.
    async fn awaiting(&mut self, rows: &[Awaiting], archive: bool) -> Result<(), StoreError>;

    /// Writes down failures, in one transaction that first checks each shard's owner and epoch. Returns
    /// the ids that were still there and whose epoch was right.
    async fn failed(&mut self, relay: &str, failures: &[Failure]) -> Result<HashSet<i64>, StoreError>;

    /// Moves rows of parked keys to the dead letters, in one transaction that checks the epochs and, row
    /// by row, that the key is still parked. Returns the ids it moved.
    async fn move_parked(&mut self, relay: &str, rows: &[ParkedRow]) -> Result<HashSet<i64>, StoreError>;
}

/// How a floor is found: an id below which no row can appear any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloorRule {
    /// When every transaction that was writing while the mark was read has ended, one more pass makes it
    /// the floor (Postgres).
    Writers,
    /// One writer at a time: what was read is the floor (SQLite).
    SingleWriter,
    /// No transaction may last longer than this; the mark of that long ago is the floor (MySQL).
    MaxTransactionAge(Duration),
}

/// A set of shards as bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardSet(pub u64);

impl ShardSet {
    /// All 64.
    pub const ALL: Self = Self(u64::MAX);

    /// Whether it holds a shard.
    pub fn contains(self, shard: Shard) -> bool {
        self.0 >> shard.number() & 1 == 1
    }

    /// Adds a shard.
    pub fn insert(&mut self, shard: Shard) {
        self.0 |= 1 << shard.number();
    }

    /// Takes a shard away.
    pub fn remove(&mut self, shard: Shard) {
        self.0 &= !(1 << shard.number());
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many it holds.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Its shards in order.
    pub fn iter(self) -> impl Iterator<Item = Shard> {
        Shard::all().filter(move |&shard| self.contains(shard))
    }

    /// Those of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of this one that are not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl FromIterator<Shard> for ShardSet {
    fn from_iter<I: IntoIterator<Item = Shard>>(shards: I) -> Self {
        let mut set = Self::default();
        shards.into_iter().for_each(|shard| set.insert(shard));
        set
    }
}

/// See [`RelayStore::lease`].
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// This relay's name, unique among all that share the outbox.
    pub relay: String,
    /// How long the leases last.
    pub ttl: Duration,
    /// Shards to give back first.
    pub release: ShardSet,
    /// Whether to claim free shards (not while draining).
    pub claim: bool,
}

/// See [`RelayStore::lease`].
#[derive(Debug, Clone, Default)]
pub struct LeaseGrant {
    /// Every shard this relay holds now, with its epoch.
    pub shards: Vec<(Shard, i64)>,
    /// How many it should hold: all shards by all live relays, rounded up.
    pub fair_share: usize,
}

/// See [`RelayStore::fetch`].
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Whose fresh rows.
    pub shards: ShardSet,
    /// Fresh rows above this id,
    pub after: i64,
    /// up to this one.
    pub up_to: Option<i64>,
    /// At most this many fresh rows.
    pub rows: usize,
    /// Look at no more than this many rows, other relays' included.
    pub scan_rows: usize,
    /// Stop taking rows in when they weigh this much; at least one row comes whatever it weighs.
    pub bytes: usize,
    /// Include rows whose shard number is out of range, as of shard 0. Only where `shards` has shard 0.
    pub stray_shards: bool,
    /// Whose due rows.
    pub due_shards: ShardSet,
    /// At most this many due rows; 0: don't look.
    pub due_rows: usize,
    /// Due rows above this cursor, in order of (due time, id).
    pub due_after: Option<DueCursor>,
    /// Leave out rows of these keys (a held row itself still comes when it is due).
    pub exclude_keys: Vec<(Arc<str>, Arc<str>)>,
    /// Leave out fresh and delayed rows of these topics (their held rows still come when they are due).
    pub exclude_topics: Vec<Arc<str>>,
}

/// A place among the due rows. The time is the database's own number: microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueCursor {
    /// Microseconds since the Unix epoch.
    pub due_at: i64,
    /// The row's id.
    pub id: i64,
}

/// See [`RelayStore::fetch`].
#[derive(Debug, Default)]
pub struct Page {
    /// Fresh rows, by id.
    pub rows: Vec<Row>,
    /// Every fresh row of these shards up to here was returned (or left out on purpose).
    pub scanned_to: i64,
    /// Nothing was left above `scanned_to`, within `up_to`.
    pub end: bool,
    /// Due rows, by (due time, id).
    pub due: Vec<Row>,
    /// Nothing that is due was left above the last of `due`.
    pub due_end: bool,
}

/// One row of the outbox.
#[derive(Debug)]
pub struct Row {
    /// Its id.
    pub id: i64,
    /// Its shard.
    pub shard: Shard,
    /// When it is due, if it has a due time.
    pub due: Option<DueCursor>,
    /// Whether it waits for a retry.
    pub held: bool,
    /// How often it has failed.
    pub attempts: u32,
    /// The message, as well as it can be told.
    pub message: Message,
    /// What is wrong with the row: a message that no queue should see.
    pub problem: Option<MessageError>,
}

/// See [`RelayStore::holds`].
#[derive(Debug, Default)]
pub struct Holds {
    /// Rows that hold their key: id, shard, topic, key.
    pub held: Vec<(i64, Shard, Arc<str>, Arc<str>)>,
    /// Parked keys: shard, topic, key.
    pub parked: Vec<(Shard, Arc<str>, Arc<str>)>,
    /// Ids from which a shard has to be read again.
    pub rewinds: Vec<(Shard, i64)>,
}

/// A delivered row whose message asks to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// The row.
    pub id: i64,
    /// What its message asks for.
    pub confirm: Confirm,
}

/// One failed attempt, and what follows from it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The row.
    pub id: i64,
    /// Its shard, and the epoch under which the attempt was made.
    pub shard: Shard,
    /// See `shard`.
    pub epoch: i64,
    /// Its topic.
    pub topic: Arc<str>,
    /// Its key.
    pub key: Option<Arc<str>>,
    /// Attempts spent, this one included.
    pub attempts: u32,
    /// What the queue said, bounded and without control characters.
    pub error: String,
    /// What follows.
    pub action: FailureAction,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureAction {
    /// Hold the key and try again after this long.
    Retry(Duration),
    /// Hold the key until an operator decides.
    Block,
    /// Move the row to the dead letters; its key goes on.
    Bury,
    /// The message can never be published: move the row to the dead letters; its key goes on.
    BuryInvalid,
    /// Move the row to the dead letters and park its key.
    Park,
}

/// A row of a parked key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParkedRow {
    /// The row.
    pub id: i64,
    /// Its shard, and the epoch under which it was read.
    pub shard: Shard,
    /// See `shard`.
    pub epoch: i64,
}

/// Why the database did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Passing: the connection is gone, a deadlock, a timeout. The relay connects again and goes on.
    #[error("the outbox database did not answer as it should")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Lasting: the schema is missing, too old or too new, or this kind of database can't be relayed. The
    /// relay stops if it starts this way, and otherwise keeps trying.
    #[error("the outbox can't be relayed: {reason}")]
    Unusable {
        /// What is wrong and what to do.
        reason: String,
    },
}

/// Object safety is part of the contract: a store is chosen at run time.
fn _obj_safe(_: &dyn RelayStore) {}
