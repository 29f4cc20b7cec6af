//! What goes wrong with `--faults`, at moments that the seed decides: processes are killed and started again, the payment
//! provider's answers get lost, it refuses charges, and messages are delivered again.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context;
use axum::http::{Method, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use super::fleet::{Fleet, PAYMENT, RELAY};

/// From one kill to the next, in milliseconds. Whoever takes over waits for the leases of the one that was killed, some
/// seconds; there are several processes and each has its turn, so that each has some time between two kills to do something.
const PAUSE: std::ops::Range<u64> = 800..2_400;
/// Kills, for one of this many orders.
const ORDERS_PER_KILL: u32 = 20;
/// Not fewer than this, however few orders there are; nor more, however many, once all are placed.
const KILLS: (u32, u32) = (5, 50);
/// What is planned for the payment provider, after each kill.
const LOST_ANSWERS: u32 = 2;
const REFUSED_CHARGES: u32 = 1;

/// Where the demo stands.
#[derive(Debug, Default)]
pub(super) struct Disturbance {
    /// All orders are placed.
    pub(super) is_loaded: AtomicBool,
    /// Nothing goes wrong any more.
    pub(super) is_over: AtomicBool,
    pub(super) kills: AtomicU32,
}

/// Lets things go wrong until all orders are placed, and until there were enough kills for so many; then keeps the processes
/// running, and never ends.
///
/// # Errors
/// A process can't be started again, or ended by itself.
pub(super) async fn run(
    mut fleet: Fleet,
    seed: u64,
    orders: u32,
    disturbance: &Disturbance,
) -> anyhow::Result<Infallible> {
    let mut random = fastrand::Rng::with_seed(seed);
    let (least, most) = KILLS;
    let enough = (orders / ORDERS_PER_KILL).clamp(least, most);
    let mut turns: Vec<usize> = Vec::new();
    while !disturbance.is_loaded.load(Ordering::Acquire) || disturbance.kills.load(Ordering::Relaxed) < enough
    {
        sleep(Duration::from_millis(random.u64(PAUSE))).await;
        disturb(&fleet).await?;
        // All have their turn before the first has another one.
        if turns.is_empty() {
            turns = (0..fleet.workers.len()).collect();
            random.shuffle(&mut turns);
        }
        let Some(victim) = turns.pop() else { continue };
        fleet.kill(victim).await?;
        disturbance.kills.fetch_add(1, Ordering::Relaxed);
        fleet.start_again(victim).await?;
    }
    disturbance.is_over.store(true, Ordering::Release);
    std::future::pending().await
}

/// Plans faults for the payment provider, and delivers a message again.
async fn disturb(fleet: &Fleet) -> anyhow::Result<()> {
    let planned = json!({ "lose_answers": LOST_ANSWERS, "refuse_charges": REFUSED_CHARGES });
    let requests = [
        (PAYMENT, Method::PUT, "/playground/faults", planned.to_string()),
        (RELAY, Method::POST, "/playground/deliver-again", String::new()),
    ];
    for (role, method, path, body) in requests {
        let worker = fleet.workers.iter().find(|worker| worker.role == role);
        let client = worker.and_then(|worker| worker.door.client());
        let client = client.with_context(|| format!("{role} takes no requests"))?;
        let answer = client.send(method, path, body).await;
        let answer = answer.with_context(|| format!("{role} did not answer"))?;
        // A busy database may refuse to take a message again.
        if answer.status != StatusCode::OK {
            tracing::info!(role, status = %answer.status, "a fault could not be planned");
        }
    }
    Ok(())
}
