//! A stored half message.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use outbox_core::half::HalfState;
use outbox_core::{Headers, Message, MessageId};

use super::super::database::QueueDatabase;
use super::super::read::{PageBuilder, StoredMessage};
use super::super::statement::{Cells, Statement, args};

/// A half message as a statement found it.
pub(super) struct HalfRow<DB: QueueDatabase> {
    id: MessageId,
    pub(super) state: HalfState,
    pub(super) checks: u32,
    cells: Cells<DB>,
}

/// Looks for a half message by `half_find` or `half_lock`.
pub(super) async fn find<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    statement: Statement,
    id: MessageId,
) -> sqlx::Result<Option<HalfRow<DB>>> {
    let mut rows = DB::rows(connection, statement, args![id.0]).await?;
    let Some(cells) = rows.pop() else {
        return Ok(None);
    };
    Ok(Some(HalfRow {
        id,
        state: state(&cells, 0)?,
        checks: u32::try_from(cells.int(1)?).unwrap_or(u32::MAX),
        cells,
    }))
}

/// A state in a row.
pub(super) fn state<DB: QueueDatabase>(cells: &Cells<DB>, column: usize) -> sqlx::Result<HalfState> {
    let name = cells.text(column)?;
    name.parse().map_err(|unknown| sqlx::Error::ColumnDecode {
        index: column.to_string(),
        source: Box::new(unknown),
    })
}

impl<DB: QueueDatabase> HalfRow<DB> {
    /// The message as it was prepared; `None` of one that has ended.
    pub(super) fn message(&self) -> sqlx::Result<Option<Message>> {
        if self.state.is_end() {
            return Ok(None);
        }
        let (topic, key): (Arc<str>, _) = (self.cells.text(2)?.into(), self.cells.maybe_text(3)?);
        let (payload, headers) = (self.cells.bytes(4)?, self.cells.text(5)?);
        let mut page = PageBuilder::new([(0, topic)]);
        page.take(StoredMessage {
            queue: 0,
            offset: 0,
            message_id: self.id.0.as_bytes(),
            key: key.as_deref().map(str::as_bytes),
            payload: &payload,
            headers: headers.as_bytes(),
            created_at: self.cells.int(6)?,
        });
        let (after, at) = (self.cells.maybe_int(7)?, self.cells.maybe_int(8)?);
        Ok(page.rows.pop().map(|row| with_due(row.message, after, at)))
    }
}

/// A message with its delay, which begins anew with every reading: only that of the commit counts.
fn with_due(message: Message, after: Option<i64>, at: Option<i64>) -> Message {
    if after.is_none() && at.is_none() {
        return message;
    }
    let mut builder = Message::restore(
        Arc::clone(message.shared_topic()),
        message.id(),
        message.created_at(),
    )
    .payload(message.payload().clone(), Headers::DEFAULT_CONTENT_TYPE)
    .headers(message.headers().clone());
    if let Some(key) = message.shared_key() {
        builder = builder.key(Arc::clone(key));
    }
    let span = |micros: i64| Duration::from_micros(micros.max(0).unsigned_abs());
    if let Some(after) = after {
        builder = builder.delay(span(after));
    }
    if let Some(at) = at {
        builder = builder.deliver_at(UNIX_EPOCH + span(at));
    }
    builder.build_unchecked()
}
