//! The lock in a real Redis Cluster.

use idempotency::lock::{Acquired, Lock, LockKey};
use outbox_test_harness::{RedisClient, requirement};

use crate::support::{LEASE, busy_for, fresh_key, grant, patient};

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_locked_on_all_nodes_of_a_redis_cluster() {
    let Some(cluster) = requirement::private_redis_cluster() else {
        return;
    };
    let url = format!("redis+cluster://{}", cluster.addresses().join(","));
    let lock = patient(&url).build().unwrap();

    let key = fresh_key();
    let token = grant(&lock, &key, LEASE).await;
    busy_for(&lock, &key, LEASE).await;
    assert!(lock.extend(&key, token, LEASE).await.unwrap());
    assert!(lock.release(&key, token).await.unwrap());

    let keys: Vec<LockKey> = (0..100).map(|_| fresh_key()).collect();
    for answer in lock.acquire_all(&keys, LEASE).await {
        assert!(matches!(answer, Ok(Acquired::Granted(_))), "{answer:?}");
    }
    for address in cluster.addresses() {
        let mut client = RedisClient::connect(&format!("redis://{address}")).unwrap();
        assert_ne!(
            client.run(&["DBSIZE"]).unwrap(),
            "0",
            "{address} has none of a hundred"
        );
    }
    for answer in lock.mark_all_done(&keys, LEASE).await {
        answer.unwrap();
    }
    for answer in lock.acquire_all(&keys, LEASE).await {
        assert!(matches!(answer, Ok(Acquired::Done)), "{answer:?}");
    }
}
