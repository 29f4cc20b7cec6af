//! The process dies: nothing that was acknowledged is lost, and everything comes to rest.

use axum::http::Method;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use order_service::ids::OrderId;
use order_service::orders::OrderState;
use outbox_test_harness::environment;

use crate::support::{Binary, Place, assert_books_balance, on_both, paid_order};

on_both!(
    killed_at_any_moment_the_service_goes_on,
    killed_with_its_queue_in_memory_the_service_goes_on,
);

async fn killed_at_any_moment_the_service_goes_on(place: Place) {
    kill_again_and_again(&place, &[]).await;
}

/// What was in the queue is gone; it was not confirmed, so it is sent again.
async fn killed_with_its_queue_in_memory_the_service_goes_on(place: Place) {
    kill_again_and_again(&place, &[("QUEUE", "memory"), ("CONFIRM_WITHIN", "1")]).await;
}

async fn kill_again_and_again(place: &Place, settings: &[(&str, &str)]) {
    let rounds = match environment::is_full() {
        true => 20,
        false => 2,
    };
    let mut acknowledged = Vec::new();
    for round in 0..rounds {
        let mut service = Binary::serve_with(place, settings);
        service.shop.stock("m1", "a", 1_000_000).await;
        // Short soon, so that there are refusals among the answers.
        service.shop.stock("m2", "b", 1_000).await;
        // From 10 to some more acknowledged orders, so that the kill finds each stage busy.
        let enough = 10 + fastrand::usize(..30);
        acknowledged.extend(place_until_killed(&mut service, enough).await);
        println!("round {round}: killed after {} orders in all", acknowledged.len());
    }
    let service = Binary::serve_with(place, settings);
    assert_books_balance(place).await;
    for id in acknowledged {
        let order = service.shop.order(id).await;
        assert_eq!(order.state, OrderState::Completed, "{order:?}");
    }
}

/// Eight buyers place orders; after `enough` of them were acknowledged the service is killed under their hands.
async fn place_until_killed(service: &mut Binary, enough: usize) -> Vec<OrderId> {
    let shop = service.shop.clone();
    let body = &paid_order(&[("m1", "a", 1, 5), ("m2", "b", 50, 7)]);
    let place = || async {
        let reply = shop.try_send(Method::POST, "/orders", &[], body).await?;
        serde_json::from_value(reply.body["id"].clone()).ok()
    };
    let mut under_way: FuturesUnordered<_> = (0..8).map(|_| place()).collect();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < enough {
        acknowledged.push(under_way.next().await.unwrap().unwrap());
        under_way.push(place());
    }
    service.process.kill9().unwrap();
    // What was answered in the last moment counts, what was cut off doesn't.
    while let Some(last) = under_way.next().await {
        acknowledged.extend(last);
    }
    acknowledged
}
