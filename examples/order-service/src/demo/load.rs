//! The buyers: they place orders over HTTP, some at a time.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use tokio::time::{Instant, sleep_until};

use super::plan::Plan;
use crate::client::Client;
use crate::orders::Order;

/// Requests at the same time.
const BUYERS: usize = 16;

/// What was acknowledged, counted outside of the database.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) orders: u64,
    /// What these orders will have sent when all is said: themselves, a request per sub-order, an answer to each.
    pub(super) messages: u64,
}

/// Places all orders; `rate` per second, or as fast as they go.
pub(super) async fn place_orders(
    client: &Client,
    plan: &Plan,
    rate: Option<u32>,
    bar: &ProgressBar,
) -> anyhow::Result<Placed> {
    let started = Instant::now();
    let requests = stream::iter(plan.orders().zip(0_u32..)).map(|(order, number)| async move {
        if let Some(rate) = rate {
            // By the clock and not by pauses: a slow answer doesn't lower the rate.
            sleep_until(started + Duration::from_secs_f64(f64::from(number) / f64::from(rate))).await;
        }
        client.place(&order).await
    });
    let placed = requests
        .buffer_unordered(BUYERS)
        .try_fold(Placed::default(), |placed, order: Order| {
            bar.inc(1);
            std::future::ready(Ok(Placed {
                orders: placed.orders + 1,
                messages: placed.messages + 1 + 2 * order.sub_orders.len() as u64,
            }))
        })
        .await?;
    bar.finish_and_clear();
    Ok(placed)
}
