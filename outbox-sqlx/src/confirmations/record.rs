use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, btree_map};

use outbox_core::Headers;
use outbox_core::confirmation::{Confirm, Confirmation};
use serde_json::json;
use sqlx::Pool;
use uuid::Uuid;

use super::asked::{Asked, given_by};
use crate::error::OutboxError;
use crate::queue::QueueDatabase;
use crate::queue::statement::{Statement, args, statement};

const RECORD: Statement = statement!("confirm_record");
const FIND: Statement = statement!("confirm_find");
const LOCK: Statement = statement!("confirm_lock");
const CLOSE: Statement = statement!("confirm_close");
pub(super) const OF: Statement = statement!("confirm_of");
const BURIED: Statement = statement!("confirm_buried");
const UNBURY: Statement = statement!("confirm_unbury");

/// What followed from a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recorded {
    /// It was kept: the message is not here yet, or waits for others, or was confirmed before.
    Noted,
    /// It was the last one that the message waited for.
    Confirmed,
    /// The message had been given up for want of it, and is no dead letter any more.
    Unburied,
}

impl Recorded {
    /// As a label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Noted => "noted",
            Self::Confirmed => "confirmed",
            Self::Unburied => "unburied",
        }
    }
}

/// Records these, and says of each what followed: of several of one message, of the last one.
pub(super) async fn record<DB: QueueDatabase>(
    pool: &Pool<DB>,
    confirmations: &[Confirmation],
) -> Result<Vec<Recorded>, OutboxError> {
    let failed = || OutboxError::database("recording confirmations");
    // In one order, in which nobody who records at the same time meets another one the wrong way round.
    let pairs: BTreeSet<(String, &str)> = confirmations
        .iter()
        .map(|confirmation| (hex(confirmation.message_id.0), confirmation.group.as_str()))
        .collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    {
        // Committed before anything is looked at: the relay commits what waits before it looks at the confirmations.
        let mut connection = pool.acquire().await.map_err(failed())?;
        DB::execute(&mut connection, RECORD, args![&json!(pairs).to_string()])
            .await
            .map_err(failed())?;
    }
    let ids: BTreeSet<&str> = pairs.iter().map(|(id, _)| id.as_str()).collect();
    let mut tx = DB::begin_own(pool).await?;
    let mut followed = settle::<DB>(&mut tx, &json!(ids).to_string())
        .await
        .map_err(failed())?;
    DB::commit(tx).await?;
    let mut recorded: Vec<Recorded> = confirmations
        .iter()
        .rev()
        .map(|confirmation| {
            followed
                .remove(&confirmation.message_id.0)
                .unwrap_or(Recorded::Noted)
        })
        .collect();
    recorded.reverse();
    Ok(recorded)
}

/// An id as it is written in JSON.
fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// Ends the waiting of messages, or their being dead, where enough have confirmed. `ids`: of the messages, as JSON. Returns
/// what followed for those that are not just noted.
async fn settle<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    ids: &str,
) -> sqlx::Result<HashMap<Uuid, Recorded>> {
    let mut followed = HashMap::new();
    let mut waiting = BTreeMap::new();
    let found = DB::rows(connection, FIND, args![ids]).await?;
    if !found.is_empty() {
        let found = found
            .iter()
            .map(|row| row.int(0))
            .collect::<sqlx::Result<Vec<i64>>>()?;
        // Without those that a sweep was first to settle.
        for row in &DB::rows(connection, LOCK, args![&json!(found).to_string()]).await? {
            waiting.insert(row.int(0)?, row.id(1)?);
        }
    }
    // Looked at when the locks are held: a sweep that held one may have given the message up meanwhile.
    let buried = DB::rows(connection, BURIED, args![ids]).await?;
    if !waiting.is_empty() {
        let rows: Vec<i64> = waiting.keys().copied().collect();
        let confirmed = close_confirmed::<DB>(connection, &rows).await?;
        let confirmed = confirmed.iter().filter_map(|row| waiting.get(row));
        followed.extend(confirmed.map(|&id| (id, Recorded::Confirmed)));
    }
    for row in &buried {
        let (id, headers) = (row.id(1)?, row.text(2)?);
        let headers = Headers::from_json(&headers).unwrap_or_default();
        let given = given_by::<DB>(connection, id).await?;
        // It waited because its headers asked, so they can be understood.
        let asked = Confirm::of(&headers).ok().flatten();
        if asked.is_some_and(|asked| asked.is_satisfied(|group| given.contains(group)))
            && DB::execute(connection, UNBURY, args![row.int(0)?]).await? > 0
        {
            followed.insert(id, Recorded::Unburied);
        }
    }
    Ok(followed)
}

/// Ends the waiting of those among these rows that enough have confirmed, and returns which.
pub(super) async fn close_confirmed<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    rows: &[i64],
) -> sqlx::Result<Vec<i64>> {
    let rows = json!(rows).to_string();
    let mut waiting: BTreeMap<i64, (Asked, HashSet<String>)> = BTreeMap::new();
    for row in &DB::rows(connection, OF, args![&rows]).await? {
        let (_, given) = match waiting.entry(row.int(0)?) {
            btree_map::Entry::Occupied(known) => known.into_mut(),
            btree_map::Entry::Vacant(new) => new.insert((Asked::read(row, 1)?, HashSet::new())),
        };
        given.insert(row.text(3)?);
    }
    let confirmed: Vec<i64> = waiting
        .into_iter()
        .filter_map(|(row, (asked, given))| asked.is_satisfied(&given).then_some(row))
        .collect();
    close::<DB>(connection, &confirmed).await?;
    Ok(confirmed)
}

/// Ends the waiting of these rows.
pub(super) async fn close<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    rows: &[i64],
) -> sqlx::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    DB::execute(connection, CLOSE, args![&json!(rows).to_string()])
        .await
        .map(drop)
}
