//! Shipping: an order's parcels leave in the order of its sub-orders, and the last one delivered completes it.

use futures_util::future::join_all;
use order_service::orders::{OrderState, SubOrderState};
use serde_json::json;

use crate::support::{Binary, Place, assert_books_balance, count, on_both, paid_order, until};

on_both!(
    parcels_leave_in_the_order_of_the_sub_orders,
    the_last_parcel_completes_the_order,
);

/// Pairs of an order's shipping commands of which the one that was sent later was handled earlier.
const OVERTAKEN: &str = "journal_sent AS a JOIN journal_sent AS b ON b.order_id = a.order_id AND b.seq > a.seq \
    JOIN journal_handled AS x ON x.message_id = a.message_id \
    JOIN journal_handled AS y ON y.message_id = b.message_id \
    WHERE a.topic = 'shipping.commands' AND b.topic = 'shipping.commands' AND y.seq < x.seq";

async fn parcels_leave_in_the_order_of_the_sub_orders(place: Place) {
    const MERCHANTS: [&str; 6] = ["m0", "m1", "m2", "m3", "m4", "m5"];
    let service = Binary::serve(&place);
    let shop = &service.shop;
    for merchant in MERCHANTS {
        shop.stock(merchant, "s", 100).await;
    }
    let body = &paid_order(&MERCHANTS.map(|merchant| (merchant, "s", 1, 10)));
    join_all((0..10).map(|_| shop.placed_until(body, OrderState::Completed))).await;
    let handled = "journal_handled AS h JOIN journal_sent AS s ON s.message_id = h.message_id WHERE s.topic = 'shipping.commands'";
    assert_eq!(count(&place, handled).await, 60);
    assert_eq!(count(&place, OVERTAKEN).await, 0);
    assert_books_balance(&place).await;
}

async fn the_last_parcel_completes_the_order(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m1", "s", 5).await;
    shop.stock("m2", "s", 5).await;
    shop.faults(json!({ "slow": { "shipping": 1_000 } })).await;
    let id = shop
        .place(&paid_order(&[("m1", "s", 1, 10), ("m2", "s", 1, 10)]))
        .await
        .id;
    // One is on its way or there, and the other is not delivered: the order is not complete.
    let order = until(
        async || shop.order(id).await,
        |order| order.sub_orders[0].state == SubOrderState::Shipped,
    )
    .await;
    assert_eq!(order.state, OrderState::Paid);
    let order = shop.in_state(id, OrderState::Completed).await;
    assert!(
        order
            .sub_orders
            .iter()
            .all(|part| part.state == SubOrderState::Delivered)
    );
    assert_books_balance(&place).await;
    assert_eq!(count(&place, "shipment WHERE state = 'delivered'").await, 2);
}
