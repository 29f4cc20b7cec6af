//! The buyers: they place orders over HTTP, some at a time.

use std::time::Duration;

use anyhow::ensure;
use axum::http::StatusCode;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use indicatif::ProgressBar;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::errands::Errand;
use super::plan::{Plan, Planned};
use super::shop::Shop;
use crate::orders::Order;

/// Requests at the same time.
const BUYERS: usize = 16;

/// Places all orders; `rate` per second, or as fast as they go; none while the shop is not `open`. What their buyers do later
/// goes to `errands`. Returns how many orders were acknowledged, counted outside of the database.
pub(super) async fn place_orders(
    shop: &Shop,
    plan: &Plan,
    rate: Option<u32>,
    open: &watch::Receiver<bool>,
    errands: UnboundedSender<Errand>,
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    let started = Instant::now();
    let requests = stream::iter(plan.orders().zip(0_u32..)).map(|(planned, number)| async move {
        if let Some(rate) = rate {
            // By the clock and not by pauses: a slow answer doesn't lower the rate.
            sleep_until(started + Duration::from_secs_f64(f64::from(number) / f64::from(rate))).await;
        }
        open.clone().wait_for(|open| *open).await?;
        let order = place(shop, &planned).await?;
        anyhow::Ok((planned, order))
    });
    let placed = requests
        .buffer_unordered(BUYERS)
        .try_fold(0, |placed, (planned, order)| {
            bar.inc(1);
            if let Some(wish) = planned.wish {
                // Nobody runs them any more when the demo is at its end, and then it doesn't matter.
                let _ = errands.send(Errand::new(order.id, wish, planned.key));
            }
            future::ready(Ok(placed + 1))
        })
        .await?;
    bar.finish_and_clear();
    Ok(placed)
}

/// Some send the same request several times, at the same time: it has to be one order.
async fn place(shop: &Shop, planned: &Planned) -> anyhow::Result<Order> {
    let posts = (0..planned.posts).map(|_| async {
        let answer = shop.post("/orders", &planned.key, &planned.order).await?;
        answer.expect::<Order>(StatusCode::CREATED)
    });
    let mut orders = future::try_join_all(posts).await?.into_iter();
    let Some(order) = orders.next() else {
        anyhow::bail!("an order was planned that nobody sends");
    };
    ensure!(
        orders.all(|again| again.id == order.id),
        "the same request with the same key made two orders"
    );
    Ok(order)
}
