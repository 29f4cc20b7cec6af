//! SIGTERM: the service stops in order, and what it took is not lost.

use futures_util::future::join_all;
use order_service::orders::OrderState;

use crate::support::{
    Binary, Place, SOON, and_on_mysql, assert_books_balance, count, on_both, order, paid_order, until,
};

on_both!(
    a_drained_service_leaves_nothing_half_done,
    a_drained_service_with_its_queue_in_memory_loses_nothing,
    while_it_drains_it_is_alive_and_not_ready,
);
and_on_mysql!(
    a_drained_service_leaves_nothing_half_done,
    a_drained_service_with_its_queue_in_memory_loses_nothing,
    while_it_drains_it_is_alive_and_not_ready,
);

async fn a_drained_service_leaves_nothing_half_done(place: Place) {
    drain_and_start_again(&place, &[]).await;
    assert!(count(&place, "outbox_group").await > 0);
}

async fn a_drained_service_with_its_queue_in_memory_loses_nothing(place: Place) {
    drain_and_start_again(&place, &[("QUEUE", "memory"), ("CONFIRM_WITHIN", "1")]).await;
    let groups = count(&place, "outbox_group").await;
    assert_eq!(groups, 0, "the queue in memory is asked for and used");
}

async fn drain_and_start_again(place: &Place, settings: &[(&str, &str)]) {
    let mut service = Binary::serve_with(place, settings);
    let shop = &service.shop;
    shop.stock("m", "s", 1_000).await;
    let body = &paid_order(&[("m", "s", 1, 5), ("short", "s", 1, 5)]);
    let placed = join_all((0..30).map(|_| shop.place(body))).await;
    service.process.terminate().unwrap();
    let status = service.process.wait_timeout(SOON).unwrap();
    assert_eq!(status.code(), Some(0), "{}", service.process.log_tail());
    let log = service.log();
    assert!(log.contains("queue_is_safe=true"), "{log}");

    // What was not handled is in the outbox or in the queue, and goes on from there.
    let members = count(place, "outbox_group_member").await;
    assert_eq!(members, 0, "they have left their groups");
    let service = Binary::serve_with(place, settings);
    for order in placed {
        service.shop.in_state(order.id, OrderState::Completed).await;
    }
    assert_books_balance(place).await;
}

async fn while_it_drains_it_is_alive_and_not_ready(place: Place) {
    let mut service = Binary::serve_with(&place, &[("DRAIN_NOTICE", "1.5")]);
    let shop = &service.shop;
    assert_eq!(shop.get("/readyz").await.status, 200);
    assert_eq!(shop.get("/healthz").await.status, 200);
    service.process.terminate().unwrap();
    until(async || shop.get("/readyz").await.status, |&status| status == 503).await;
    assert_eq!(shop.get("/healthz").await.status, 200);
    // Whoever has not noticed yet is served.
    shop.place(&order(&[("m", "s", 1, 1)])).await;
    let status = service.process.wait_timeout(SOON).unwrap();
    assert_eq!(status.code(), Some(0), "{}", service.process.log_tail());
}
