//! What inventory and payment answer, at whatever time and whatever they say. The tests are these modules, so that they
//! choose.

use futures_util::future::join_all;
use order_service::events::{PaymentAnswer, StockAnswer};
use order_service::ids::{OrderId, PaymentId, SubOrderId};
use order_service::orders::{Order, OrderState, SubOrderState};
use outbox_core::{Event, IntoMessage, Message};
use serde_json::json;

use crate::support::{Binary, Place, and_on_mysql, count, on_both, order, paid_order, publish, until};

on_both!(
    the_last_two_answers_at_once_let_an_order_go_on_once,
    an_answer_that_contradicts_the_first_one_changes_nothing,
    a_capture_counts_for_the_payment_under_way_and_no_other,
);
and_on_mysql!(
    the_last_two_answers_at_once_let_an_order_go_on_once,
    an_answer_that_contradicts_the_first_one_changes_nothing,
    a_capture_counts_for_the_payment_under_way_and_no_other,
);

/// Serves with these parts.
fn serve(place: &Place, roles: &str) -> Binary {
    Binary::serve_with(place, &[("ROLE", roles)])
}

/// How many answers changed nothing, and were noted for that.
fn no_news(service: &Binary) -> usize {
    service.log().matches("it changes nothing").count()
}

/// Tells orders, which is at rest, and waits until that was handled.
async fn tell<E: Event + Clone>(place: &Place, events: &[E]) {
    let handled = async || count(place, "journal_handled WHERE group_name = 'orders'").await;
    let all = handled().await + events.len() as i64;
    let messages = events.iter().cloned().map(|event| event.into_message().unwrap());
    publish(place, messages.collect()).await;
    until(handled, |&handled| handled == all).await;
}

/// How many messages of a topic orders has sent.
async fn sent(place: &Place, topic: &str) -> i64 {
    count(place, &format!("journal_sent WHERE topic = '{topic}'")).await
}

fn reserved(order_id: OrderId, sub_order_id: SubOrderId) -> StockAnswer {
    StockAnswer::Reserved {
        sub_order_id,
        order_id,
    }
}

fn refused(order_id: OrderId, sub_order_id: SubOrderId) -> StockAnswer {
    StockAnswer::Refused {
        sub_order_id,
        order_id,
        reason: "none is left".to_owned(),
    }
}

/// An answer that waits for no other one: inventory's own have the order as their key, so they never meet at its row.
fn unordered(answer: &StockAnswer) -> Message {
    let message = Message::builder(StockAnswer::TOPIC).json(answer).unwrap();
    message.build().unwrap()
}

async fn the_last_two_answers_at_once_let_an_order_go_on_once(place: Place) {
    const ORDERS: i64 = 50;
    let service = serve(&place, "orders,relay");
    let shop = &service.shop;
    let body = &paid_order(&[("m1", "s", 1, 100), ("m2", "s", 1, 50)]);
    let orders = join_all((0..ORDERS).map(|_| shop.place(body))).await;
    let answers = orders.iter().flat_map(|order| {
        let parts = order.sub_orders.iter();
        parts.map(|part| unordered(&reserved(order.id, part.id)))
    });
    publish(&place, answers.collect()).await;
    for order in &orders {
        let order = shop.in_state(order.id, OrderState::Paying).await;
        assert_eq!(order.amount, 150);
    }
    assert_eq!(sent(&place, "payment.commands").await, ORDERS);
    assert_eq!(sent(&place, "orders.payment-due").await, ORDERS);
    assert_eq!(shop.get("/playground/dead-letters").await.body, json!([]));
}

fn parts(order: &Order) -> Vec<SubOrderState> {
    order.sub_orders.iter().map(|part| part.state).collect()
}

async fn an_answer_that_contradicts_the_first_one_changes_nothing(place: Place) {
    use SubOrderState::{Pending, Refused, Reserved};
    let service = serve(&place, "orders,relay");
    let shop = &service.shop;
    let body = order(&[("m1", "s", 1, 100), ("m2", "s", 1, 50), ("m3", "s", 1, 7)]);
    let placed = shop.place(&body).await;
    let id = placed.id;
    let [m1, m2, m3] = [0, 1, 2].map(|part| placed.sub_orders[part].id);

    tell(&place, &[reserved(id, m1), refused(id, m1)]).await;
    assert_eq!(parts(&shop.order(id).await), [Reserved, Pending, Pending]);
    tell(&place, &[refused(id, m2), reserved(id, m2)]).await;
    let order = shop.order(id).await;
    assert_eq!(parts(&order), [Reserved, Refused, Pending]);
    assert_eq!((order.state, order.amount), (OrderState::Pending, 107));
    tell(&place, &[reserved(id, m3)]).await;
    let order = shop.order(id).await;
    assert_eq!((order.state, order.amount), (OrderState::AwaitingPayment, 107));

    // Nor once it goes on.
    assert_eq!(shop.pay(id, &[], "visa").await.status, 202);
    tell(&place, &[refused(id, m1), reserved(id, m2)]).await;
    let order = shop.order(id).await;
    assert_eq!((order.state, order.amount), (OrderState::Paying, 107));
    assert_eq!(parts(&order), [Reserved, Refused, Reserved]);
    assert_eq!(sent(&place, "inventory.commands").await, 3, "nothing is released");
    assert_eq!(sent(&place, "payment.commands").await, 1);
    assert_eq!(shop.get("/playground/dead-letters").await.body, json!([]));
    assert_eq!(no_news(&service), 4);
}

async fn a_capture_counts_for_the_payment_under_way_and_no_other(place: Place) {
    let service = serve(&place, "orders,inventory,relay");
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    let captured = |order_id, payment_id| PaymentAnswer::Captured {
        payment_id,
        order_id,
        amount: 100,
    };
    let refused = shop
        .placed_until(&order(&[("m", "none", 1, 100)]), OrderState::Cancelled)
        .await;
    let id = shop
        .placed_until(&order(&[("m", "s", 1, 100)]), OrderState::AwaitingPayment)
        .await
        .id;
    let stray = PaymentId::new();
    tell(&place, &[captured(refused.id, stray), captured(id, stray)]).await;
    assert_eq!(shop.order(refused.id).await, refused);
    assert_eq!(shop.order(id).await.state, OrderState::AwaitingPayment);

    assert_eq!(shop.pay(id, &[], "visa").await.status, 202);
    tell(&place, &[captured(id, stray)]).await;
    let order = shop.order(id).await;
    assert_eq!((order.state, order.captured_amount), (OrderState::Paying, 0));
    assert_eq!(sent(&place, "shipping.commands").await, 0);

    let payment = order.payment_id.unwrap();
    tell(&place, &[captured(id, payment), captured(id, payment)]).await;
    let order = shop.order(id).await;
    assert_eq!((order.state, order.captured_amount), (OrderState::Paid, 100));
    assert_eq!(sent(&place, "shipping.commands").await, 1);
    assert_eq!(no_news(&service), 4);
}
