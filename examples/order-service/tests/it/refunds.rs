//! Refunds: money goes back once, and never more than was paid.

use futures_util::future::join_all;
use order_service::orders::{Order, OrderState};

use crate::support::{Binary, Place, Shop, assert_books_balance, count, on_both, order, paid_order, until};

on_both!(
    a_part_the_rest_and_nothing_more,
    of_refunds_at_once_one_is_accepted,
    nothing_goes_back_before_it_was_paid,
);

async fn completed(shop: &Shop) -> Order {
    shop.stock("m1", "s", 5).await;
    shop.stock("m2", "s", 5).await;
    let body = paid_order(&[("m1", "s", 1, 100), ("m2", "s", 1, 40)]);
    shop.placed_until(&body, OrderState::Completed).await
}

async fn a_part_the_rest_and_nothing_more(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    let order = completed(shop).await;
    assert_eq!(shop.refund(&order, 0, 30).await.status, 202);
    let refunded = async || shop.order(order.id).await.refunded_amount;
    until(refunded, |&amount| amount == 30).await;
    let too_much = shop.refund(&order, 0, 71).await;
    assert_eq!(too_much.status, 409);
    assert!(
        too_much.body["detail"].as_str().unwrap().contains("70"),
        "{too_much:?}"
    );
    assert_eq!(shop.refund(&order, 0, 70).await.status, 202);
    until(refunded, |&amount| amount == 100).await;
    assert_eq!(shop.refund(&order, 0, 1).await.status, 409);
    assert_eq!(
        shop.refund(&order, 1, 41).await.status,
        409,
        "it is another merchant's money"
    );
    assert_books_balance(&place).await;
    assert_eq!(count(&place, "gateway_operation WHERE kind = 'refund'").await, 2);
}

async fn of_refunds_at_once_one_is_accepted(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    let order = &completed(shop).await;
    let replies = join_all((0..10).map(|_| shop.refund(order, 0, 60))).await;
    let with = |status| replies.iter().filter(move |reply| reply.status == status).count();
    assert_eq!((with(202), with(409)), (1, 9));
    assert_books_balance(&place).await;
    assert_eq!(shop.order(order.id).await.refunded_amount, 60);
    assert_eq!(
        count(&place, "gateway_operation WHERE kind = 'refund' AND amount = 60").await,
        1
    );
}

async fn nothing_goes_back_before_it_was_paid(place: Place) {
    let service = Binary::serve(&place);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    let body = order(&[("m", "s", 1, 100)]);
    let order = shop.placed_until(&body, OrderState::AwaitingPayment).await;
    assert_eq!(shop.refund(&order, 0, 1).await.status, 409);
    assert_eq!(count(&place, "gateway_operation").await, 0);
}
