//! The queue's database as a store of half messages.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use outbox_core::half::{
    AfterCheck, Claim, Claimed, Decided, Ending, HalfError, HalfFilter, HalfMessage, HalfState, HalfStore,
};
use outbox_core::{Message, MessageId};
use uuid::Uuid;

use super::super::append::{created_at, headers_json};
use super::super::backend::Backend;
use super::super::database::QueueDatabase;
use super::super::error::QueueError;
use super::super::groups::time;
use super::super::statement::{Cells, Statement, args, statement};
use super::row::{find, state};
use crate::error::OutboxError;
use crate::relay::{count, micros};
use crate::sql_store::DueMicros;

const PREPARE: Statement = statement!("half_prepare");
const FIND: Statement = statement!("half_find");
const LOCK: Statement = statement!("half_lock");
const DUE: Statement = statement!("half_due");
const CLAIM: Statement = statement!("half_claim");
const AFTER_CHECK: Statement = statement!("half_after_check");
const LIST: Statement = statement!("half_list");
const REDRIVE: Statement = statement!("half_redrive");
const ENDED: Statement = statement!("half_ended");
const FORGET: Statement = statement!("half_forget");

/// What the driver said, as an error of half messages.
pub(super) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> HalfError {
    move |source| refused(doing)(OutboxError::database(doing)(source).into())
}

/// What the queue said, as an error of half messages.
pub(super) fn refused(doing: &'static str) -> impl FnOnce(QueueError) -> HalfError {
    move |source| HalfError::Store {
        doing,
        // A commit whose outcome is unknown may be asked for again here: it is never done twice.
        retryable: source.is_retryable()
            || matches!(source, QueueError::Transaction(OutboxError::CommitUnknown { .. })),
        source: Arc::new(source),
    }
}

#[async_trait]
impl<DB: QueueDatabase> HalfStore for Backend<DB> {
    async fn prepare(&self, message: Message, first: Duration) -> Result<(), HalfError> {
        let doing = "preparing a half message";
        message.check(&self.config.limits).map_err(HalfError::Message)?;
        let due = DueMicros::of(message.due()).map_err(|error| refused(doing)(error.into()))?;
        let id = message.id();
        let headers = headers_json(&message);
        let arguments = args![
            id.0,
            message.topic(),
            message.key(),
            &message.payload()[..],
            &*headers,
            created_at(&message),
            due.after,
            due.at,
            micros(first)
        ];
        let mut connection = self.pool.acquire().await.map_err(failed(doing))?;
        let error = match DB::execute(&mut connection, PREPARE, arguments).await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        if !is_unique_violation(&error) {
            return Err(failed(doing)(error));
        }
        let row = find::<DB>(&mut connection, FIND, id)
            .await
            .map_err(failed(doing))?;
        match row {
            Some(row) => Err(HalfError::PreparedBefore { id, state: row.state }),
            // It was forgotten in between.
            None => Err(failed(doing)(error)),
        }
    }

    async fn end(&self, id: MessageId, ending: &Ending) -> Result<Decided, HalfError> {
        self.end_half(id, ending).await
    }

    async fn due(&self, topic: &str, limit: usize) -> Result<Vec<MessageId>, HalfError> {
        let read = async {
            let mut connection = self.pool.acquire().await?;
            let rows = DB::rows(&mut connection, DUE, args![topic, count(limit)]).await?;
            rows.iter()
                .map(|row| row.id(0).map(MessageId))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        read.await.map_err(failed("looking for due half messages"))
    }

    async fn claim(&self, id: MessageId, claim: Claim) -> Result<Option<Claimed>, HalfError> {
        let take = async {
            let mut connection = self.pool.acquire().await?;
            let arguments = args![id.0, claim.id, micros(claim.hold)];
            if DB::execute(&mut connection, CLAIM, arguments).await? == 0 {
                return Ok(None);
            }
            let Some(row) = find::<DB>(&mut connection, FIND, id).await? else {
                return Ok(None);
            };
            let message = row.message()?;
            Ok(message.map(|message| Claimed {
                message,
                checks: row.checks,
            }))
        };
        take.await.map_err(failed("claiming a half message"))
    }

    async fn after_check(
        &self,
        id: MessageId,
        claim: Uuid,
        after: AfterCheck,
        said: &str,
    ) -> Result<bool, HalfError> {
        let (counted, state, wait) = match after {
            AfterCheck::CheckAgain(wait) => (1, HalfState::Prepared, Some(micros(wait))),
            AfterCheck::Park => (1, HalfState::Parked, None),
            AfterCheck::Unreachable(wait) => (0, HalfState::Prepared, Some(micros(wait))),
        };
        let write = async {
            let mut connection = self.pool.acquire().await?;
            let arguments = args![id.0, claim, counted, state.as_str(), wait, said];
            DB::execute(&mut connection, AFTER_CHECK, arguments).await
        };
        let written = write.await.map_err(failed("writing down a check"))?;
        Ok(written > 0)
    }

    async fn list(&self, filter: &HalfFilter, limit: u32) -> Result<Vec<HalfMessage>, HalfError> {
        let read = async {
            let mut connection = self.pool.acquire().await?;
            let arguments = args![
                filter.topic.as_deref(),
                filter.state.map(HalfState::as_str),
                filter.after.map(|id| id.0),
                i64::from(limit)
            ];
            let rows = DB::rows(&mut connection, LIST, arguments).await?;
            rows.iter().map(shown).collect::<sqlx::Result<Vec<_>>>()
        };
        read.await.map_err(failed("listing half messages"))
    }

    async fn message(&self, id: MessageId) -> Result<Option<Message>, HalfError> {
        let read = async {
            let mut connection = self.pool.acquire().await?;
            match find::<DB>(&mut connection, FIND, id).await? {
                Some(row) => row.message(),
                None => Ok(None),
            }
        };
        read.await.map_err(failed("reading a half message"))
    }

    async fn redrive(&self, id: MessageId) -> Result<(), HalfError> {
        let doing = "redriving a half message";
        let begun = DB::begin_own(&self.pool).await;
        let mut tx = begun.map_err(|error| refused(doing)(error.into()))?;
        let row = find::<DB>(&mut tx, LOCK, id).await.map_err(failed(doing))?;
        row.ok_or(HalfError::NotPrepared { id })?.state.redrive(id)?;
        DB::execute(&mut tx, REDRIVE, args![id.0])
            .await
            .map_err(failed(doing))?;
        let committed = DB::commit(tx).await;
        committed.map_err(|error| refused(doing)(error.into()))
    }

    async fn forget_ended(&self, remember: Duration, limit: u32) -> Result<u64, HalfError> {
        let write = async {
            let mut connection = self.pool.acquire().await?;
            forget_old::<DB>(&mut connection, (ENDED, FORGET), remember, i64::from(limit)).await
        };
        write.await.map_err(failed("forgetting ended half messages"))
    }
}

/// Whether a row of this key is there.
pub(super) fn is_unique_violation(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation())
}

/// Removes at most `limit` rows that are older than `age`: they are found by the first statement and removed by the second.
pub(super) async fn forget_old<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    (old, forget): (Statement, Statement),
    age: Duration,
    limit: i64,
) -> sqlx::Result<u64> {
    let rows = DB::rows(connection, old, args![micros(age), limit]).await?;
    let ids: Vec<String> = rows
        .iter()
        .map(|row| Ok(row.id(0)?.simple().to_string()))
        .collect::<sqlx::Result<_>>()?;
    if ids.is_empty() {
        return Ok(0);
    }
    DB::execute(connection, forget, args![&serde_json::json!(ids).to_string()]).await
}

fn shown<DB: QueueDatabase>(row: &Cells<DB>) -> sqlx::Result<HalfMessage> {
    let mut shown = HalfMessage::new(MessageId(row.id(0)?), row.text(1)?, time(row.int(5)?));
    shown.key = row.maybe_text(2)?;
    shown.state = state(row, 3)?;
    shown.checks = u32::try_from(row.int(4)?).unwrap_or(u32::MAX);
    shown.next_check_at = row.maybe_int(6)?.map(time);
    shown.last_error = row.maybe_text(7)?;
    shown.ended_at = row.maybe_int(8)?.map(time);
    shown.ended_by = row.maybe_text(9)?;
    shown.reason = row.maybe_text(10)?;
    Ok(shown)
}
