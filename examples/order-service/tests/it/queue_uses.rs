//! What the queue between the modules is good for: a slow consumer slows nobody, a burst becomes a steady flow, whoever
//! comes later needs nothing of the senders, and a module that is away is waited for.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use order_service::orders::OrderState;
use outbox_test_harness::ChildProcess;
use serde_json::json;

use crate::support::{Binary, Place, assert_books_balance, on_both, order, paid_order, until};

on_both!(
    a_slow_consumer_does_not_slow_the_buyers,
    a_burst_is_accepted_at_once_and_handled_at_the_rate,
    loyalty_can_be_added_later,
    orders_go_on_when_inventory_comes_back,
);

async fn a_slow_consumer_does_not_slow_the_buyers(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m", "s", 1_000).await;
    shop.faults(json!({ "slow": { "inventory": 1_000 } })).await;
    let body = order(&[("m", "s", 1, 100)]);
    let mut took = Vec::new();
    for _ in 0..50 {
        let started = Instant::now();
        shop.place(&body).await;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let p95 = took[47];
    println!(
        "an order was taken within {:?} (median) and {p95:?} (p95)",
        took[25]
    );
    // One message takes the consumer longer than that.
    assert!(p95 < Duration::from_secs(1), "{took:?}");
}

async fn a_burst_is_accepted_at_once_and_handled_at_the_rate(place: Place) {
    // So much that it comes all at once, and so slow that a busy machine keeps up with it.
    const ORDERS: usize = 60;
    const RATE: f64 = 10.0;
    let service = Binary::serve_with(&place, &[("CONSUMER_RATE", "10")]);
    let shop = &service.shop;
    shop.stock("m", "s", 1_000).await;
    let body = &order(&[("m", "s", 1, 100)]);
    let started = Instant::now();
    let placed = futures_util::stream::iter(0..ORDERS)
        .map(|_| shop.place(body))
        .buffer_unordered(16);
    let placed: Vec<_> = placed.map(|order| order.id).collect().await;
    let accepted = started.elapsed();
    let mut handled = Vec::new();
    for id in placed {
        let step = until(
            async || {
                shop.steps(id)
                    .await
                    .into_iter()
                    .find(|step| step.name == "reserve stock")
                    .unwrap()
            },
            |step| !step.handled.is_empty(),
        )
        .await;
        handled.push(step.handled[0].handled_at);
    }
    handled.sort_unstable();
    // Without the first second: what a limiter has saved up may come as a small burst.
    let later: Vec<_> = handled.iter().filter(|&&at| at >= handled[0] + 1_000).collect();
    let span = (**later.last().unwrap() - **later.first().unwrap()) as f64 / 1_000.0;
    let rate = (later.len() - 1) as f64 / span;
    println!("{ORDERS} orders were accepted in {accepted:?} and reserved at {rate:.1} a second");
    assert!((RATE * 0.85..=RATE * 1.15).contains(&rate), "{rate}");
}

async fn loyalty_can_be_added_later(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m", "s", 10).await;
    let body = paid_order(&[("m", "s", 1, 300)]);
    shop.placed_until(&body, OrderState::Completed).await;
    let loyalty = Binary::serve_with(&place, &[("ROLE", "loyalty")]);
    let points = async || loyalty.shop.get("/loyalty/ann").await.body["points"].as_i64();
    until(points, |&points| points == Some(3)).await;
    shop.placed_until(&body, OrderState::Completed).await;
    until(points, |&points| points == Some(6)).await;
}

async fn orders_go_on_when_inventory_comes_back(place: Place) {
    let mut inventory = Binary::serve_with(&place, &[("ROLE", "inventory")]);
    let service = Binary::serve_with(&place, &[("ROLE", "orders,payment,shipping,relay")]);
    let shop = &service.shop;
    inventory.shop.stock("m", "s", 10).await;
    let body = paid_order(&[("m", "s", 1, 300)]);
    shop.placed_until(&body, OrderState::Completed).await;
    kill(&mut inventory.process);
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.push(shop.place(&body).await.id);
    }
    let _inventory = Binary::serve_with(&place, &[("ROLE", "inventory")]);
    for id in placed {
        shop.in_state(id, OrderState::Completed).await;
    }
    assert_books_balance(&place).await;
}

fn kill(process: &mut ChildProcess) {
    process.kill9().unwrap();
}
