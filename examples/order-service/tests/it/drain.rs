//! SIGTERM: the service stops in order, and what it took is not lost.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;

use crate::support::{Binary, Place, SOON, on_each_database, order, until};

on_each_database!(
    a_drained_service_leaves_nothing_half_done,
    a_drained_service_with_its_queue_in_memory_empties_it,
    while_it_drains_it_is_alive_and_not_ready,
);

async fn a_drained_service_leaves_nothing_half_done(place: Place) {
    drain_and_start_again(&place, "database").await;
    let groups = "SELECT count(*) FROM outbox_group";
    assert_eq!(place.number(groups).await, 2);
}

async fn a_drained_service_with_its_queue_in_memory_empties_it(place: Place) {
    drain_and_start_again(&place, "memory").await;
    let groups = "SELECT count(*) FROM outbox_group";
    assert_eq!(
        place.number(groups).await,
        0,
        "the queue in memory is asked for and used"
    );
}

async fn drain_and_start_again(place: &Place, queue: &str) {
    let environment = [("QUEUE", queue)];
    let mut service = Binary::serve_with(place, &environment);
    let client = &service.client;
    client.put_stock("m", "s", 1_000).await.unwrap();
    let body = &order(&[("m", "s", 1, 5), ("short", "s", 1, 5)]);
    for placed in join_all((0..50).map(|_| client.post_order(body))).await {
        assert_eq!(placed.unwrap().status, StatusCode::CREATED);
    }
    service.process.terminate().unwrap();
    let status = service.process.wait_timeout(SOON).unwrap();
    assert_eq!(status.code(), Some(0), "{}", service.process.log_tail());
    let log = std::fs::read_to_string(service.process.stderr_log()).unwrap();
    assert!(log.contains("queue_is_safe=true"), "{log}");

    // What was not handled is in the outbox or in the queue, and goes on from there.
    assert_eq!(place.audit().await.orders, 50);
    let members = "SELECT count(*) FROM outbox_group_member";
    assert_eq!(place.number(members).await, 0, "they have left their groups");
    let _service = Binary::serve_with(place, &environment);
    let audit = until(async || place.audit().await, |audit| audit.pending == 0).await;
    assert_eq!((audit.completed, audit.findings()), (50, vec![]));
}

async fn while_it_drains_it_is_alive_and_not_ready(place: Place) {
    let mut service = Binary::serve_with(&place, &[("DRAIN_NOTICE", "1.5")]);
    let client = &service.client;
    assert_eq!(client.get("/readyz").await.unwrap().status, StatusCode::OK);
    assert_eq!(client.get("/healthz").await.unwrap().status, StatusCode::OK);
    service.process.terminate().unwrap();
    until(
        async || client.get("/readyz").await.unwrap().status,
        |status| *status == StatusCode::SERVICE_UNAVAILABLE,
    )
    .await;
    assert_eq!(client.get("/healthz").await.unwrap().status, StatusCode::OK);
    let last = client.post_order(&order(&[("m", "s", 1, 1)])).await.unwrap();
    assert_eq!(
        last.status,
        StatusCode::CREATED,
        "whoever has not noticed yet is served"
    );
    let status = service.process.wait_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(status.code(), Some(0), "{}", service.process.log_tail());
    assert!(client.get("/healthz").await.is_err());
}
