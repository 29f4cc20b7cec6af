//! Messages that come again change nothing.

use futures_util::future::join_all;
use order_service::orders::OrderState;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{Binary, Place, assert_books_balance, count, on_both, paid_order, until};

on_both!(what_is_delivered_again_changes_nothing);

const GROUPS: [&str; 4] = ["orders", "inventory", "payment", "shipping"];

async fn what_is_delivered_again_changes_nothing(place: Place) {
    const ORDERS: i64 = 10;
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m1", "s", 100).await;
    shop.stock("m2", "s", 100).await;
    let body = &paid_order(&[("m1", "s", 2, 100), ("m2", "s", 1, 50)]);
    let done = CancellationToken::new();
    let buyers = async {
        join_all((0..ORDERS).map(|_| shop.placed_until(body, OrderState::Completed))).await;
        done.cancel();
    };
    let database = place.open().await;
    let queue = database.queue().unwrap();
    let backlog = async || {
        let mut left = 0;
        for group in GROUPS {
            left += queue.group(group).await.unwrap().backlog();
        }
        left
    };
    // Whatever went past last, again and again, while orders are at all of their stages; but so that never much of it waits, or
    // the orders would wait behind it for ever.
    let again = async {
        let mut delivered = 0;
        while !done.is_cancelled() {
            let reply = shop.post("/playground/deliver-again", &[], &json!({})).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            delivered += i64::from(reply.body["message_id"] != Value::Null);
            until(&backlog, |&left| left < 100).await;
        }
        delivered
    };
    let ((), delivered) = tokio::join!(buyers, again);
    println!("{delivered} messages were delivered again");
    assert!(delivered > 0);
    assert_books_balance(&place).await;
    let handled = count(&place, "journal_handled").await;
    let again = shop.post("/playground/deliver-again", &[], &json!({})).await;
    assert!(again.body["message_id"].is_string(), "{again:?}");

    until(&backlog, |&left| left == 0).await;
    database.close().await;
    assert_books_balance(&place).await;
    assert_eq!(count(&place, "journal_handled").await, handled);
    assert_eq!(count(&place, "gateway_operation").await, ORDERS);
    assert_eq!(shop.shelf("m1", "s").await, [80, 80, 0, 20]);
    assert_eq!(shop.get("/playground/dead-letters").await.body, json!([]));
}
