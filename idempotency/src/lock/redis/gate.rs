//! The breaker as calls meet it: a call that is dropped leaves it as it should be.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::lock::breaker::{Breaker, Change, Pass};
use crate::lock::{LockError, Unavailable};

#[derive(Debug)]
pub(super) struct Gate {
    breaker: Mutex<Breaker>,
}

/// One call that was let through.
#[derive(Debug)]
pub(super) struct Call<'a> {
    gate: &'a Gate,
    // `None` once it is known what came of it.
    pass: Option<Pass>,
}

impl Gate {
    pub(super) fn new(breaker: Breaker) -> Self {
        Self {
            breaker: Mutex::new(breaker),
        }
    }

    pub(super) fn enter(&self) -> Result<Call<'_>, LockError> {
        let pass = self.breaker().enter(Instant::now());
        match pass {
            Ok(pass) => Ok(Call {
                gate: self,
                pass: Some(pass),
            }),
            Err(left) => Err(Unavailable::Resting { left }.into()),
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // Nothing in there panics halfway through a change.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<'_> {
    /// The lock answered, whatever it said.
    pub(super) fn answered(mut self) {
        let change = self
            .pass
            .take()
            .and_then(|pass| self.gate.breaker().answered(pass));
        if change == Some(Change::Closed) {
            tracing::warn!("the idempotency lock answers again");
        }
    }

    pub(super) fn failed(mut self, reason: &Unavailable) {
        let change = self
            .pass
            .take()
            .and_then(|pass| self.gate.breaker().failed(pass, Instant::now()));
        if change == Some(Change::Opened) {
            tracing::warn!(
                error = %Reasons(reason),
                "the idempotency lock failed and is left alone for a while: duplicates are stopped by the ledger alone"
            );
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass.take() {
            self.gate.breaker().abandoned(pass, Instant::now());
        }
    }
}

/// An error and its causes in a line.
struct Reasons<'a>(&'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
