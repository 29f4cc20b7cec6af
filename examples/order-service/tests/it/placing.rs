//! Placing an order: the order, its sub-orders and its messages are one transaction, and a key makes it once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{Binary, Place, and_on_mysql, count, on_both, order};

on_both!(
    an_order_is_committed_with_its_messages,
    an_order_that_can_t_be_told_is_not_placed,
    the_same_key_fifty_times_at_once_places_one_order,
    a_key_with_another_body_is_refused,
    without_a_key_each_request_is_an_order,
    the_newest_orders_are_listed_first,
);
and_on_mysql!(
    an_order_is_committed_with_its_messages,
    the_same_key_fifty_times_at_once_places_one_order
);

/// Serves with all but the relay, so that what is in the outbox can be counted.
fn without_relay(place: &Place) -> Binary {
    Binary::serve_with(place, &[("ROLE", "orders,inventory")])
}

async fn an_order_is_committed_with_its_messages(place: Place) {
    let service = without_relay(&place);
    let body = order(&[("m1", "s1", 2, 1990), ("m2", "s2", 1, 10), ("m1", "s3", 1, 1)]);
    let reply = service.shop.post("/orders", &[], &body).await;
    assert_eq!(reply.status, 201);
    let id = reply.body["id"].as_str().unwrap();
    assert_eq!(reply.header("location").unwrap(), format!("/orders/{id}"));
    assert_eq!(
        (&reply.body["state"], &reply.body["amount"]),
        (&"pending".into(), &3991.into())
    );
    let parts = reply.body["sub_orders"].as_array().unwrap();
    let part = |part: &Value| (part["merchant"].clone(), part["amount"].clone());
    assert_eq!(
        parts.iter().map(part).collect::<Vec<_>>(),
        [("m1".into(), 3981.into()), ("m2".into(), 10.into())]
    );
    assert_eq!(count(&place, "sub_order").await, 2);
    assert_eq!(count(&place, "order_line").await, 3);
    assert_eq!(
        count(&place, "outbox WHERE topic = 'inventory.commands'").await,
        2
    );
    assert_eq!(count(&place, "outbox WHERE topic = 'orders.events'").await, 1);
    assert_eq!(count(&place, "journal_sent").await, 3);
}

async fn an_order_that_can_t_be_told_is_not_placed(place: Place) {
    let service = without_relay(&place);
    let shop = &service.shop;
    place.execute("ALTER TABLE outbox RENAME TO outbox_away").await;
    let body = order(&[("m", "s", 1, 1)]);
    let reply = shop.post("/orders", &[("idempotency-key", "\"k\"")], &body).await;
    assert!(reply.status >= 500, "{reply:?}");
    for table in ["main_order", "sub_order", "order_line", "journal_sent"] {
        assert_eq!(count(&place, table).await, 0, "{table}");
    }
    // Nor is the key used up.
    place.execute("ALTER TABLE outbox_away RENAME TO outbox").await;
    let reply = shop.post("/orders", &[("idempotency-key", "\"k\"")], &body).await;
    assert_eq!((reply.status, reply.is_replayed()), (201, false));
    assert_eq!(count(&place, "outbox").await, 2);
}

async fn the_same_key_fifty_times_at_once_places_one_order(place: Place) {
    let service = without_relay(&place);
    let shop = &service.shop;
    let body = &order(&[("m", "s", 1, 100)]);
    let key = &[("idempotency-key", "\"order-1\"")][..];
    let replies = join_all((0..50).map(|_| shop.post("/orders", key, body))).await;
    let mut ids = BTreeSet::new();
    for reply in &replies {
        match reply.status {
            201 => _ = ids.insert(reply.body["id"].as_str().unwrap().to_owned()),
            409 => assert_eq!(reply.header("content-type").unwrap(), "application/problem+json"),
            _ => panic!("{reply:?}"),
        }
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(count(&place, "main_order").await, 1);
    assert_eq!(count(&place, "outbox").await, 2);
    let first_time = replies
        .iter()
        .filter(|reply| reply.status == 201 && !reply.is_replayed());
    assert_eq!(first_time.count(), 1);

    let again = shop.post("/orders", key, body).await;
    assert_eq!((again.status, again.is_replayed()), (201, true));
    assert_eq!(again.body["id"].as_str(), ids.first().map(String::as_str));
    assert_eq!(count(&place, "outbox").await, 2);
}

async fn a_key_with_another_body_is_refused(place: Place) {
    let service = without_relay(&place);
    let key = &[("idempotency-key", "\"order-1\"")][..];
    let reply = service
        .shop
        .post("/orders", key, &order(&[("m", "s", 1, 100)]))
        .await;
    assert_eq!(reply.status, 201);
    let other = service
        .shop
        .post("/orders", key, &order(&[("m", "s", 2, 100)]))
        .await;
    assert_eq!(other.status, 422, "{other:?}");
    assert_eq!(other.header("content-type").unwrap(), "application/problem+json");
    assert_eq!(count(&place, "main_order").await, 1);
}

async fn without_a_key_each_request_is_an_order(place: Place) {
    let service = without_relay(&place);
    let body = &order(&[("m", "s", 1, 100)]);
    let replies = join_all((0..10).map(|_| service.shop.post("/orders", &[], body))).await;
    assert!(
        replies
            .iter()
            .all(|reply| reply.status == 201 && !reply.is_replayed())
    );
    assert_eq!(count(&place, "main_order").await, 10);
}

async fn the_newest_orders_are_listed_first(place: Place) {
    let service = without_relay(&place);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(service.shop.place(&order(&[("m", "s", 1, 1)])).await.id);
    }
    let listed = service.client.newest(2).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|order| order.id).collect();
    assert_eq!(listed, [ids[2], ids[1]]);
}
