//! A lock in the memory of one process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Acquired, Lock, LockError, LockKey, Token, Unavailable, terms};

/// How many keys are held by default, locked or done: about 20 MB.
const KEYS_MAX: usize = 100_000;

/// Below this many keys nothing is swept.
const SWEEP_FROM: usize = 1_024;

/// Locks for a service that is one process, and for tests. Nothing of it survives the process.
///
/// What has expired is swept as keys come in, so memory is bounded: at most 100,000 keys, or what
/// [`Self::with_capacity`] says, and then [`Unavailable::Full`].
#[derive(Debug)]
pub struct MemoryLock {
    held: Mutex<Held>,
    keys_max: usize,
}

#[derive(Debug)]
struct Held {
    keys: HashMap<LockKey, Entry>,
    // At how many keys the expired ones are swept next.
    sweep_at: usize,
    // Nothing expires before this: a sweep before that would find nothing.
    first_expires: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    what: What,
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Lock(Token),
    Done,
}

impl MemoryLock {
    /// Room for 100,000 keys.
    pub fn new() -> Self {
        Self::with_capacity(KEYS_MAX)
    }

    /// Room for that many keys. Memory is taken as they come.
    pub fn with_capacity(keys: usize) -> Self {
        Self {
            held: Mutex::new(Held {
                keys: HashMap::new(),
                sweep_at: SWEEP_FROM.min(keys),
                first_expires: None,
            }),
            keys_max: keys,
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing in here panics halfway through a change.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, held: &mut Held, key: &LockKey, entry: Entry, now: Instant) -> Result<(), LockError> {
        if !held.keys.contains_key(key) {
            held.make_room(self.keys_max, now)?;
        }
        let first = held.first_expires.unwrap_or(entry.until);
        held.first_expires = Some(first.min(entry.until));
        held.keys.insert(key.clone(), entry);
        Ok(())
    }
}

impl Default for MemoryLock {
    fn default() -> Self {
        Self::new()
    }
}

impl Held {
    /// What stands there now.
    fn get(&self, key: &LockKey, now: Instant) -> Option<Entry> {
        self.keys.get(key).copied().filter(|entry| entry.until > now)
    }

    fn is_locked_by(&self, key: &LockKey, token: Token, now: Instant) -> bool {
        self.get(key, now)
            .is_some_and(|entry| entry.what == What::Lock(token))
    }

    /// Sweeping goes through all keys; that the next one waits until as many have come again keeps it cheap.
    fn make_room(&mut self, keys_max: usize, now: Instant) -> Result<(), LockError> {
        if self.keys.len() >= self.sweep_at && self.first_expires.is_some_and(|first| first <= now) {
            self.keys.retain(|_, entry| entry.until > now);
            self.first_expires = self.keys.values().map(|entry| entry.until).min();
            self.sweep_at = (2 * self.keys.len()).clamp(SWEEP_FROM.min(keys_max), keys_max);
        }
        if self.keys.len() >= keys_max {
            return Err(Unavailable::Full.into());
        }
        Ok(())
    }
}

#[async_trait]
impl Lock for MemoryLock {
    async fn acquire(&self, key: &LockKey, lease: Duration) -> Result<Acquired, LockError> {
        let lease = Duration::from_millis(terms::lease(lease, Duration::ZERO)?);
        let now = Instant::now();
        let mut held = self.held();
        match held.get(key, now) {
            Some(Entry { what: What::Done, .. }) => Ok(Acquired::Done),
            Some(Entry {
                what: What::Lock(_),
                until,
            }) => Ok(Acquired::Busy { left: until - now }),
            None => {
                let token = Token::random();
                let entry = Entry {
                    what: What::Lock(token),
                    until: now + lease,
                };
                self.put(&mut held, key, entry, now)?;
                Ok(Acquired::Granted(token))
            }
        }
    }

    async fn extend(&self, key: &LockKey, token: Token, lease: Duration) -> Result<bool, LockError> {
        let lease = Duration::from_millis(terms::lease(lease, Duration::ZERO)?);
        let now = Instant::now();
        let mut held = self.held();
        if !held.is_locked_by(key, token, now) {
            return Ok(false);
        }
        let entry = Entry {
            what: What::Lock(token),
            until: now + lease,
        };
        self.put(&mut held, key, entry, now)?;
        Ok(true)
    }

    async fn release(&self, key: &LockKey, token: Token) -> Result<bool, LockError> {
        let mut held = self.held();
        let is_ours = held.is_locked_by(key, token, Instant::now());
        if is_ours {
            held.keys.remove(key);
        }
        Ok(is_ours)
    }

    async fn mark_done(&self, key: &LockKey, keep: Duration) -> Result<(), LockError> {
        let keep = Duration::from_millis(terms::keep(keep)?);
        let now = Instant::now();
        let entry = Entry {
            what: What::Done,
            until: now + keep,
        };
        let mut held = self.held();
        self.put(&mut held, key, entry, now)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn key(number: usize) -> LockKey {
        LockKey::new(Uuid::from_u128(1), "memory", &number.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_full_until_something_expires() {
        let lock = MemoryLock::with_capacity(3);
        for number in 0..3 {
            assert!(matches!(
                lock.acquire(&key(number), LEASE).await,
                Ok(Acquired::Granted(_))
            ));
        }
        let full = lock.acquire(&key(3), LEASE).await;
        assert!(
            matches!(full, Err(LockError::Unavailable(Unavailable::Full))),
            "{full:?}"
        );
        // What is in there already still works.
        lock.mark_done(&key(0), 2 * LEASE).await.unwrap();
        tokio::time::advance(LEASE).await;
        assert!(matches!(
            lock.acquire(&key(3), LEASE).await,
            Ok(Acquired::Granted(_))
        ));
        assert_eq!(lock.acquire(&key(0), LEASE).await.unwrap(), Acquired::Done);
    }

    #[tokio::test(start_paused = true)]
    async fn what_expired_is_swept() {
        let lock = MemoryLock::new();
        for number in 0..10 * SWEEP_FROM {
            let _ = lock.acquire(&key(number), LEASE).await.unwrap();
            tokio::time::advance(LEASE / 100).await;
        }
        // A hundred are alive at any time.
        assert!(lock.held().keys.len() <= SWEEP_FROM);
    }
}
