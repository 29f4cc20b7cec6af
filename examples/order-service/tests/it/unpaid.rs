//! An order that is not paid in time is closed, and of a payment and the end of the time one wins.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use order_service::backend::Settings;
use order_service::orders::OrderState;
use outbox_test_harness::environment;
use tokio::time::{Instant, sleep_until};

use crate::support::{Binary, Place, and_on_mysql, assert_books_balance, count, on_both, order, until};

on_both!(
    an_unpaid_order_is_closed_and_its_stock_goes_back,
    a_payment_and_the_end_of_its_time_never_both_win,
    an_order_whose_timer_was_lost_is_closed_all_the_same,
);
and_on_mysql!(a_payment_and_the_end_of_its_time_never_both_win);

async fn an_unpaid_order_is_closed_and_its_stock_goes_back(place: Place) {
    let service = Binary::serve_with(&place, &[("PAY_WITHIN", "0.5")]);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    let body = order(&[("m", "s", 2, 100)]);
    let order = shop.placed_until(&body, OrderState::Cancelled).await;
    assert_eq!(order.reason.as_deref(), Some("not paid in time"));
    assert_eq!(shop.pay(order.id, &[], "visa").await.status, 409);
    assert_books_balance(&place).await;
    assert_eq!(shop.shelf("m", "s").await, [5, 5, 0, 0]);
}

/// Payments are sent from before each order's deadline until after it.
async fn a_payment_and_the_end_of_its_time_never_both_win(place: Place) {
    const PAY_WITHIN: Duration = Duration::from_secs(1);
    const AROUND: Duration = Duration::from_millis(500);
    // A few at a time, who ask for nothing meanwhile: what is tried is the race and not a pile of work.
    const BUYERS: usize = 16;
    let orders: u32 = match environment::is_full() {
        true => 1_000,
        false => 100,
    };
    let service = Binary::serve_with(&place, &[("PAY_WITHIN", "1")]);
    let shop = &service.shop;
    shop.stock("m", "s", i64::from(orders)).await;
    let body = &order(&[("m", "s", 1, 100)]);
    let buyers = stream::iter(0..orders).map(|number| async move {
        let id = shop.place(body).await.id;
        let offset = AROUND * 2 * (number % 50) / 50;
        sleep_until(Instant::now() + PAY_WITHIN - AROUND + offset).await;
        shop.pay(id, &[], "visa").await.status
    });
    let accepted: Vec<u16> = buyers.buffer_unordered(BUYERS).collect().await;
    let closed = "main_order WHERE state IN ('completed', 'cancelled')";
    let all = i64::from(orders);
    until(async || count(&place, closed).await, |&closed| closed == all).await;
    assert_books_balance(&place).await;

    let paid = count(&place, "main_order WHERE state = 'completed'").await;
    let cancelled = count(&place, "main_order WHERE state = 'cancelled'").await;
    println!("{paid} orders were paid in time, {cancelled} were closed");
    let told = accepted.iter().filter(|&&status| status == 202).count() as i64;
    assert_eq!(paid, told, "whoever was told that it is paid for gets it");
    assert_eq!(shop.shelf("m", "s").await, [cancelled, cancelled, 0, paid]);
    let captures = "gateway_operation WHERE kind = 'charge' AND outcome = 'captured'";
    assert_eq!(count(&place, captures).await, paid);
    if environment::is_full() {
        let least = all / 10;
        assert!(paid >= least && cancelled >= least, "too few of them raced");
    }
}

async fn an_order_whose_timer_was_lost_is_closed_all_the_same(place: Place) {
    let service = Binary::serve_with(&place, &[("PAY_WITHIN", "2")]);
    let shop = &service.shop;
    shop.stock("m", "s", 5).await;
    let body = order(&[("m", "s", 2, 100)]);
    let order = shop.placed_until(&body, OrderState::AwaitingPayment).await;
    let timer = "outbox WHERE topic = 'orders.payment-due'";
    assert_eq!(count(&place, timer).await, 1);
    place.execute(&format!("DELETE FROM {timer}")).await;

    let database = place.open().await;
    let backend = database.backend(&Settings::default()).await.unwrap();
    assert_eq!(
        backend.orders.close_overdue(Duration::ZERO).await.unwrap(),
        0,
        "there is time"
    );
    until(
        async || backend.orders.close_overdue(Duration::ZERO).await.unwrap(),
        |&closed| closed == 1,
    )
    .await;
    shop.in_state(order.id, OrderState::Cancelled).await;
    assert_books_balance(&place).await;
    assert_eq!(shop.shelf("m", "s").await, [5, 5, 0, 0]);
    database.close().await;
}
