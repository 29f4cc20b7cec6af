//! Every message delivered many times, in any order, by 16 consumers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use idempotency::consumer::NoOutbox;
use idempotency::lock::{Acquired, Lock, LockKey, RedisLock};
use idempotency::{Decisions, Idempotency};
use outbox_core::Message;
use outbox_core::consumer::Handler as _;
use outbox_test_harness::{Redis, RedisOptions, requirement};
use outbox_tests::{Effects, FaultyLock, LockFault};
use sqlx::Postgres;

use super::effect::{Effect, GROUP, delivery, ledger};
use crate::support::{rounds, seed};

const CONSUMERS: usize = 16;
const LEASE: Duration = Duration::from_secs(2);

/// What is done to the lock's store while the storm blows.
enum Weather {
    Calm,
    KilledAndRestartedEmpty(Redis),
    Paused(Redis),
}

async fn storm(name: &str, lock: Option<Arc<dyn Lock>>, weather: Weather) -> Option<Decisions> {
    storm_with(name, lock, weather, LEASE).await
}

async fn storm_with(
    name: &str,
    lock: Option<Arc<dyn Lock>>,
    weather: Weather,
    lease: Duration,
) -> Option<Decisions> {
    let database = requirement::shared_postgres_database()?;
    let pool = ledger(database.url(), CONSUMERS).await;

    let (seed, messages, times) = (seed(), rounds(200, 10_000) as usize, rounds(20, 100) as usize);
    let messages: Arc<Vec<Message>> = Arc::new(
        (0..messages)
            .map(|n| {
                Message::builder("storm")
                    .payload(n.to_string(), "text/plain")
                    .build()
                    .unwrap()
            })
            .collect(),
    );
    let mut deliveries: Vec<usize> = (0..messages.len() * times).map(|n| n % messages.len()).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut deliveries);
    let (deliveries, next) = (Arc::new(deliveries), Arc::new(AtomicUsize::new(0)));

    let mut builder = Idempotency::builder(pool.clone())
        .lease(lease)
        .command_timeout(lease / 8)
        .lock_timeout(lease / 4);
    if let Some(lock) = lock {
        builder = builder.lock(lock);
    }
    let guard = builder.build().await.unwrap();
    let runs = Arc::new(AtomicU64::new(0));
    let handler = Arc::new(
        guard
            .consumer(
                GROUP,
                NoOutbox,
                Effect {
                    runs: Arc::clone(&runs),
                    ..Effect::default()
                },
            )
            .unwrap(),
    );

    let begun = Instant::now();
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|_| {
            let (handler, messages) = (Arc::clone(&handler), Arc::clone(&messages));
            let (deliveries, next) = (Arc::clone(&deliveries), Arc::clone(&next));
            tokio::spawn(async move {
                let mut again = 0_u64;
                while let Some(&message) = deliveries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let message = &messages[message];
                    let delivery = delivery(message);
                    // What is given back comes again; anything else would be a failure.
                    while let Err(error) = handler.handle(&delivery).await {
                        assert!(error.is_not_now(), "{error}");
                        again += 1;
                    }
                }
                again
            })
        })
        .collect();
    let progress = |share: usize| {
        let (next, all) = (Arc::clone(&next), deliveries.len());
        async move {
            while next.load(Ordering::Relaxed) < all * share / 100 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    match weather {
        Weather::Calm => {}
        Weather::KilledAndRestartedEmpty(mut redis) => {
            for share in [20, 50, 80] {
                progress(share).await;
                redis.kill().unwrap();
                progress(share + 10).await;
                redis.restart().unwrap();
            }
        }
        Weather::Paused(redis) => {
            progress(20).await;
            redis.freeze().unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
            redis.thaw();
        }
    }
    let mut again = 0;
    for consumer in consumers {
        again += consumer.await.unwrap();
    }
    let took = begun.elapsed();

    let effects = Postgres::effects(&pool, GROUP).await.unwrap();
    let double = effects.values().filter(|&&times| times > 1).count();
    let lost = messages
        .iter()
        .filter(|message| !effects.contains_key(&message.id()))
        .count();
    let decisions = guard.decisions();
    println!(
        "{name}: messages={} deliveries={} handler_runs={} effects={} lost={lost} double={double} by_mark={} by_ledger={} busy={} without_lock={} again={again} per_second={:.0} seed={seed}",
        messages.len(),
        deliveries.len(),
        runs.load(Ordering::Relaxed),
        effects.values().sum::<usize>(),
        decisions.duplicate_mark,
        decisions.duplicate_ledger,
        decisions.busy,
        decisions.redis_skipped,
        deliveries.len() as f64 / took.as_secs_f64(),
    );
    assert_eq!((lost, double), (0, 0), "{name}");
    assert_eq!(decisions.first, messages.len() as u64);
    assert_eq!(
        decisions.first + decisions.duplicate_mark + decisions.duplicate_ledger,
        deliveries.len() as u64
    );
    pool.close().await;
    Some(decisions)
}

fn redis_lock(redis: &Redis) -> Option<Arc<dyn Lock>> {
    Some(Arc::new(RedisLock::builder(&redis.url()).build().unwrap()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn healthy() {
    let Some(redis) = requirement::private_redis(&RedisOptions::new()) else {
        return;
    };
    // No pause of a busy machine is taken for a lock that is away.
    let patient = LEASE * 8;
    let storm = storm_with("healthy", redis_lock(&redis), Weather::Calm, patient);
    let Some(decisions) = storm.await else {
        return;
    };
    assert_eq!(
        decisions.duplicate_ledger, 0,
        "each duplicate was found without the database"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_lock() {
    storm("no lock at all", None, Weather::Calm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_restarted_empty() {
    let Some(redis) = requirement::private_redis(&RedisOptions::new()) else {
        return;
    };
    let lock = redis_lock(&redis);
    storm(
        "killed and restarted empty",
        lock,
        Weather::KilledAndRestartedEmpty(redis),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused() {
    let Some(redis) = requirement::private_redis(&RedisOptions::new()) else {
        return;
    };
    let lock = redis_lock(&redis);
    storm("paused for 3 s", lock, Weather::Paused(redis)).await;
}

/// Room for few keys: locks and marks vanish at any time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evicting() {
    /// Of some hundred bytes for each key.
    const ROOM: u64 = 20_000;
    let options = RedisOptions::new().setting("maxmemory-policy", "allkeys-random");
    let Some(redis) = requirement::private_redis(&options) else {
        return;
    };
    let lock = redis_lock(&redis);
    let mut client = redis.client().unwrap();
    let mut number = |section: &str, name: &str| -> u64 {
        let info = client.run(&["INFO", section]).unwrap();
        let found = info.lines().find_map(|line| {
            line.trim()
                .strip_prefix(name)?
                .strip_prefix(':')
                .map(str::to_owned)
        });
        found.and_then(|value| value.parse().ok()).unwrap()
    };
    // Its connection has to be there before the room is measured.
    let first = LockKey::new(uuid::Uuid::nil(), "any", "key");
    let granted = lock.as_ref().unwrap().acquire(&first, LEASE).await.unwrap();
    assert!(matches!(granted, Acquired::Granted(_)));
    let used = number("memory", "used_memory");
    redis
        .client()
        .unwrap()
        .run(&["CONFIG", "SET", "maxmemory", &(used + ROOM).to_string()])
        .unwrap();
    let Some(decisions) = storm("evicting", lock, Weather::Calm).await else {
        return;
    };
    let evicted = number("stats", "evicted_keys");
    println!("evicted={evicted}");
    assert!(
        evicted > 0 && decisions.duplicate_ledger > 0,
        "nothing was evicted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn granting_everything_to_everyone() {
    storm(
        "granting everything",
        Some(Arc::new(FaultyLock::new(LockFault::GrantsAll))),
        Weather::Calm,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn granting_nothing() {
    // Each delivery waits for one lease, and goes on without the lock.
    let lease = Duration::from_millis(8);
    let lock = Some(Arc::new(FaultyLock::new(LockFault::GrantsNone)) as Arc<dyn Lock>);
    storm_with("granting nothing", lock, Weather::Calm, lease).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgetting() {
    storm(
        "forgetting",
        Some(Arc::new(FaultyLock::new(LockFault::Forgets))),
        Weather::Calm,
    )
    .await;
}
