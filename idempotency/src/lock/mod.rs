//! Short-lived mutual exclusion on an idempotency key.
//!
//! A key holds nothing, a lock (a token and a lease), or the done mark. All of it expires. The lock is an
//! optimisation: one that expired, was granted twice, was never granted or was forgotten costs a duplicate's work and
//! nothing else, as long as a unique index stands behind it.
//!
//! ```
//! use std::time::Duration;
//! use idempotency::lock::{Acquired, Lock, LockKey, MemoryLock};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), idempotency::lock::LockError> {
//! let lock = MemoryLock::new();
//! // The namespace is kept in the database of the effects, so that a mark of another database means nothing here.
//! let namespace = uuid::Uuid::from_u128(7);
//! let key = LockKey::new(namespace, "billing", "order-17");
//! match lock.acquire(&key, Duration::from_secs(30)).await? {
//!     // Do it, commit, and then say so.
//!     Acquired::Granted(_token) => lock.mark_done(&key, Duration::from_secs(600)).await?,
//!     Acquired::Done => println!("a duplicate"),
//!     Acquired::Busy { left } => println!("somebody is at it; again in {left:?} at the latest"),
//! }
//! assert_eq!(lock.acquire(&key, Duration::from_secs(30)).await?, Acquired::Done);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "redis")]
mod breaker;
mod error;
mod key;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod terms;
mod token;

use std::time::Duration;

use async_trait::async_trait;

pub use error::{LockError, Unavailable, UrlPart};
pub use key::LockKey;
pub use memory::MemoryLock;
#[cfg(feature = "redis")]
pub use redis::{RedisLock, RedisLockBuilder};
pub use terms::{KEEP_MAX, LEASE_MAX};
pub use token::Token;

/// What asking for a lock came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Acquired {
    /// It is the caller's until the lease ends.
    Granted(Token),
    /// The done mark is there: the effect was committed.
    Done,
    /// It is another's.
    Busy {
        /// What is left of the other's lease.
        left: Duration,
    },
}

/// Locks on keys, chosen at run time.
///
/// Leases and the time that marks are kept are counted in milliseconds by the lock's own clock; parts of one are
/// rounded up.
///
/// Every future may be dropped at any time. What was asked for may have been done all the same: a lock that nobody
/// learned of stands until its lease ends.
#[async_trait]
pub trait Lock: Send + Sync + 'static {
    /// Takes the lock if nobody holds it and the key isn't marked as done. The lease is how long it stands unless it
    /// is extended, at most [`LEASE_MAX`].
    ///
    /// # Errors
    ///
    /// [`LockError::Unavailable`]: go on without the lock. [`LockError::Duration`] for a lease out of range,
    /// [`LockError::Foreign`] when something else is stored there.
    async fn acquire(&self, key: &LockKey, lease: Duration) -> Result<Acquired, LockError>;

    /// Lets the lease begin anew. `false`: the lock isn't this token's any more, and nothing was changed.
    ///
    /// # Errors
    ///
    /// As [`Self::acquire`].
    async fn extend(&self, key: &LockKey, token: Token, lease: Duration) -> Result<bool, LockError>;

    /// Gives the lock back. `false`: it isn't this token's any more, and nothing was changed.
    ///
    /// # Errors
    ///
    /// As [`Self::acquire`].
    async fn release(&self, key: &LockKey, token: Token) -> Result<bool, LockError>;

    /// Marks the key as done for that long, at most [`KEEP_MAX`], in place of whoever's lock is there. Only for what
    /// is certain to be committed: it is the one thing by which a lock can suppress an effect.
    ///
    /// # Errors
    ///
    /// As [`Self::acquire`].
    async fn mark_done(&self, key: &LockKey, keep: Duration) -> Result<(), LockError>;

    /// [`Self::acquire`] for many keys, the results in their order. A key that is in there twice is busy the second
    /// time. A lock that is reached over a network does it in one round trip where it can; this default asks for one
    /// after the other.
    async fn acquire_all(&self, keys: &[LockKey], lease: Duration) -> Vec<Result<Acquired, LockError>> {
        let mut results = Vec::with_capacity(keys.len());
        for key in keys {
            results.push(self.acquire(key, lease).await);
        }
        results
    }

    /// [`Self::mark_done`] for many keys, as [`Self::acquire_all`].
    async fn mark_all_done(&self, keys: &[LockKey], keep: Duration) -> Vec<Result<(), LockError>> {
        let mut results = Vec::with_capacity(keys.len());
        for key in keys {
            results.push(self.mark_done(key, keep).await);
        }
        results
    }
}

fn _obj_safe(_: &dyn Lock) {}
