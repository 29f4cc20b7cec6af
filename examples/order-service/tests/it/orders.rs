//! What becomes of an order.

use axum::http::StatusCode;
use futures_util::future::join_all;
use order_service::client::Client;
use order_service::orders::{Order, OrderState, SubOrderState};
use serde_json::Value;

use crate::support::{Binary, Place, on_each_database, order, until};

on_each_database!(
    everything_in_stock_is_reserved_and_the_order_completes,
    a_merchant_who_is_short_is_left_out,
    an_order_that_nobody_can_serve_is_refused,
    of_two_buyers_who_race_for_the_last_item_one_gets_it,
    the_newest_orders_are_listed_first,
    stock_can_be_set_but_not_below_what_is_reserved,
    names_are_told_apart_by_their_bytes,
);

async fn placed(client: &Client, body: &Value) -> Order {
    let answer = client.post_order(body).await.unwrap();
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    serde_json::from_value(answer.body).unwrap()
}

/// Places an order and waits for its end.
async fn settled(client: &Client, body: &Value) -> Order {
    let id = placed(client, body).await.id;
    until(
        async || client.order(id).await.unwrap(),
        |order| order.state != OrderState::Pending,
    )
    .await
}

fn parts(order: &Order) -> Vec<(&str, SubOrderState, Option<&str>)> {
    let part = order.sub_orders.iter();
    part.map(|part| (part.merchant.as_str(), part.state, part.reason.as_deref()))
        .collect()
}

async fn everything_in_stock_is_reserved_and_the_order_completes(place: Place) {
    let service = Binary::serve(&place);
    let client = &service.client;
    client.put_stock("m1", "s1", 5).await.unwrap();
    client.put_stock("m2", "s2", 5).await.unwrap();

    let body = order(&[("m1", "s1", 2, 1990), ("m2", "s2", 1, 10), ("m1", "s1", 1, 1)]);
    let answer = client.post_order(&body).await.unwrap();
    assert_eq!(answer.status, StatusCode::CREATED);
    let id = answer.body["id"].as_str().unwrap();
    assert_eq!(answer.location.unwrap(), format!("/orders/{id}"));
    assert_eq!(answer.body["amount"], 3991);
    assert_eq!(answer.body["state"], "pending");

    let id = serde_json::from_value(answer.body["id"].clone()).unwrap();
    let order = until(
        async || client.order(id).await.unwrap(),
        |order| order.state != OrderState::Pending,
    )
    .await;
    assert_eq!(order.state, OrderState::Completed);
    assert_eq!(
        parts(&order),
        [
            ("m1", SubOrderState::Reserved, None),
            ("m2", SubOrderState::Reserved, None)
        ]
    );
    assert_eq!((order.placed_amount, order.amount), (3991, 3991));
    assert_eq!(order.sub_orders[0].lines.len(), 2);
    let stock = client.stock("m1", "s1").await.unwrap();
    assert_eq!((stock.on_hand, stock.available, stock.reserved), (5, 2, 3));
    assert_eq!(place.audit().await.findings(), [""; 0]);
}

async fn a_merchant_who_is_short_is_left_out(place: Place) {
    let service = Binary::serve(&place);
    let client = &service.client;
    for (merchant, sku, on_hand) in [("m1", "s1", 5), ("m2", "s1", 5), ("m2", "s2", 1)] {
        client.put_stock(merchant, sku, on_hand).await.unwrap();
    }
    let order = settled(
        client,
        &order(&[("m1", "s1", 1, 100), ("m2", "s1", 5, 7), ("m2", "s2", 2, 9)]),
    )
    .await;
    assert_eq!(order.state, OrderState::Completed);
    assert_eq!(
        parts(&order),
        [
            ("m1", SubOrderState::Reserved, None),
            ("m2", SubOrderState::Refused, Some("short of s2"))
        ]
    );
    assert_eq!((order.placed_amount, order.amount), (153, 100));
    // All or nothing: the line that could have been served is not set aside.
    assert_eq!(client.stock("m2", "s1").await.unwrap().reserved, 0);
    assert_eq!(place.audit().await.findings(), [""; 0]);
}

async fn an_order_that_nobody_can_serve_is_refused(place: Place) {
    let service = Binary::serve(&place);
    let client = &service.client;
    client.put_stock("m1", "s1", 1).await.unwrap();
    // One is short, the other has no such article.
    let order = settled(client, &order(&[("m1", "s1", 2, 100), ("m2", "nothing", 1, 7)])).await;
    assert_eq!(order.state, OrderState::Refused);
    assert_eq!(order.amount, 0);
    assert_eq!(
        parts(&order),
        [
            ("m1", SubOrderState::Refused, Some("short of s1")),
            ("m2", SubOrderState::Refused, Some("short of nothing"))
        ]
    );
    assert_eq!(place.audit().await.findings(), [""; 0]);
}

async fn of_two_buyers_who_race_for_the_last_item_one_gets_it(place: Place) {
    let service = Binary::serve(&place);
    let client = &service.client;
    let articles: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    for sku in &articles {
        client.put_stock("m", sku, 1).await.unwrap();
    }
    let races = articles.iter().flat_map(|sku| {
        let body = order(&[("m", sku, 1, 100)]);
        [body.clone(), body]
    });
    let outcomes = join_all(races.map(|body| async move { settled(client, &body).await.state })).await;
    let won = |state: &&OrderState| **state == OrderState::Completed;
    for pair in outcomes.chunks(2) {
        assert_eq!(pair.iter().filter(won).count(), 1, "{pair:?}");
    }
    assert_eq!(place.audit().await.findings(), [""; 0]);
}

async fn the_newest_orders_are_listed_first(place: Place) {
    let service = Binary::serve(&place);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(placed(&service.client, &order(&[("m", "s", 1, 1)])).await.id);
    }
    let listed: Vec<_> = service
        .client
        .newest(2)
        .await
        .unwrap()
        .iter()
        .map(|order| order.id)
        .collect();
    assert_eq!(listed, [ids[2], ids[1]]);
}

async fn stock_can_be_set_but_not_below_what_is_reserved(place: Place) {
    let service = Binary::serve(&place);
    let client = &service.client;
    client.put_stock("m", "s", 5).await.unwrap();
    settled(client, &order(&[("m", "s", 3, 1)])).await;
    let refused = client.put_stock("m", "s", 2).await.unwrap_err().to_string();
    assert!(refused.contains("409"), "{refused}");
    let stock = client.put_stock("m", "s", 3).await.unwrap();
    assert_eq!((stock.available, stock.reserved), (0, 3));
    let stock = client.put_stock("m", "s", 9).await.unwrap();
    assert_eq!((stock.available, stock.reserved), (6, 3));
}

/// Not by a collation that ignores case, accents or trailing spaces.
async fn names_are_told_apart_by_their_bytes(place: Place) {
    let service = Binary::serve(&place);
    let client = &service.client;
    let names = ["pate", "Pate", "p%C3%A2te", "pate%20"];
    for (number, sku) in (1..).zip(names) {
        client.put_stock("m", sku, number).await.unwrap();
    }
    for (number, sku) in (1..).zip(names) {
        assert_eq!(client.stock("m", sku).await.unwrap().on_hand, number);
    }
}
