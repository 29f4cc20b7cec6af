use std::collections::HashSet;

use async_trait::async_trait;
use outbox_core::consumer::{BatchHandler, HandleError};
use outbox_core::{Delivery, Enqueue, Message, MessageId};
use transaction_scope::ScopedTransaction;

use super::failure::{Failure, handle_error};
use super::step::Handle;
use super::{IdempotentConsumer, IdempotentHandler};
use crate::database::LedgerDatabase;
use crate::guard::{Asked, Claimed, Decision, RunError};

/// A message and its key in the ledger.
struct Keyed<'a> {
    message: &'a Message,
    key: String,
}

#[async_trait]
impl<DB, O, H> BatchHandler for IdempotentConsumer<DB, O, H>
where
    DB: LedgerDatabase,
    O: Enqueue<ScopedTransaction<DB>> + Send + Sync + 'static,
    H: IdempotentHandler<DB, O>,
{
    async fn handle_batch(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        match batch {
            [delivery] => self.handle_one(delivery.message()).await,
            batch => self.handle_many(batch).await,
        }
    }
}

impl<DB, O, H> IdempotentConsumer<DB, O, H>
where
    DB: LedgerDatabase,
    O: Enqueue<ScopedTransaction<DB>> + Send + Sync + 'static,
    H: IdempotentHandler<DB, O>,
{
    async fn handle_many(&self, batch: &[Delivery]) -> Result<(), HandleError> {
        let mut seen: HashSet<MessageId> = HashSet::with_capacity(batch.len());
        let mut messages = Vec::with_capacity(batch.len());
        for delivery in batch {
            let message = delivery.message();
            self.remembers(message)?;
            // The same one twice in a batch is one.
            if seen.insert(message.id()) {
                messages.push(Keyed {
                    message,
                    key: message.id().to_string(),
                });
            }
        }
        let keys: Vec<&str> = messages.iter().map(|message| message.key.as_str()).collect();
        let mut locked = self.guard.lock_many(&self.group, &keys).await;
        if locked.busy {
            // One by one, each waits for its own.
            return Err(handle_error(RunError::Busy));
        }
        let marks = std::mem::take(&mut locked.done);
        let (marked, open): (Vec<_>, Vec<_>) = messages.into_iter().zip(marks).partition(|(_, done)| *done);
        let marked: Vec<&Message> = marked.iter().map(|(keyed, _)| keyed.message).collect();
        let open: Vec<Keyed<'_>> = open.into_iter().map(|(keyed, _)| keyed).collect();
        let handled = locked.during(self.many_in_database(&open, &marked)).await;
        match handled {
            Ok(firsts) => {
                let decided = [
                    (Decision::First, firsts),
                    (Decision::DuplicateLedger, open.len() - firsts),
                    (Decision::DuplicateMark, marked.len()),
                ];
                for (decision, times) in decided {
                    (0..times).for_each(|_| self.guard.count(decision));
                }
                self.guard.done_many(locked).await;
                Ok(())
            }
            Err(failure) => {
                self.count_failure(&failure);
                Err(handle_error(failure))
            }
        }
    }

    /// Claims, handles and confirms; how many were the first.
    async fn many_in_database(&self, open: &[Keyed<'_>], marked: &[&Message]) -> Result<usize, Failure> {
        if open.is_empty() {
            self.confirm_again(marked).await?;
            return Ok(0);
        }
        let keys: Vec<&str> = open.iter().map(|keyed| keyed.key.as_str()).collect();
        let asked = Asked::Many {
            scope: &self.group,
            keys: &keys,
        };
        let (first, claimed) = self.guard.claiming(asked).await?;
        let is_first = |keyed: &&Keyed<'_>| match &claimed {
            Claimed::Many(many) => many.first.contains(&keyed.key),
            Claimed::First => true,
            Claimed::Duplicate(_) => false,
        };
        let (firsts, others): (Vec<&Keyed<'_>>, Vec<&Keyed<'_>>) = open.iter().partition(is_first);
        let firsts: Vec<&Message> = firsts.iter().map(|keyed| keyed.message).collect();
        let mut duplicates: Vec<&Message> = others.iter().map(|keyed| keyed.message).collect();
        duplicates.extend(marked);
        match first {
            Some(first) => {
                let (handler, messages) = (&self.handler, firsts.as_slice());
                let step = Handle { handler, messages };
                self.work(first, step, &firsts, &duplicates).await?;
            }
            None => self.confirm_again(&duplicates).await?,
        }
        Ok(firsts.len())
    }
}
