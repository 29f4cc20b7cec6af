//! The lock in the master that a real sentinel names.

use std::time::Duration;

use idempotency::lock::{Acquired, Lock, RedisLock};
use outbox_test_harness::requirement;

use crate::support::{LEASE, fresh_key, grant, patient, unavailable, until_available};

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_the_new_redis_master_is_asked() {
    let Some(mut failover) = requirement::private_redis_failover() else {
        return;
    };
    let url = format!(
        "redis+sentinel://{}/{}",
        failover.sentinel_address(),
        failover.master_name()
    );
    let rest = Duration::from_millis(20);
    let lock: RedisLock = patient(&url).rest(rest, rest).build().unwrap();
    grant(&lock, &fresh_key(), LEASE).await;
    failover.fail_over().unwrap();
    let key = fresh_key();
    unavailable(lock.acquire(&key, LEASE).await);
    assert!(matches!(until_available(&lock, &key).await, Acquired::Granted(_)));
    lock.mark_done(&key, LEASE).await.unwrap();
    assert_eq!(lock.acquire(&key, LEASE).await.unwrap(), Acquired::Done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_redis_sentinels_do_not_know_is_unavailable() {
    let Some(failover) = requirement::private_redis_failover() else {
        return;
    };
    let url = format!("redis+sentinel://{}/another", failover.sentinel_address());
    unavailable(patient(&url).build().unwrap().acquire(&fresh_key(), LEASE).await);
}
