use std::time::Duration;

use async_trait::async_trait;
use idempotency::lock::{Acquired, Lock, LockError, LockKey, MemoryLock, Token};

/// How a lock breaks its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockFault {
    /// Everybody gets it, always.
    GrantsAll,
    /// Nobody gets it: somebody else is always said to have it.
    GrantsNone,
    /// It forgets every second lock and mark.
    Forgets,
}

/// A lock that does not keep what a lock promises.
#[derive(Debug)]
pub struct FaultyLock {
    fault: LockFault,
    honest: MemoryLock,
}

impl FaultyLock {
    /// One that is broken in this way.
    pub fn new(fault: LockFault) -> Self {
        Self {
            fault,
            honest: MemoryLock::new(),
        }
    }
}

#[async_trait]
impl Lock for FaultyLock {
    async fn acquire(&self, key: &LockKey, lease: Duration) -> Result<Acquired, LockError> {
        match self.fault {
            LockFault::GrantsAll => Ok(Acquired::Granted(Token::random())),
            LockFault::GrantsNone => Ok(Acquired::Busy { left: lease }),
            LockFault::Forgets if fastrand::bool() => Ok(Acquired::Granted(Token::random())),
            LockFault::Forgets => self.honest.acquire(key, lease).await,
        }
    }

    async fn extend(&self, key: &LockKey, token: Token, lease: Duration) -> Result<bool, LockError> {
        match self.fault {
            LockFault::GrantsAll => Ok(true),
            LockFault::GrantsNone => Ok(false),
            LockFault::Forgets => self.honest.extend(key, token, lease).await,
        }
    }

    async fn release(&self, key: &LockKey, token: Token) -> Result<bool, LockError> {
        match self.fault {
            LockFault::GrantsAll => Ok(true),
            LockFault::GrantsNone => Ok(false),
            LockFault::Forgets => self.honest.release(key, token).await,
        }
    }

    async fn mark_done(&self, key: &LockKey, keep: Duration) -> Result<(), LockError> {
        match self.fault {
            LockFault::Forgets if fastrand::bool() => self.honest.mark_done(key, keep).await,
            _ => Ok(()),
        }
    }
}
