//! What some buyers do after they have placed an order: they pay with another card, or want money back.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use axum::http::StatusCode;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use super::plan::Wish;
use super::shop::Shop;
use crate::ids::OrderId;
use crate::orders::{Order, OrderState, Pay, RequestRefund};

/// Requests at the same time.
const REQUESTS: usize = 4;
/// A buyer looks how his order is doing after this, then after twice as long, and so on.
const FIRST_LOOK: Duration = Duration::from_millis(100);
/// At least so often.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// One buyer's.
#[derive(Debug)]
pub(super) struct Errand {
    order: OrderId,
    wish: Wish,
    key: String,
}

impl Errand {
    pub(super) fn new(order: OrderId, wish: Wish, key: String) -> Self {
        Self { order, wish, key }
    }
}

/// Runs them all. Notes in `done` when there are no more, and then never ends.
///
/// # Errors
/// The shop did not do what it has to.
pub(super) async fn run(
    shop: &Shop,
    errands: UnboundedReceiver<Errand>,
    done: &AtomicBool,
) -> anyhow::Result<Infallible> {
    let requests = &Semaphore::new(REQUESTS);
    stream::unfold(errands, async |mut errands| {
        Some((errands.recv().await?, errands))
    })
    .map(anyhow::Ok)
    .try_for_each_concurrent(None, |errand| run_one(shop, requests, errand))
    .await?;
    done.store(true, Ordering::Release);
    std::future::pending().await
}

async fn run_one(shop: &Shop, requests: &Semaphore, errand: Errand) -> anyhow::Result<()> {
    let path = format!("/orders/{}", errand.order);
    let mut pause = FIRST_LOOK;
    let order = loop {
        sleep(pause).await;
        pause = LAST_LOOK.min(pause * 2);
        let _turn = requests.acquire().await?;
        let order: Order = shop.get(&path).await?.expect(StatusCode::OK)?;
        if order.state == OrderState::Cancelled {
            return Ok(());
        }
        if errand.wish.is_time(&order) {
            break order;
        }
    };
    let _turn = requests.acquire().await?;
    match errand.wish {
        Wish::PayAgain => {
            let pay = Pay {
                payment_method: "card".to_owned(),
            };
            let (path, key) = (format!("{path}/payment"), format!("{}-pay", errand.key));
            // It may have been closed in the meantime.
            match shop.post(&path, &key, &pay).await? {
                answer if [StatusCode::ACCEPTED, StatusCode::CONFLICT].contains(&answer.status) => Ok(()),
                answer => bail!("a payment was answered {}: {}", answer.status, answer.body),
            }
        }
        Wish::Refund { whole } => {
            let paid = order.sub_orders.iter().filter(|part| part.paid_amount > 0);
            for part in paid.take(if whole { usize::MAX } else { 1 }) {
                let amount = if whole {
                    part.paid_amount
                } else {
                    (part.paid_amount / 2).max(1)
                };
                let path = format!("{path}/sub-orders/{}/refunds", part.id);
                let key = format!("{}-refund-{}", errand.key, part.id);
                // Twice, as somebody does who has seen no answer.
                for _ in 0..2 {
                    let answer = shop.post(&path, &key, &RequestRefund { amount }).await?;
                    answer.expect::<Order>(StatusCode::ACCEPTED)?;
                }
            }
            Ok(())
        }
    }
}

impl Wish {
    /// Whether the order is so far that it can be done.
    fn is_time(self, order: &Order) -> bool {
        match self {
            Self::PayAgain => order.state == OrderState::AwaitingPayment,
            Self::Refund { .. } => order.captured_amount > 0,
        }
    }
}
