//! Ends a half message; one that is committed is appended by the same transaction.

use std::sync::Arc;

use foldhash::HashMap;
use outbox_core::half::{Decided, Ending, HalfError, HalfState};
use outbox_core::{Message, MessageId};

use super::super::backend::Backend;
use super::super::database::QueueDatabase;
use super::super::error::QueueError;
use super::super::publisher::{ROUTE_ATTEMPTS, Routed, count};
use super::super::statement::{Statement, args, statement};
use super::super::topics;
use super::row::find;
use super::store::{failed, refused};

const LOCK: Statement = statement!("half_lock");
const END: Statement = statement!("half_end");

/// What came of a try.
enum Tried {
    Done(Decided, Option<Message>),
    /// The message's topic has grown meanwhile, or is not there yet; nothing was changed.
    Again(Arc<str>),
}

impl<DB: QueueDatabase> Backend<DB> {
    /// Ends a half message once.
    pub(super) async fn end_half(&self, id: MessageId, ending: &Ending) -> Result<Decided, HalfError> {
        for _ in 0..ROUTE_ATTEMPTS {
            match self.try_end(id, ending).await? {
                Tried::Done(decided, appended) => {
                    if let Some(message) = &appended {
                        self.announce();
                        count(&[message]);
                    }
                    return Ok(decided);
                }
                Tried::Again(topic) => {
                    self.topic(&topic).await.map_err(refused(DOING))?;
                }
            }
        }
        Err(failed(DOING)(sqlx::Error::PoolTimedOut))
    }

    async fn try_end(&self, id: MessageId, ending: &Ending) -> Result<Tried, HalfError> {
        let begun = DB::begin_own(&self.pool).await;
        let mut tx = begun.map_err(|error| refused(DOING)(error.into()))?;
        let row = find::<DB>(&mut tx, LOCK, id).await.map_err(failed(DOING))?;
        let row = row.ok_or(HalfError::NotPrepared { id })?;
        if row.state.end(id, ending)? == Decided::Before {
            return Ok(Tried::Done(Decided::Before, None));
        }
        let message = match ending.state() {
            HalfState::Committed => row.message().map_err(failed(DOING))?,
            _ => None,
        };
        let (from, to) = (row.state.as_str(), ending.state().as_str());
        let ended = DB::execute(&mut tx, END, args![id.0, from, to, ending.by(), ending.reason()]).await;
        if ended.map_err(failed(DOING))? != 1 {
            return Err(HalfError::NotPrepared { id });
        }
        if let Some(message) = &message
            && !append::<DB>(&mut tx, message).await.map_err(refused(DOING))?
        {
            tx.rollback().await.map_err(failed(DOING))?;
            return Ok(Tried::Again(Arc::clone(message.shared_topic())));
        }
        let committed = DB::commit(tx).await;
        committed.map_err(|error| refused(DOING)(error.into()))?;
        Ok(Tried::Done(Decided::Now, message))
    }
}

const DOING: &str = "ending a half message";

/// Appends a message in the caller's transaction. False when its topic is not there, or grows at this moment.
async fn append<DB: QueueDatabase>(
    connection: &mut DB::Connection,
    message: &Message,
) -> Result<bool, QueueError> {
    // Looked for anew, because a transaction that has to begin again for an old number of queues costs more.
    let found = topics::find::<DB>(connection, message.shared_topic())
        .await
        .map_err(QueueError::database("looking for a topic"))?;
    let Some(topic) = found else {
        return Ok(false);
    };
    let topics = HashMap::from_iter([(Arc::clone(message.shared_topic()), Arc::new(topic))]);
    Routed::of(&topics, &[message])?.write::<DB>(connection).await
}
