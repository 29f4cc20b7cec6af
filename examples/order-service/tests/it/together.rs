//! Two processes of the service on one server: they share the work, and one goes on where the other has died.

use futures_util::future::join_all;
use order_service::database::Database;
use order_service::ids::OrderId;
use order_service::orders::OrderState;

use crate::support::{Binary, Place, assert_books_balance, on_each_server, paid_order, until};

on_each_server!(whoever_comes_first_makes_the_tables);

const ORDERS: usize = 20;

/// Several start at once, on a database without tables.
async fn whoever_comes_first_makes_the_tables(place: Place) {
    let started = (0..4).map(|_| Database::open(place.url()));
    for database in join_all(started).await {
        database.unwrap().close().await;
    }
}

#[test]
fn one_goes_on_where_the_other_was_killed() {
    let Some(place) = Place::postgres_with_redis() else {
        return;
    };
    crate::support::run(async {
        let mut services = [Binary::serve(&place), Binary::serve(&place)];
        // Each has a part of every group's queues.
        let sharing = "SELECT min(members) FROM \
            (SELECT count(DISTINCT owner) AS members FROM outbox_group_queue GROUP BY group_id) AS shares";
        until(async || place.number(sharing).await, |&members| members == 2).await;
        services[0].shop.stock("m1", "s", 1_000).await;
        let mut placed = Vec::new();
        for service in &services {
            placed.extend(place_orders(service).await);
        }
        services[0].process.kill9().unwrap();
        placed.extend(place_orders(&services[1]).await);
        for id in placed {
            services[1].shop.in_state(id, OrderState::Completed).await;
        }
        assert_books_balance(&place).await;
    });
}

/// Orders with a part that can be had and one that can't.
async fn place_orders(service: &Binary) -> Vec<OrderId> {
    let body = &paid_order(&[("m1", "s", 1, 5), ("short", "s", 1, 7)]);
    let placed = join_all((0..ORDERS).map(|_| service.shop.place(body))).await;
    placed.into_iter().map(|order| order.id).collect()
}
