//! Paying: money is captured once for all sub-orders, whatever happens to the provider's answers.

use order_service::orders::{OrderState, SubOrderState};
use serde_json::json;

use crate::support::{
    Binary, Place, and_on_mysql, assert_books_balance, count, on_both, order, paid_order, until,
};

on_both!(
    what_is_captured_is_allocated_to_the_sub_orders,
    an_order_that_was_refused_is_paid_with_another_card,
    a_payment_whose_answer_is_lost_is_charged_once,
    an_order_is_not_paid_twice,
    the_same_key_pays_once_and_is_answered_again,
);
and_on_mysql!(what_is_captured_is_allocated_to_the_sub_orders);

const CHARGES: &str = "gateway_operation WHERE kind = 'charge' AND outcome = 'captured'";

async fn what_is_captured_is_allocated_to_the_sub_orders(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m1", "s", 5).await;
    shop.stock("m2", "s", 5).await;
    let body = paid_order(&[("m1", "s", 2, 1990), ("m2", "s", 1, 10)]);
    let order = shop.placed_until(&body, OrderState::Completed).await;
    assert_eq!((order.amount, order.captured_amount), (3990, 3990));
    let parts: Vec<_> = order
        .sub_orders
        .iter()
        .map(|part| (part.state, part.paid_amount))
        .collect();
    assert_eq!(
        parts,
        [(SubOrderState::Delivered, 3980), (SubOrderState::Delivered, 10)]
    );
    assert_books_balance(&place).await;
    assert_eq!(count(&place, CHARGES).await, 1);
    assert_eq!(shop.shelf("m1", "s").await, [3, 3, 0, 2]);
}

async fn an_order_that_was_refused_is_paid_with_another_card(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    let mut body = order(&[("m", "s", 1, 100)]);
    body["payment_method"] = json!("declined-card");
    let id = shop.place(&body).await.id;
    let refused = until(
        async || shop.order(id).await,
        |order| order.state == OrderState::AwaitingPayment && order.reason.is_some(),
    )
    .await;
    assert_eq!(refused.reason.as_deref(), Some("the card was declined"));
    assert_eq!((refused.captured_amount, count(&place, CHARGES).await), (0, 0));

    shop.faults(json!({ "refuse_charges": 1 })).await;
    assert_eq!(shop.pay(id, &[], "visa").await.status, 202);
    until(
        async || shop.order(id).await,
        |order| order.reason.as_deref() == Some("the bank said no"),
    )
    .await;

    assert_eq!(shop.pay(id, &[], "visa").await.status, 202);
    let order = shop.in_state(id, OrderState::Completed).await;
    assert_eq!((order.captured_amount, order.reason), (100, None));
    assert_books_balance(&place).await;
    assert_eq!(count(&place, CHARGES).await, 1);
}

async fn a_payment_whose_answer_is_lost_is_charged_once(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    shop.faults(json!({ "lose_answers": 1 })).await;
    let order = shop
        .placed_until(&paid_order(&[("m", "s", 1, 100)]), OrderState::Completed)
        .await;
    assert_eq!(order.captured_amount, 100);
    assert_books_balance(&place).await;
    assert_eq!(count(&place, "gateway_operation").await, 1);
    let steps = shop.steps(order.id).await;
    let charge = steps.iter().find(|step| step.name == "charge").unwrap();
    assert_eq!(charge.handled.len(), 1);
    assert_eq!(charge.handled[0].attempt, 2);
}

async fn an_order_is_not_paid_twice(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    let body = order(&[("m", "s", 1, 100)]);
    let early = shop.place(&order(&[("m", "none", 1, 100)])).await.id;
    let order = shop.placed_until(&body, OrderState::AwaitingPayment).await;
    let (one, other) = tokio::join!(shop.pay(order.id, &[], "visa"), shop.pay(order.id, &[], "visa"));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
    shop.in_state(order.id, OrderState::Completed).await;
    let late = shop.pay(order.id, &[], "visa").await;
    assert_eq!(late.status, 409);
    assert!(
        late.body["detail"].as_str().unwrap().contains("completed"),
        "{late:?}"
    );
    assert_eq!(shop.pay(early, &[], "visa").await.status, 409);
    assert_books_balance(&place).await;
    assert_eq!(count(&place, CHARGES).await, 1);
}

async fn the_same_key_pays_once_and_is_answered_again(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    let body = order(&[("m", "s", 1, 100)]);
    let order = shop.placed_until(&body, OrderState::AwaitingPayment).await;
    let key = &[("idempotency-key", "\"pay-1\"")][..];
    let first = shop.pay(order.id, key, "visa").await;
    assert_eq!((first.status, first.is_replayed()), (202, false));
    shop.in_state(order.id, OrderState::Completed).await;
    // The order has gone on; the answer is the one of then.
    let again = shop.pay(order.id, key, "visa").await;
    assert_eq!((again.status, again.is_replayed()), (202, true));
    assert_eq!(again.body, first.body);
    assert_books_balance(&place).await;
    assert_eq!(count(&place, CHARGES).await, 1);
}
