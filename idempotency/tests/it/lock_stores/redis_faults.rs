//! A Redis that is dead, frozen, full, or not ours. The harness blocks, which is what is wanted around a kill.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use idempotency::lock::{Acquired, Lock, LockError, RedisLock, Unavailable};
use outbox_test_harness::{Redis, RedisClient, RedisOptions, requirement};

use super::support::{LEASE, SOON, busy_for, fresh_key, grant, patient, unavailable, until_available};

/// What a call may wait in these tests.
const TIMEOUT: Duration = Duration::from_millis(300);

/// What a busy machine may add to it.
const SLACK: Duration = Duration::from_millis(700);

const PREFIX: &str = "idempotency:";

fn private() -> Option<Redis> {
    requirement::private_redis(&RedisOptions::new())
}

/// Rests for longer than a test runs.
fn resting(server: &Redis) -> RedisLock {
    let builder = RedisLock::builder(&server.url()).command_timeout(TIMEOUT);
    builder.rest(SOON, SOON).build().unwrap()
}

/// Asks again soon.
fn eager(server: &Redis) -> RedisLock {
    let builder = RedisLock::builder(&server.url()).command_timeout(TIMEOUT);
    let rest = Duration::from_millis(20);
    builder.rest(rest, rest).build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_redis_costs_one_call_and_comes_back() {
    let Some(mut server) = private() else { return };
    let (resting, eager) = (resting(&server), eager(&server));
    let key = fresh_key();
    grant(&resting, &key, LEASE).await;
    busy_for(&eager, &key, LEASE).await;
    server.kill().unwrap();

    let start = Instant::now();
    let first = unavailable(resting.acquire(&key, LEASE).await);
    assert!(!matches!(first, Unavailable::Resting { .. }), "{first:?}");
    assert!(start.elapsed() < TIMEOUT + SLACK, "{:?}", start.elapsed());
    let start = Instant::now();
    for _ in 0..1_000 {
        let next = unavailable(resting.acquire(&key, LEASE).await);
        assert!(matches!(next, Unavailable::Resting { .. }), "{next:?}");
    }
    // A thousand connections refused take longer than this.
    assert!(start.elapsed() < TIMEOUT, "{:?}", start.elapsed());
    unavailable(resting.mark_done(&key, LEASE).await);
    for answer in resting.acquire_all(&[fresh_key(), fresh_key()], LEASE).await {
        unavailable(answer);
    }

    unavailable(eager.acquire(&key, LEASE).await);
    server.restart().unwrap();
    // It was forgotten, and so was the script.
    let acquired = until_available(&eager, &key).await;
    assert!(matches!(acquired, Acquired::Granted(_)), "{acquired:?}");
    let keys = [fresh_key(), key];
    let many = eager.acquire_all(&keys, LEASE).await;
    assert!(matches!(many[0], Ok(Acquired::Granted(_))), "{many:?}");
    assert!(matches!(many[1], Ok(Acquired::Busy { .. })), "{many:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_teaches_a_new_redis_the_script() {
    let Some(server) = private() else { return };
    let lock = patient(&server.url()).build().unwrap();
    let keys: Vec<_> = (0..10).map(|_| fresh_key()).collect();
    for answer in lock.acquire_all(&keys, LEASE).await {
        assert!(matches!(answer, Ok(Acquired::Granted(_))), "{answer:?}");
    }
    server.client().unwrap().run(&["SCRIPT", "FLUSH"]).unwrap();
    for answer in lock.mark_all_done(&keys, LEASE).await {
        answer.unwrap();
    }
    server.client().unwrap().run(&["SCRIPT", "FLUSH"]).unwrap();
    assert_eq!(lock.acquire(&keys[0], LEASE).await.unwrap(), Acquired::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_redis_costs_calls_at_once_one_wait_and_comes_back() {
    let Some(server) = private() else { return };
    let (resting, eager) = (Arc::new(resting(&server)), eager(&server));
    let key = fresh_key();
    grant(&*resting, &key, LEASE).await;
    busy_for(&eager, &key, LEASE).await;
    server.freeze().unwrap();

    let start = Instant::now();
    let calls = (0..100).map(|_| {
        let (lock, key) = (Arc::clone(&resting), key.clone());
        tokio::spawn(async move { lock.acquire(&key, LEASE).await })
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        unavailable(call.await.unwrap());
    }
    assert!(start.elapsed() < TIMEOUT + SLACK, "{:?}", start.elapsed());
    let start = Instant::now();
    for _ in 0..1_000 {
        unavailable(resting.acquire(&key, LEASE).await);
    }
    assert!(start.elapsed() < TIMEOUT, "{:?}", start.elapsed());

    // One that was never connected waits no longer: the system takes its connection, and nobody greets it.
    let start = Instant::now();
    let fresh = self::resting(&server);
    let reason = unavailable(fresh.acquire(&key, LEASE).await);
    assert!(matches!(reason, Unavailable::NoAnswer { .. }), "{reason:?}");
    assert!(start.elapsed() < TIMEOUT + SLACK, "{:?}", start.elapsed());

    unavailable(eager.acquire(&key, LEASE).await);
    // Calls that are dropped while they probe leave the way free for the next.
    for _ in 0..10 {
        let _ = eager.acquire(&key, LEASE).now_or_never();
    }
    server.thaw();
    let acquired = until_available(&eager, &key).await;
    assert!(matches!(acquired, Acquired::Busy { .. }), "{acquired:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_dropped_leave_redis_usable() {
    let Some(url) = requirement::shared_redis_url() else {
        return;
    };
    let lock = patient(&url).build().unwrap();
    const DROPPED: usize = 100;
    let mut keys = Vec::new();
    // Polled once, so that the command is on its way. Another thread may have carried it there and back by then.
    for _ in 0..10 * DROPPED {
        let key = fresh_key();
        if lock.acquire(&key, LEASE).now_or_never().is_none() {
            keys.push(key);
        }
        if keys.len() == DROPPED {
            break;
        }
    }
    assert_eq!(keys.len(), DROPPED);
    let answers = join_all(keys.iter().map(|key| lock.acquire(key, LEASE))).await;
    // Whether the dropped one was carried out is unknown; either way it was once.
    for answer in answers {
        assert!(
            matches!(answer, Ok(Acquired::Granted(_) | Acquired::Busy { .. })),
            "{answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_still_knows_what_is_done() {
    let options = RedisOptions::new().setting("maxmemory-policy", "noeviction");
    let Some(server) = requirement::private_redis(&options) else {
        return;
    };
    let lock = patient(&server.url()).build().unwrap();
    let (done, locked, new) = (fresh_key(), fresh_key(), fresh_key());
    lock.mark_done(&done, LEASE).await.unwrap();
    let token = grant(&lock, &locked, LEASE).await;

    // Less than it needs for itself: it is full however its buffers come and go.
    server
        .client()
        .unwrap()
        .run(&["CONFIG", "SET", "maxmemory", "1"])
        .unwrap();

    for _ in 0..2 {
        // Not resting: the next call is asked, too.
        let reason = unavailable(lock.acquire(&new, LEASE).await);
        assert!(matches!(reason, Unavailable::Full), "{reason:?}");
        let reason = unavailable(lock.mark_done(&new, LEASE).await);
        assert!(matches!(reason, Unavailable::Full), "{reason:?}");
        assert_eq!(lock.acquire(&done, LEASE).await.unwrap(), Acquired::Done);
    }
    let mut many = lock.acquire_all(&[done, new], LEASE).await.into_iter();
    assert!(matches!(many.next(), Some(Ok(Acquired::Done))));
    assert!(matches!(unavailable(many.next().unwrap()), Unavailable::Full));
    assert!(lock.release(&locked, token).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_keep_under_a_keys_name_in_redis_is_left_alone() {
    let Some(url) = requirement::shared_redis_url() else {
        return;
    };
    let lock = patient(&url).build().unwrap();
    let mut client = RedisClient::connect(&url).unwrap();
    let (text, list, fine) = (fresh_key(), fresh_key(), fresh_key());
    let name = |key| format!("{PREFIX}{key}");
    client.run(&["SET", &name(&text), "theirs", "EX", "60"]).unwrap();
    client.run(&["RPUSH", &name(&list), "theirs"]).unwrap();
    client.run(&["EXPIRE", &name(&list), "60"]).unwrap();
    let token = grant(&lock, &fine, LEASE).await;
    for key in [&text, &list] {
        let error = lock.acquire(key, LEASE).await.unwrap_err();
        assert!(
            matches!(&error, LockError::Foreign { key: named } if named == key),
            "{error}"
        );
        // Nor is it ever given back as if it were a lock.
        assert!(!matches!(lock.release(key, token).await, Ok(true)));
    }
    assert_eq!(client.run(&["GET", &name(&text)]).unwrap(), "theirs");
    busy_for(&lock, &fine, LEASE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_redis_is_used_and_not_told() {
    let Some(server) = private() else { return };
    let mut client = server.client().unwrap();
    client.run(&["CONFIG", "SET", "requirepass", "se/cr@t"]).unwrap();
    let with = |password: &str| server.url().replace("://", &format!("://:{password}@"));
    grant(
        &patient(&with("se%2Fcr%40t")).build().unwrap(),
        &fresh_key(),
        LEASE,
    )
    .await;
    for url in [with("secret"), server.url()] {
        let lock = patient(&url).build().unwrap();
        let error = lock.acquire(&fresh_key(), LEASE).await.unwrap_err();
        assert!(
            matches!(error, LockError::Unavailable(Unavailable::Failed(_))),
            "{error:?}"
        );
        assert!(!format!("{error} {error:?} {lock:?}").contains("secret"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_waiting_for_redis_could_use_up_is_refused() {
    // Nobody is asked.
    let lock = RedisLock::builder("redis://127.0.0.1:1").command_timeout(TIMEOUT);
    let lock = lock.build().unwrap();
    let short = 10 * TIMEOUT - Duration::from_millis(1);
    let error = lock.acquire(&fresh_key(), short).await.unwrap_err();
    let LockError::Duration { given, least, .. } = error else {
        panic!("{error}");
    };
    assert_eq!((given, least), (short, 10 * TIMEOUT));
    unavailable(lock.acquire(&fresh_key(), 10 * TIMEOUT).await);
}
