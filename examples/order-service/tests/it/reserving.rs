//! Inventory answers: each sub-order is set aside as a whole or refused as a whole.

use futures_util::future::join_all;
use order_service::orders::{Order, OrderState, SubOrderState};
use serde_json::json;

use crate::support::{Binary, Place, and_on_mysql, assert_books_balance, on_both, order, until};

on_both!(
    a_merchant_who_is_short_is_left_out,
    all_or_nothing_releases_what_was_set_aside,
    an_order_that_nobody_can_serve_is_cancelled,
    of_two_buyers_who_race_for_the_last_item_one_gets_it,
    stock_can_be_set_but_not_below_what_is_reserved,
    names_are_told_apart_by_their_bytes,
);
and_on_mysql!(
    of_two_buyers_who_race_for_the_last_item_one_gets_it,
    names_are_told_apart_by_their_bytes,
);

fn parts(order: &Order) -> Vec<(&str, SubOrderState, Option<&str>)> {
    let part = order.sub_orders.iter();
    part.map(|part| (part.merchant.as_str(), part.state, part.reason.as_deref()))
        .collect()
}

async fn a_merchant_who_is_short_is_left_out(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    for (merchant, sku, on_hand) in [("m1", "s1", 5), ("m2", "s1", 5), ("m2", "s2", 1)] {
        shop.stock(merchant, sku, on_hand).await;
    }
    let body = order(&[("m1", "s1", 1, 100), ("m2", "s1", 5, 7), ("m2", "s2", 2, 9)]);
    let order = shop.placed_until(&body, OrderState::AwaitingPayment).await;
    assert_eq!(
        parts(&order),
        [
            ("m1", SubOrderState::Reserved, None),
            ("m2", SubOrderState::Refused, Some("m2 is short of s2"))
        ]
    );
    assert_eq!((order.placed_amount, order.amount), (153, 100));
    assert_eq!(shop.shelf("m1", "s1").await, [5, 4, 1, 0]);
    // The line that could have been served is not set aside.
    assert_eq!(shop.shelf("m2", "s1").await, [5, 5, 0, 0]);

    // The rest goes on.
    assert_eq!(shop.pay(order.id, &[], "visa").await.status, 202);
    let order = shop.in_state(order.id, OrderState::Completed).await;
    assert_eq!(order.captured_amount, 100);
    assert_books_balance(&place).await;
}

async fn all_or_nothing_releases_what_was_set_aside(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m1", "s", 5).await;
    let mut body = order(&[("m1", "s", 2, 100), ("m2", "s", 1, 7)]);
    body["all_or_nothing"] = json!(true);
    let order = shop.placed_until(&body, OrderState::Cancelled).await;
    assert_eq!(
        parts(&order),
        [
            ("m1", SubOrderState::Released, None),
            ("m2", SubOrderState::Refused, Some("m2 is short of s"))
        ]
    );
    assert_eq!(
        (order.amount, order.reason.as_deref()),
        (0, Some("m2 is short of s"))
    );
    assert_books_balance(&place).await;
    assert_eq!(shop.shelf("m1", "s").await, [5, 5, 0, 0]);
}

async fn an_order_that_nobody_can_serve_is_cancelled(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m1", "s", 1).await;
    // One is short, the other has no such article.
    let body = order(&[("m1", "s", 2, 100), ("m2", "nothing", 1, 7)]);
    let order = shop.placed_until(&body, OrderState::Cancelled).await;
    assert_eq!(order.amount, 0);
    assert_eq!(
        parts(&order),
        [
            ("m1", SubOrderState::Refused, Some("m1 is short of s")),
            ("m2", SubOrderState::Refused, Some("m2 is short of nothing"))
        ]
    );
    assert_eq!(shop.pay(order.id, &[], "visa").await.status, 409);
    assert_books_balance(&place).await;
}

async fn of_two_buyers_who_race_for_the_last_item_one_gets_it(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    let articles: Vec<String> = (0..20).map(|number| format!("s{number}")).collect();
    for sku in &articles {
        shop.stock("m", sku, 1).await;
    }
    let races = articles.iter().flat_map(|sku| {
        let body = order(&[("m", sku, 1, 100)]);
        [body.clone(), body]
    });
    let settled = races.map(|body| async move {
        let id = shop.place(&body).await.id;
        let order = until(
            async || shop.order(id).await,
            |order| order.state != OrderState::Pending,
        );
        order.await.state
    });
    for pair in join_all(settled).await.chunks(2) {
        let won = pair.iter().filter(|state| **state == OrderState::AwaitingPayment);
        let lost = pair.iter().filter(|state| **state == OrderState::Cancelled);
        assert_eq!((won.count(), lost.count()), (1, 1), "{pair:?}");
    }
    for sku in &articles {
        assert_eq!(shop.shelf("m", sku).await, [1, 0, 1, 0]);
    }
    assert_books_balance(&place).await;
}

async fn stock_can_be_set_but_not_below_what_is_reserved(place: Place) {
    let service = Binary::serve(&place);
    service.shop.stock("m", "s", 5).await;
    let body = order(&[("m", "s", 3, 1)]);
    service
        .shop
        .placed_until(&body, OrderState::AwaitingPayment)
        .await;
    let refused = service
        .client
        .put_stock("m", "s", 2)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("409"), "{refused}");
    service.shop.stock("m", "s", 3).await;
    assert_eq!(service.shop.shelf("m", "s").await, [3, 0, 3, 0]);
    service.shop.stock("m", "s", 9).await;
    assert_eq!(service.shop.shelf("m", "s").await, [9, 6, 3, 0]);
}

/// Not by a collation that ignores case, accents or trailing spaces.
async fn names_are_told_apart_by_their_bytes(place: Place) {
    let service = Binary::serve(&place);
    let names = ["pate", "Pate", "p%C3%A2te", "pate%20"];
    for (number, sku) in (1..).zip(names) {
        service.shop.stock("m", sku, number).await;
    }
    for (number, sku) in (1..).zip(names) {
        assert_eq!(service.shop.shelf("m", sku).await[0], number);
    }
}
