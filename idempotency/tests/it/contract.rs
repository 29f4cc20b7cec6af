//! What every lock holds, run for each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use idempotency::lock::{Acquired, KEEP_MAX, LEASE_MAX, Lock, LockError, LockKey, MemoryLock};
use outbox_test_harness::requirement;
use uuid::Uuid;

use crate::support::{LEASE, POLL, SOON, busy_for, fresh_key, grant, patient};

/// Two ways to one store.
struct Subject {
    lock: Arc<dyn Lock>,
    /// One that grants short leases, and how short they may be.
    hasty: (Arc<dyn Lock>, Duration),
}

fn memory() -> Option<Subject> {
    let lock = Arc::new(MemoryLock::new());
    Some(Subject {
        hasty: (lock.clone(), Duration::from_millis(50)),
        lock,
    })
}

fn redis() -> Option<Subject> {
    let url = requirement::shared_redis_url()?;
    let timeout = Duration::from_millis(250);
    let hasty = patient(&url).command_timeout(timeout).build().unwrap();
    Some(Subject {
        lock: Arc::new(patient(&url).build().unwrap()),
        hasty: (Arc::new(hasty), 10 * timeout),
    })
}

macro_rules! for_each_lock {
    ($($test:ident),* $(,)?) => {
        for_each_lock!(@ memory: $($test),*);
        for_each_lock!(@ redis: $($test),*);
    };
    (@ $lock:ident: $($test:ident),*) => {
        mod $lock {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    if let Some(subject) = super::$lock() {
                        super::$test(subject).await;
                    }
                }
            )*
        }
    };
}

for_each_lock! {
    one_holder_at_a_time,
    without_the_token_nothing_is_released,
    without_the_token_nothing_is_extended,
    a_lease_ends_and_its_holder_has_no_say_any_more,
    a_done_mark_replaces_whoevers_lock,
    a_done_mark_expires,
    crafted_keys_do_not_meet,
    of_64_at_once_one_is_granted,
    many_keys_at_once_are_answered_in_their_order,
    terms_out_of_range_are_refused,
}

async fn one_holder_at_a_time(Subject { lock, .. }: Subject) {
    let (key, other) = (fresh_key(), fresh_key());
    let token = grant(&*lock, &key, LEASE).await;
    let left = busy_for(&*lock, &key, LEASE).await;
    assert!(!left.is_zero() && left <= LEASE, "{left:?}");
    grant(&*lock, &other, LEASE).await;
    assert!(lock.release(&key, token).await.unwrap());
    let again = grant(&*lock, &key, LEASE).await;
    assert_ne!(again, token);
    assert!(lock.release(&key, again).await.unwrap());
    assert!(!lock.release(&key, again).await.unwrap(), "it was given back");
}

async fn without_the_token_nothing_is_released(Subject { lock, .. }: Subject) {
    let (key, other) = (fresh_key(), fresh_key());
    let token = grant(&*lock, &key, LEASE).await;
    let wrong = grant(&*lock, &other, LEASE).await;
    assert!(!lock.release(&key, wrong).await.unwrap());
    busy_for(&*lock, &key, LEASE).await;
    assert!(lock.release(&key, token).await.unwrap(), "it is still there");
}

async fn without_the_token_nothing_is_extended(Subject { lock, .. }: Subject) {
    let (key, other) = (fresh_key(), fresh_key());
    let token = grant(&*lock, &key, LEASE).await;
    let wrong = grant(&*lock, &other, LEASE).await;
    assert!(!lock.extend(&key, wrong, 10 * LEASE).await.unwrap());
    assert!(busy_for(&*lock, &key, LEASE).await <= LEASE);
    assert!(lock.extend(&key, token, 10 * LEASE).await.unwrap());
    assert!(busy_for(&*lock, &key, LEASE).await > 5 * LEASE);
    assert!(!lock.extend(&fresh_key(), token, LEASE).await.unwrap());
}

async fn a_lease_ends_and_its_holder_has_no_say_any_more(Subject { lock, hasty }: Subject) {
    let (hasty, lease) = hasty;
    let key = fresh_key();
    let former = grant(&*hasty, &key, lease).await;
    let deadline = Instant::now() + SOON;
    let token = loop {
        assert!(Instant::now() < deadline, "the lease doesn't end");
        match lock.acquire(&key, LEASE).await.unwrap() {
            Acquired::Granted(token) => break token,
            Acquired::Busy { left } => {
                assert!(left <= lease, "{left:?}");
                tokio::time::sleep(left.max(POLL)).await;
            }
            Acquired::Done => panic!("nobody marked it"),
        }
    };
    assert!(!lock.release(&key, former).await.unwrap());
    assert!(!lock.extend(&key, former, 10 * LEASE).await.unwrap());
    assert!(busy_for(&*lock, &key, LEASE).await <= LEASE);
    assert!(lock.release(&key, token).await.unwrap());
}

async fn a_done_mark_replaces_whoevers_lock(Subject { lock, .. }: Subject) {
    let (locked, free) = (fresh_key(), fresh_key());
    let token = grant(&*lock, &locked, LEASE).await;
    for key in [&locked, &free] {
        lock.mark_done(key, LEASE).await.unwrap();
        assert_eq!(lock.acquire(key, LEASE).await.unwrap(), Acquired::Done);
    }
    assert!(!lock.release(&locked, token).await.unwrap());
    assert!(!lock.extend(&locked, token, LEASE).await.unwrap());
    assert_eq!(lock.acquire(&locked, LEASE).await.unwrap(), Acquired::Done);
    // Marking again is harmless.
    lock.mark_done(&locked, LEASE).await.unwrap();
}

async fn a_done_mark_expires(Subject { lock, .. }: Subject) {
    let key = fresh_key();
    lock.mark_done(&key, LEASE).await.unwrap();
    assert_eq!(lock.acquire(&key, LEASE).await.unwrap(), Acquired::Done);
    // The last mark says how long.
    lock.mark_done(&key, Duration::from_millis(50)).await.unwrap();
    let deadline = Instant::now() + SOON;
    while lock.acquire(&key, LEASE).await.unwrap() == Acquired::Done {
        assert!(Instant::now() < deadline, "the mark stays");
        tokio::time::sleep(POLL).await;
    }
    busy_for(&*lock, &key, LEASE).await;
}

async fn crafted_keys_do_not_meet(Subject { lock, .. }: Subject) {
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let parts = [
        (one, "a", "bc"),
        (one, "ab", "c"),
        (one, "", "abc"),
        (one, "a:b", "c"),
        (one, "a", "b:c"),
        (one, "a\0", "b"),
        (one, "a", "\0b"),
        (other, "a", "bc"),
    ];
    let keys = parts.map(|(namespace, scope, key)| LockKey::new(namespace, scope, key));
    for key in &keys {
        grant(&*lock, key, LEASE).await;
    }
    lock.mark_done(&keys[0], LEASE).await.unwrap();
    for key in &keys[1..] {
        busy_for(&*lock, key, LEASE).await;
    }
}

async fn of_64_at_once_one_is_granted(Subject { lock, .. }: Subject) {
    let key = fresh_key();
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (lock, key) = (lock.clone(), key.clone());
            tokio::spawn(async move { lock.acquire(&key, LEASE).await.unwrap() })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        match task.await.unwrap() {
            Acquired::Granted(_) => granted += 1,
            Acquired::Busy { .. } => {}
            Acquired::Done => panic!("nobody marked it"),
        }
    }
    assert_eq!(granted, 1);
}

async fn many_keys_at_once_are_answered_in_their_order(Subject { lock, .. }: Subject) {
    // More than go in one round trip.
    let keys: Vec<LockKey> = (0..1_100).map(|_| fresh_key()).collect();
    let marked: Vec<LockKey> = keys.iter().step_by(3).cloned().collect();
    let marks = lock.mark_all_done(&marked, LEASE).await;
    assert_eq!(marks.len(), marked.len());
    assert!(marks.iter().all(Result::is_ok));
    let first = lock.acquire_all(&keys, LEASE).await;
    assert_eq!(first.len(), keys.len());
    for (index, (key, acquired)) in keys.iter().zip(first).enumerate() {
        match acquired.unwrap() {
            Acquired::Done => assert_eq!(index % 3, 0),
            Acquired::Granted(token) => {
                assert_ne!(index % 3, 0);
                if index < 10 {
                    assert!(lock.release(key, token).await.unwrap(), "the token is its own");
                }
            }
            Acquired::Busy { .. } => panic!("nobody else has it"),
        }
    }
    let twice = [fresh_key(), keys[2].clone(), keys[3].clone()];
    let twice = [&twice[..], &twice[..]].concat();
    let answers: Vec<&str> = lock
        .acquire_all(&twice, LEASE)
        .await
        .into_iter()
        .map(|answer| match answer.unwrap() {
            Acquired::Granted(_) => "granted",
            Acquired::Busy { .. } => "busy",
            Acquired::Done => "done",
        })
        .collect();
    assert_eq!(answers, ["granted", "granted", "done", "busy", "busy", "done"]);
    assert!(lock.acquire_all(&[], LEASE).await.is_empty());
    assert!(lock.mark_all_done(&[], LEASE).await.is_empty());
}

async fn terms_out_of_range_are_refused(Subject { lock, .. }: Subject) {
    let key = fresh_key();
    let token = grant(&*lock, &key, LEASE).await;
    let moment = Duration::from_millis(1);
    let is_refused = |error: LockError| {
        assert!(matches!(error, LockError::Duration { .. }), "{error}");
        assert!(!error.is_retryable());
    };
    for lease in [Duration::ZERO, LEASE_MAX + moment, Duration::MAX] {
        is_refused(lock.acquire(&fresh_key(), lease).await.unwrap_err());
        is_refused(lock.extend(&key, token, lease).await.unwrap_err());
        for answer in lock.acquire_all(&[fresh_key(), fresh_key()], lease).await {
            is_refused(answer.unwrap_err());
        }
    }
    for keep in [Duration::ZERO, KEEP_MAX + moment, Duration::MAX] {
        is_refused(lock.mark_done(&key, keep).await.unwrap_err());
        for answer in lock.mark_all_done(&[fresh_key(), fresh_key()], keep).await {
            is_refused(answer.unwrap_err());
        }
    }
    assert!(
        busy_for(&*lock, &key, LEASE_MAX).await <= LEASE,
        "nothing was changed"
    );
    lock.mark_done(&key, KEEP_MAX).await.unwrap();
    lock.mark_done(&key, moment).await.unwrap();
}
