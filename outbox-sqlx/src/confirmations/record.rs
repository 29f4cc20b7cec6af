use outbox_core::Headers;
use outbox_core::confirmation::{Confirm, Confirmation};
use sqlx::Pool;
use uuid::Uuid;

use super::asked::{Asked, given_by};
use crate::error::OutboxError;
use crate::queue::QueueDatabase;
use crate::queue::statement::{Statement, args, statement};

const RECORD: Statement = statement!("confirm_record");
const FIND: Statement = statement!("confirm_find");
const LOCK: Statement = statement!("confirm_lock");
pub(super) const CLOSE: Statement = statement!("confirm_close");
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

pub(super) async fn record<DB: QueueDatabase>(
    pool: &Pool<DB>,
    confirmation: &Confirmation,
) -> Result<Recorded, OutboxError> {
    let failed = || OutboxError::database("recording a confirmation");
    let (id, group) = (confirmation.message_id.0, confirmation.group.as_str());
    {
        // Committed before anything is looked at: the relay commits what waits before it looks at the confirmations.
        let mut connection = pool.acquire().await.map_err(failed())?;
        DB::execute(&mut connection, RECORD, args![id, group])
            .await
            .map_err(failed())?;
    }
    let mut tx = DB::begin_own(pool).await?;
    let recorded = settle::<DB>(&mut tx, id).await.map_err(failed())?;
    DB::commit(tx).await?;
    Ok(recorded)
}

/// Ends the waiting of a message, or its being dead, if enough have confirmed.
async fn settle<DB: QueueDatabase>(connection: &mut DB::Connection, id: Uuid) -> sqlx::Result<Recorded> {
    let mut waiting = Vec::new();
    for row in &DB::rows(connection, FIND, args![id]).await? {
        let row = row.int(0)?;
        // None: a sweep was first.
        if let Some(asked) = DB::rows(connection, LOCK, args![row]).await?.first() {
            waiting.push((row, Asked::read(asked, 0)?));
        }
    }
    // Looked at when the locks are held: a sweep that held one may have given the message up meanwhile.
    let buried = DB::rows(connection, BURIED, args![id]).await?;
    if waiting.is_empty() && buried.is_empty() {
        return Ok(Recorded::Noted);
    }
    let given = given_by::<DB>(connection, id).await?;
    let mut recorded = Recorded::Noted;
    for (row, asked) in waiting {
        if asked.is_satisfied(&given) {
            DB::execute(connection, CLOSE, args![row]).await?;
            recorded = Recorded::Confirmed;
        }
    }
    for row in &buried {
        let headers = Headers::from_json(&row.text(1)?).unwrap_or_default();
        // It waited because its headers asked, so they can be understood.
        let asked = Confirm::of(&headers).ok().flatten();
        if asked.is_some_and(|asked| asked.is_satisfied(|group| given.contains(group)))
            && DB::execute(connection, UNBURY, args![row.int(0)?]).await? > 0
        {
            recorded = Recorded::Unburied;
        }
    }
    Ok(recorded)
}
