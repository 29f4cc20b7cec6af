//! What the tests of locks share.

use std::time::{Duration, Instant};

use idempotency::lock::{
    Acquired, Lock, LockError, LockKey, RedisLock, RedisLockBuilder, Token, Unavailable,
};
use uuid::Uuid;

/// Longer than any test runs.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// After this, what is waited for isn't coming.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// How often it is asked for.
pub(crate) const POLL: Duration = Duration::from_millis(5);

/// A key that no other test has: the server may be shared.
pub(crate) fn fresh_key() -> LockKey {
    LockKey::new(Uuid::new_v4(), "scope", "key")
}

/// A lock that a busy machine doesn't make fail.
pub(crate) fn patient(url: &str) -> RedisLockBuilder {
    RedisLock::builder(url).command_timeout(Duration::from_secs(5))
}

/// The token, if it was granted.
pub(crate) async fn grant(lock: &dyn Lock, key: &LockKey, lease: Duration) -> Token {
    match lock.acquire(key, lease).await.unwrap() {
        Acquired::Granted(token) => token,
        other => panic!("not granted: {other:?}"),
    }
}

/// What is left of another's lease.
pub(crate) async fn busy_for(lock: &dyn Lock, key: &LockKey, lease: Duration) -> Duration {
    match lock.acquire(key, lease).await.unwrap() {
        Acquired::Busy { left } => left,
        other => panic!("not busy: {other:?}"),
    }
}

/// Asks until the lock is available again.
pub(crate) async fn until_available(lock: &dyn Lock, key: &LockKey) -> Acquired {
    let deadline = Instant::now() + SOON;
    loop {
        match lock.acquire(key, LEASE).await {
            Ok(acquired) => return acquired,
            Err(LockError::Unavailable(reason)) => {
                assert!(Instant::now() < deadline, "still unavailable: {reason:?}");
            }
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Why it is unavailable.
pub(crate) fn unavailable<T: std::fmt::Debug>(result: Result<T, LockError>) -> Unavailable {
    match result {
        Err(LockError::Unavailable(reason)) => reason,
        other => panic!("not unavailable: {other:?}"),
    }
}
