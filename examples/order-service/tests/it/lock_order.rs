//! Reserving several articles at once: they are locked in one order, whatever the order in which they are named.

use futures_util::future::join_all;
use order_service::orders::OrderState;

use crate::support::{Binary, Place, assert_books_balance, on_each_server, order, until};

// SQLite has one writer: nobody holds a row there that somebody else waits for.
on_each_server!(who_names_the_same_articles_the_other_way_round_meets_no_deadlock);

async fn who_names_the_same_articles_the_other_way_round_meets_no_deadlock(place: Place) {
    const PAIRS: i64 = 50;
    const ON_HAND: i64 = 80;
    // Whoever loses in a deadlock is given back and handled later, at no cost but time: only the log tells. Not that of
    // sqlx, which shows statements, with what they say of deadlocks.
    let log = "info,sqlx=off,outbox_core::consumer=debug";
    let service = Binary::serve_with(&place, &[("RUST_LOG", log)]);
    let shop = &service.shop;
    let articles = ["s1", "s2", "s3", "s4", "s5"];
    for sku in articles {
        shop.stock("m", sku, ON_HAND).await;
    }
    let there = articles.map(|sku| ("m", sku, 1, 10));
    let mut back = there;
    back.reverse();
    let pairs = (0..PAIRS).flat_map(|_| [order(&there), order(&back)]);
    let settled = pairs.map(|body| async move {
        let id = shop.place(&body).await.id;
        until(
            async || shop.order(id).await,
            |order| order.state != OrderState::Pending,
        )
        .await
    });
    let orders = join_all(settled).await;
    let with = |state| orders.iter().filter(move |order| order.state == state).count() as i64;
    let states = (with(OrderState::AwaitingPayment), with(OrderState::Cancelled));
    assert_eq!(states, (ON_HAND, PAIRS * 2 - ON_HAND));
    for sku in articles {
        assert_eq!(shop.shelf("m", sku).await, [ON_HAND, 0, ON_HAND, 0]);
    }
    assert_books_balance(&place).await;
    let log = service.log();
    let deadlocks = log
        .lines()
        .filter(|line| line.to_lowercase().contains("deadlock"));
    assert_eq!(deadlocks.collect::<Vec<_>>(), [""; 0]);
}
