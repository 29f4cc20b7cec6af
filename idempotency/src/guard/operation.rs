use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use transaction_scope::ScopedTransaction;

use super::{Begun, Decision, Duplicate, Idempotency, Locked, Outcome, RunError, StoredOutcome};
use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;
use crate::ledger::name::Name;
use crate::ledger::{Fingerprint, Stored};

/// Something to be done once, under a scope and a key.
#[derive(Debug)]
#[must_use = "nothing is done before `run`"]
pub struct Operation<'a, DB: LedgerDatabase> {
    guard: &'a Idempotency<DB>,
    scope: &'a str,
    key: &'a str,
    fingerprint: Option<Fingerprint>,
}

/// What a run in the ledger's database came to.
enum Ran<T> {
    First(T),
    Duplicate(Stored),
}

impl<'a, DB: LedgerDatabase> Operation<'a, DB> {
    pub(super) fn new(guard: &'a Idempotency<DB>, scope: &'a str, key: &'a str) -> Self {
        Self {
            guard,
            scope,
            key,
            fingerprint: None,
        }
    }

    /// What is asked for, such as a request's body: the same key with other bytes is [`RunError::Conflict`]. Only its hash
    /// is kept. Whoever gives none asks for the same. A duplicate then asks the database, because a done mark does not know what it was for.
    pub fn fingerprint(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.fingerprint = Some(Fingerprint::of(bytes));
        self
    }

    /// See [`Idempotency::run`].
    ///
    /// # Errors
    /// As there; and [`RunError::Conflict`].
    pub async fn run<T, E, W>(self, work: W) -> Result<Outcome<T>, RunError<E>>
    where
        W: AsyncFnOnce(&mut ScopedTransaction<DB>) -> Result<T, E>,
    {
        let name = Name::new(self.scope, self.key)?;
        let locked = self.guard.lock(name).await;
        if let Locked::Done = locked
            && self.fingerprint.is_none()
        {
            self.guard.count(Decision::DuplicateMark);
            return Ok(Outcome::Duplicate(Duplicate::Mark));
        }
        Ok(match self.in_database(name, locked, work, |_| Ok(None)).await? {
            Ran::First(value) => Outcome::First(value),
            Ran::Duplicate(_) => Outcome::Duplicate(Duplicate::Ledger),
        })
    }

    /// See [`Idempotency::run_stored`].
    ///
    /// # Errors
    /// As there; and [`RunError::Conflict`].
    pub async fn run_stored<T, E, W>(self, work: W) -> Result<StoredOutcome<T>, RunError<E>>
    where
        W: AsyncFnOnce(&mut ScopedTransaction<DB>) -> Result<T, E>,
        T: Serialize + DeserializeOwned,
    {
        let name = Name::new(self.scope, self.key)?;
        // A mark knows no answer.
        let locked = self.guard.lock(name).await;
        let write = |value: &T| {
            serde_json::to_vec(value)
                .map(Some)
                .map_err(answer_failed("writing"))
        };
        Ok(match self.in_database(name, locked, work, write).await? {
            Ran::First(value) => StoredOutcome::First(value),
            Ran::Duplicate(stored) => {
                let answer = stored.answer().ok_or(IdempotencyError::NoAnswer)?;
                StoredOutcome::Replayed(serde_json::from_slice(answer).map_err(answer_failed("reading"))?)
            }
        })
    }

    /// From the claim to the mark.
    async fn in_database<T, E, W>(
        &self,
        name: Name<'_>,
        locked: Locked,
        work: W,
        answer: impl FnOnce(&T) -> Result<Option<Vec<u8>>, IdempotencyError>,
    ) -> Result<Ran<T>, RunError<E>>
    where
        W: AsyncFnOnce(&mut ScopedTransaction<DB>) -> Result<T, E>,
    {
        let ran = locked.during(self.in_transaction(name, work, answer)).await;
        match &ran {
            Ok(Ran::First(_)) => self.guard.count(Decision::First),
            Ok(Ran::Duplicate(_)) => self.guard.count(Decision::DuplicateLedger),
            Err(RunError::Busy) => self.guard.count(Decision::Busy),
            Err(RunError::Conflict) => self.guard.count(Decision::Conflict),
            Err(_) => {}
        }
        match &ran {
            Ok(_) => self.guard.done(locked).await,
            Err(_) => self.guard.not_done(locked).await,
        }
        ran
    }

    async fn in_transaction<T, E, W>(
        &self,
        name: Name<'_>,
        work: W,
        answer: impl FnOnce(&T) -> Result<Option<Vec<u8>>, IdempotencyError>,
    ) -> Result<Ran<T>, RunError<E>>
    where
        W: AsyncFnOnce(&mut ScopedTransaction<DB>) -> Result<T, E>,
    {
        let mut first = match self.guard.begin(name, self.fingerprint).await? {
            Begun::First(first) => first,
            Begun::Duplicate(stored) => return Ok(Ran::Duplicate(stored)),
        };
        let (tx, watch) = first.split();
        let worked = watch.over(async {
            let value = work(tx).await.map_err(RunError::Work)?;
            if let Some(answer) = answer(&value)? {
                let ledger = self.guard.ledger();
                ledger
                    .keep_answer(tx.as_mut(), name.scope, name.key, &answer)
                    .await?;
            }
            Ok(value)
        });
        let worked = worked.await;
        first.end(worked).await.map(Ran::First)
    }
}

fn answer_failed(doing: &'static str) -> impl FnOnce(serde_json::Error) -> IdempotencyError {
    move |source| IdempotencyError::Answer {
        doing,
        source: Arc::new(source),
    }
}
