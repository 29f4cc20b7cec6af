use std::collections::BTreeMap;
use std::time::Duration;

use outbox_core::Headers;
use sqlx::Pool;
use tokio_util::sync::CancellationToken;

use super::asked::{Asked, given_by};
use super::fate::{Fate, decide};
use super::record::close;
use crate::error::OutboxError;
use crate::queue::QueueDatabase;
use crate::queue::statement::{Cells, Statement, args, statement};

const OVERDUE: Statement = statement!("confirm_overdue");
const LOCK: Statement = statement!("confirm_lock_overdue");
const RESEND: Statement = statement!("confirm_resend");
const PARK: Statement = statement!("confirm_park");

/// What one sweep has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Messages that were found to be confirmed.
    pub confirmed: u64,
    /// Messages that are sent again.
    pub resent: u64,
    /// Messages that were given up.
    pub unconfirmed: u64,
    /// There may be more whose deadline has passed.
    pub more: bool,
}

impl Swept {
    /// Most messages of one sweep, which is one transaction.
    pub const MAX: usize = 100;
}

/// What happened, for the metrics: they are counted once it was committed.
enum Event {
    Confirmed,
    Resent(String),
    Unconfirmed(String),
}

pub(super) async fn sweep<DB: QueueDatabase>(pool: &Pool<DB>) -> Result<Swept, OutboxError> {
    let failed = || OutboxError::database("sweeping for confirmations that did not come");
    let overdue = {
        let mut connection = pool.acquire().await.map_err(failed())?;
        overdue::<DB>(&mut connection).await.map_err(failed())?
    };
    let mut swept = Swept {
        more: overdue.len() >= Swept::MAX,
        ..Swept::default()
    };
    if overdue.is_empty() {
        return Ok(swept);
    }
    let mut tx = DB::begin_own(pool).await?;
    // First, and in this order, as every redrive does: a shard is locked before what is in it.
    let mut shards = BTreeMap::new();
    for &(id, shard) in &overdue {
        let first: &mut i64 = shards.entry(shard).or_insert(id);
        *first = id.min(*first);
    }
    for (shard, id) in shards {
        DB::rewind(&mut tx, shard, id).await?;
    }
    let mut ids: Vec<i64> = overdue.into_iter().map(|(id, _)| id).collect();
    ids.sort_unstable();
    let (mut settled, mut events) = (Vec::new(), Vec::new());
    for id in ids {
        if let Some(event) = one::<DB>(&mut tx, id).await.map_err(failed())? {
            settled.push(id);
            events.push(event);
        }
    }
    close::<DB>(&mut tx, &settled).await.map_err(failed())?;
    DB::commit(tx).await?;
    for event in events {
        match event {
            Event::Confirmed => {
                swept.confirmed += 1;
                metrics::counter!("outbox_confirmations_total", "outcome" => "confirmed").increment(1);
            }
            Event::Resent(topic) => {
                swept.resent += 1;
                metrics::counter!("outbox_resends_total", "topic" => topic).increment(1);
            }
            Event::Unconfirmed(topic) => {
                swept.unconfirmed += 1;
                metrics::counter!("outbox_unconfirmed_total", "topic" => topic).increment(1);
            }
        }
    }
    Ok(swept)
}

/// Ids and shards.
async fn overdue<DB: QueueDatabase>(connection: &mut DB::Connection) -> sqlx::Result<Vec<(i64, i64)>> {
    let max = i64::try_from(Swept::MAX).unwrap_or(i64::MAX);
    let rows = DB::rows(connection, OVERDUE, args![max]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
}

/// Decides about one message under its lock, and copies it to where it goes on; the caller ends its waiting. `None`: somebody
/// else did.
async fn one<DB: QueueDatabase>(connection: &mut DB::Connection, id: i64) -> sqlx::Result<Option<Event>> {
    let rows = DB::rows(connection, LOCK, args![id]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let Overdue {
        message_id,
        topic,
        asked,
        headers,
        resends,
        max_resends,
        since,
    } = Overdue::read(row)?;
    // Only now: a confirmation that came before the lock was free is one that counts.
    let given = given_by::<DB>(connection, message_id).await?;
    let event = match decide(&asked, &given, resends, max_resends) {
        Fate::Confirmed => Event::Confirmed,
        Fate::Resend => {
            let headers = sent_again(&headers, resends, since);
            DB::execute(connection, RESEND, args![id, &headers]).await?;
            Event::Resent(topic)
        }
        Fate::GiveUp { error } => {
            DB::execute(connection, PARK, args![id, &error]).await?;
            Event::Unconfirmed(topic)
        }
    };
    Ok(Some(event))
}

/// The headers of a message that is sent again: they carry what its next waiting has to know.
fn sent_again(headers: &str, resends: i64, since: i64) -> String {
    // Read by a relay before, or it would not wait.
    let Ok(mut headers) = Headers::from_json(headers) else {
        return headers.to_owned();
    };
    headers.insert(Headers::CONFIRM_RESENT, resends.saturating_add(1).to_string());
    headers.insert(Headers::CONFIRM_SINCE, since.max(0).to_string());
    headers.to_json()
}

struct Overdue {
    message_id: uuid::Uuid,
    topic: String,
    asked: Asked,
    headers: String,
    resends: i64,
    max_resends: i64,
    since: i64,
}

impl Overdue {
    fn read<DB: QueueDatabase>(row: &Cells<DB>) -> sqlx::Result<Self> {
        Ok(Self {
            message_id: row.id(0)?,
            topic: row.text(1)?,
            asked: Asked::read(row, 2)?,
            headers: row.text(4)?,
            resends: row.int(5)?,
            max_resends: row.int(6)?,
            since: row.int(7)?,
        })
    }
}

pub(super) async fn run<DB: QueueDatabase>(pool: &Pool<DB>, poll: Duration, stop: CancellationToken) {
    loop {
        // A sweep that is dropped is rolled back.
        let Some(swept) = stop.run_until_cancelled(sweep(pool)).await else {
            return;
        };
        match swept {
            Ok(swept) if swept.more => continue,
            Ok(_) => {}
            Err(error) => {
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(
                    error = cause,
                    "sweeping for confirmations failed; it is tried again"
                );
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(poll)).await.is_none() {
            return;
        }
    }
}
