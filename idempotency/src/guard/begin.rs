use std::time::Duration;

use sqlx::Transaction;
use tokio::sync::OwnedSemaphorePermit;
use transaction_scope::{OpenScope, ScopedTransaction, TransactionError, Watch};

use super::Idempotency;
use crate::database::LedgerDatabase;
use crate::error::IdempotencyError;
use crate::ledger::name::Name;
use crate::ledger::{Claim, ClaimedMany, Fingerprint, Stored};

/// How often a claim is tried that the database undid because of others. The work has not begun by then. Of many that want
/// the same row each time one gets it and most others learn that it is done.
const CLAIM_TRIES: u32 = 8;

/// The longest wait before the next try.
const LONGEST_WAIT: Duration = Duration::from_millis(20);

/// How long one waits in the line of those that want to write, where one writes at a time.
const TURN_WAIT: Duration = Duration::from_secs(10);

/// A transaction in which a key is claimed.
pub(crate) struct First<DB: LedgerDatabase> {
    scope: OpenScope<DB>,
    // After the transaction's end, so below it.
    _turn: Option<OwnedSemaphorePermit>,
}

/// What a claim came to, in a transaction of its own.
pub(crate) enum Begun<DB: LedgerDatabase> {
    /// The work is ours.
    First(First<DB>),
    /// It was done before; the transaction is over.
    Duplicate(Stored),
}

/// What a transaction's first statement claims. (Not a closure: the compiler can't prove a future Send that holds one over
/// a transaction.)
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    One(Name<'a>, Option<Fingerprint>),
    #[cfg_attr(
        not(feature = "consumer"),
        expect(dead_code, reason = "batches are of messages")
    )]
    Many {
        scope: &'a str,
        keys: &'a [&'a str],
    },
}

/// What is claimed by it.
pub(crate) enum Claimed {
    First,
    Duplicate(Stored),
    Many(ClaimedMany),
}

impl Claimed {
    /// Whether there is something to be done in the transaction.
    fn is_work(&self) -> bool {
        match self {
            Self::First => true,
            Self::Duplicate(_) => false,
            Self::Many(many) => !many.first.is_empty(),
        }
    }
}

impl<DB: LedgerDatabase> First<DB> {
    pub(crate) fn split(&mut self) -> (&mut ScopedTransaction<DB>, &Watch) {
        self.scope.split()
    }

    /// Commits, or rolls back where the work failed.
    pub(crate) async fn end<T, E: From<TransactionError>>(self, worked: Result<T, E>) -> Result<T, E> {
        match worked {
            Ok(value) => {
                self.scope.commit().await?;
                Ok(value)
            }
            Err(error) => {
                self.scope.roll_back().await;
                Err(error)
            }
        }
    }
}

impl<DB: LedgerDatabase> Idempotency<DB> {
    /// Begins a transaction and claims a key in it.
    pub(crate) async fn begin(
        &self,
        name: Name<'_>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Begun<DB>, IdempotencyError> {
        match self.claiming(Asked::One(name, fingerprint)).await? {
            (Some(first), _) => Ok(Begun::First(first)),
            (None, Claimed::Duplicate(stored)) => Ok(Begun::Duplicate(stored)),
            (None, _) => Ok(Begun::Duplicate(Stored::new(None))),
        }
    }

    async fn claim(
        &self,
        tx: &mut Transaction<'static, DB>,
        asked: Asked<'_>,
    ) -> Result<Claimed, IdempotencyError> {
        let ledger = &self.inner.ledger;
        Ok(match asked {
            Asked::One(name, fingerprint) => match ledger.claim_open(tx, name, fingerprint).await? {
                Claim::First => Claimed::First,
                Claim::Duplicate(stored) => Claimed::Duplicate(stored),
                Claim::Conflict => return Err(IdempotencyError::Conflict),
                Claim::Busy => return Err(IdempotencyError::Busy),
            },
            Asked::Many { scope, keys } => Claimed::Many(ledger.claim_many(tx, scope, keys).await?),
        })
    }

    /// Begins a transaction, whose first statement claims; again when the database undid that because of others. The
    /// transaction stays open where there is work.
    pub(crate) async fn claiming(
        &self,
        asked: Asked<'_>,
    ) -> Result<(Option<First<DB>>, Claimed), IdempotencyError> {
        let turn = self.turn().await?;
        let mut tries = 1;
        loop {
            let tx = self.inner.ledger.begin(&self.inner.pool).await;
            let mut scope = OpenScope::new(tx.map_err(|error| IdempotencyError::from(error).or_busy())?);
            match self.claim(scope.split().0.as_mut(), asked).await {
                Ok(claimed) if claimed.is_work() => {
                    return Ok((Some(First { scope, _turn: turn }), claimed));
                }
                Ok(claimed) => {
                    if DB::SHOWS_EARLY {
                        scope.commit().await?;
                    } else {
                        scope.roll_back().await;
                    }
                    return Ok((None, claimed));
                }
                Err(IdempotencyError::Transaction(error)) if error.is_conflict() && tries < CLAIM_TRIES => {
                    scope.roll_back().await;
                    tracing::debug!(
                        error = &error as &dyn std::error::Error,
                        tries,
                        "a claim is tried again"
                    );
                    tries += 1;
                    tokio::time::sleep(LONGEST_WAIT.mul_f64(fastrand::f64())).await;
                }
                Err(error) => {
                    scope.roll_back().await;
                    return Err(error);
                }
            }
        }
    }

    /// Waits until it is this task's turn to write, where one writes at a time.
    pub(crate) async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>, IdempotencyError> {
        let Some(turn) = &self.inner.turn else {
            return Ok(None);
        };
        match tokio::time::timeout(TURN_WAIT, std::sync::Arc::clone(turn).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Some(permit)),
            // Nobody closes it.
            Ok(Err(_)) | Err(_) => Err(IdempotencyError::Busy),
        }
    }
}
